import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { marketDirectory } from "@dekuper/client";
import type { Heartbeat } from "@dekuper/protocol";
import { type Address, type Hex, recoverAddress } from "viem";
import { freePort, startTestChain, type TestChain } from "../../client/test/chain.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { createBlobStore } from "../../oracle/src/peer/blob-store.ts";
import { createLogStore } from "../../oracle/src/peer/log-store.ts";
import type { BlobStore, LogStore } from "../../oracle/src/peer/peer.ts";
import { createPeerNode } from "../../oracle/src/peer/peer-node.ts";

const entry = join(dirname(fileURLToPath(import.meta.url)), "..", "bin", "dekuper.mjs");

/** What a command line did. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of stdout. */
  json<Value = Record<string, never>>(): Value;
}

/** A node's peer that serves blobs and logs as an oracle does, without a cluster. */
export interface TestNode extends TestProvider {
  readonly blobs: BlobStore;
  readonly logs: LogStore;
  /** Who may read which lease's logs and output. */
  readonly leases: Map<Hex, { consumer: Address; ciphertextRoot?: Hex }>;
  stop(): Promise<void>;
}

/** A chain with the market, one online node, and a state folder as `dekuper up` leaves it. */
export interface MarketFixture {
  readonly chain: TestChain;
  readonly stateDir: string;
  readonly networkFile: string;
  readonly consumer: { readonly key: Hex; readonly address: Hex };
  readonly node: TestNode;
  run(args: readonly string[], options?: { env?: Record<string, string>; cwd?: string }): Promise<Ran>;
  stop(): Promise<void>;
}

export async function startMarket(): Promise<MarketFixture> {
  const chain = await startTestChain();
  const stateDir = await mkdtemp(join(tmpdir(), "dekuper-cli-"));
  const networkFile = join(stateDir, "network.json");
  const { market: _, ...consumer } = await chain.account(1_000);
  const node = await startTestNode(chain, join(stateDir, "node"));
  await writeFile(networkFile, JSON.stringify(chain.network));
  const account = (key: Hex, address: Hex) => ({ privateKey: key, address });
  await writeFile(
    join(stateDir, "local.json"),
    JSON.stringify({
      startedAt: new Date().toISOString(),
      network: chain.network,
      accounts: {
        deployer: account(consumer.key, consumer.address),
        consumer: account(consumer.key, consumer.address),
      },
      providers: [
        {
          name: "provider-1",
          owner: account(node.ownerKey, node.owner),
          operator: account(node.operatorKey, node.node),
          kubeconfig: "",
          oracleDir: "",
          statusUrl: "",
        },
      ],
      processes: [],
      clusterDirs: [],
    }),
  );
  return {
    chain,
    stateDir,
    networkFile,
    consumer,
    node,
    run: (args, options = {}) => runCommand(args, { ...options, stateDir }),
    stop: async () => {
      await node.stop();
      await chain.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Runs one command line in a process of its own, without colours and without the caller's keys. */
export async function runCommand(
  args: readonly string[],
  options: { stateDir: string; env?: Record<string, string>; cwd?: string },
): Promise<Ran> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("DEKUPER_"));
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: options.cwd ?? options.stateDir,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", DEKUPER_STATE: options.stateDir, ...options.env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr, json: () => JSON.parse(stdout) };
}

async function startTestNode(chain: TestChain, dir: string): Promise<TestNode> {
  await mkdir(dir, { recursive: true });
  const listen = `/ip4/127.0.0.1/tcp/${await freePort()}`;
  const provider = await startTestProvider(chain, aProfile({ multiaddrs: [listen] }));
  const { deployment } = chain.network;
  const blobs = await createBlobStore({ dir: join(dir, "blobs") });
  const logs = createLogStore({ dir: join(dir, "logs") });
  const leases: TestNode["leases"] = new Map();
  const quiet = () => undefined;
  const peer = createPeerNode({
    operatorPrivateKey: provider.operatorKey,
    listen: [listen],
    deployment,
    directory: marketDirectory(await provider.market.nodes()),
    blobStore: blobs,
    logStore: logs,
    readPolicy: {
      consumerOf: (leaseId) => leases.get(leaseId)?.consumer,
      outputOwner: (root) => {
        const found = [...leases].find(([, { ciphertextRoot }]) => ciphertextRoot === root);
        return found === undefined ? undefined : { leaseId: found[0], attempt: 1 };
      },
      verifySignature: async ({ consumer, digest, signature }) =>
        (await recoverAddress({ hash: digest, signature })) === consumer,
    },
    log: { debug: quiet, info: quiet, warn: quiet },
  });
  await peer.start();
  let seq = 0;
  const beat = async () => {
    const head = await provider.market.head();
    const heartbeat: Heartbeat = {
      version: 1,
      chainId: deployment.chainId,
      registry: deployment.nodeRegistry,
      node: provider.node,
      instanceId: "0".repeat(32),
      seq: seq++,
      blockNumber: Number(head.number),
      blockHash: head.hash,
      issuedAt: Date.now(),
      freeGpus: 0,
      leases: 0,
    };
    await peer.publishHeartbeat(heartbeat).catch(quiet);
  };
  const timer = setInterval(() => void beat(), 500);
  return {
    ...provider,
    blobs,
    logs,
    leases,
    stop: async () => {
      clearInterval(timer);
      await peer.stop();
      blobs.close();
    },
  };
}
