import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { walletClientOf } from "@dekuper/client";
import {
  encodeSpec,
  type LivenessReport,
  leaseId as leaseIdOf,
  leaseStatuses,
  livenessAbi,
  reportInput,
  reportTypedData,
  specDigest,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { type Address, createPublicClient, getAddress, type Hex, http } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { DEPLOYER, freePort, startTestChain } from "../../../client/test/chain.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import { systemClock } from "../../src/chain/clock.ts";
import { ChainReader } from "../../src/chain/reader.ts";
import { oracleConfigSchema } from "../../src/config/schema.ts";
import { Secret } from "../../src/config/secret.ts";
import { sendHeartbeats } from "../../src/daemon/heartbeats.ts";
import { NodeMap } from "../../src/daemon/node-map.ts";
import { type OracleHandle, runOracle } from "../../src/daemon/oracle.ts";
import { encryptKeystore, LIGHT_SCRYPT, writeKeystore } from "../../src/keystore/keystore.ts";
import { createBlobStore } from "../../src/peer/blob-store.ts";
import { createLogStore } from "../../src/peer/log-store.ts";
import type { PeerNode } from "../../src/peer/peer.ts";
import { createPeerNode } from "../../src/peer/peer-node.ts";
import { MemoryCluster } from "../chain/memory-cluster.ts";
import { RpcServer } from "../chain/rpc-server.ts";
import { orderOf, streamOf } from "../daemon/builders.ts";
import { aTaskSpec } from "../task-spec.ts";
import { Wires } from "./wires.ts";

const PASSWORD = "test";
const SEAT_STAKE = 100_000_000n;
const RATE = 36_000_000n;
/** Seconds for which a report is pending. */
export const GRACE = 15;

/** One node of the test's network: a whole daemon on a wire and an RPC of its own. */
export interface Member {
  readonly name: string;
  readonly provider: TestProvider;
  readonly node: Address;
  readonly cluster: MemoryCluster;
  readonly rpc: RpcServer;
  readonly oracle: OracleHandle;
  /** Its events, newest last. */
  readonly events: string[];
}

/** A seat whose holder does what it likes: it sends heartbeats, and agrees to everything without signing it. */
export interface Liar {
  readonly provider: TestProvider;
  readonly node: Address;
  readonly peer: PeerNode;
}

/** A market of whole daemons that all hold seats, and of one liar, on a real chain and real connections. */
export async function startCommittee(undo: (() => unknown)[], count: number) {
  const chain = await startTestChain();
  undo.push(() => chain.stop());
  const dir = await mkdtemp(join(tmpdir(), "dekuper-committee-"));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  const wires = new Wires();
  undo.push(() => wires.stop());
  const { deployment } = chain.network;
  const client = createPublicClient({ transport: http(chain.rpcUrl), cacheTime: 0, pollingInterval: 200 });
  const after = { after: (step: () => unknown) => void undo.push(step) } as {
    after(step: () => unknown): void;
  };

  const read = { address: deployment.liveness, abi: livenessAbi } as const;

  const consumer = await chain.account(10_000);
  await consumer.market.deposit(5_000_000_000n);
  const recipient = await identityToRecipient(await generateX25519Identity());
  const spec = aTaskSpec({ output: { maxBytes: 1_000, recipient } }, { maxDuration: 7_200 });

  // Time enough to answer a report on a machine that is busy.
  const governor = walletClientOf(chain.network, privateKeyToAccount(DEPLOYER));
  const rules = await client.readContract({ ...read, functionName: "parameters" });
  const changed = await governor.writeContract({
    ...read,
    chain: governor.chain,
    functionName: "setParameters",
    args: [{ ...rules, reportGrace: GRACE }],
  });
  assert.equal((await client.waitForTransactionReceipt({ hash: changed })).status, "success");

  /** Registers a node that listens on loopback, and bids for a seat with it. */
  const join_ = async () => {
    const port = await freePort();
    const listen = `/ip4/127.0.0.1/tcp/${port}`;
    const provider = await startTestProvider(chain, aProfile({ multiaddrs: [listen] }));
    const wallet = walletClientOf(chain.network, privateKeyToAccount(provider.ownerKey));
    const hash = await wallet.writeContract({
      chain: wallet.chain,
      address: deployment.liveness,
      abi: livenessAbi,
      functionName: "bid",
      args: [provider.node, SEAT_STAKE],
    });
    const { status } = await client.waitForTransactionReceipt({ hash });
    assert.equal(status, "success");
    return { provider, port, listen };
  };

  const startMember = async (name: string, joined: Awaited<ReturnType<typeof join_>>): Promise<Member> => {
    const { provider, port, listen } = joined;
    const stateDir = join(dir, name);
    const blobs = await createBlobStore({ dir: join(stateDir, "blobs") });
    const bytes = encodeSpec(spec);
    const from = { owner: "host:10.0.0.1", offset: 0, bytes: streamOf(bytes) };
    await blobs.put({ kind: "spec", digest: specDigest(spec) }, bytes.length, from);
    blobs.close();
    const keystore = join(stateDir, "key.json");
    const secret = new Secret(provider.operatorKey);
    await writeKeystore(keystore, await encryptKeystore(secret, new Secret(PASSWORD), LIGHT_SCRYPT));
    const rpc = await RpcServer.start(after, {}, chain.rpcUrl);
    const cluster = new MemoryCluster([spec.image]);
    const config = oracleConfigSchema.parse({
      network: chain.network,
      rpcUrls: [rpc.url],
      stateDir,
      keystore,
      password: PASSWORD,
      helperImage: `localhost/helper@sha256:${"aa".repeat(32)}`,
      listen: [listen],
      httpPort: 0,
      pollInterval: 1_000,
      claimInterval: 3_600,
      maxLeases: 1,
    });
    const events: string[] = [];
    const note = (fields: object, event: string) =>
      events.push(`${event} ${JSON.stringify(fields, bigints)}`);
    const log = { debug: () => undefined, info: note, warn: note, error: note };
    const oracle = await wires.run(name, () => runOracle({ config, driver: cluster, log }));
    wires.listens(name, port);
    undo.push(() => oracle.stop());
    return { name, provider, node: getAddress(provider.node), cluster, rpc, oracle, events };
  };

  const startLiar = async (joined: Awaited<ReturnType<typeof join_>>): Promise<Liar> => {
    const { provider, port, listen } = joined;
    const account = privateKeyToAccount(provider.operatorKey);
    const reader = new ChainReader({
      deployment,
      rpcUrls: [chain.rpcUrl],
      finality: { kind: "depth", depth: 3 },
      minConfirmations: 1,
      clock: systemClock,
    });
    await reader.look();
    const nodes = new NodeMap(reader, deployment);
    await nodes.refresh();
    const blobStore = await createBlobStore({ dir: join(dir, "liar", "blobs") });
    undo.push(() => blobStore.close());
    const silent = () => undefined;
    const peer = wires.run("liar", () =>
      createPeerNode({
        operatorPrivateKey: provider.operatorKey,
        listen: [listen],
        deployment,
        directory: nodes,
        blobStore,
        logStore: createLogStore({ dir: join(dir, "liar", "logs") }),
        readPolicy: { consumerOf: silent, outputOwner: silent, verifySignature: async () => false },
        reports: {
          answer: async (report) => {
            const other = { ...report, issuedAt: report.issuedAt + 1 };
            const { chainId, liveness } = deployment;
            const signature = await account.signTypedData(reportTypedData(chainId, liveness, other));
            return { offline: report.offline, online: report.online, signature };
          },
        },
        log: { debug: silent, info: silent, warn: silent },
      }),
    );
    await wires.run("liar", () => peer.start());
    wires.listens("liar", port);
    undo.push(() => peer.stop());
    const ended = new AbortController();
    undo.push(keepSeat(account));
    const beats = sendHeartbeats({
      peer,
      reader,
      deployment,
      node: account.address,
      instanceId: "ee".repeat(16),
      load: () => ({ freeGpus: 0, leases: 0 }),
      maySign: () => true,
      clock: systemClock,
      log: { debug: silent, info: silent, warn: silent, error: silent },
      signal: ended.signal,
    });
    undo.push(async () => {
      ended.abort();
      await beats;
    });
    return { provider, node: account.address, peer };
  };

  /** Signs of its seat in every epoch, so that it is not vacated. */
  const keepSeat = (account: PrivateKeyAccount) => {
    const wallet = walletClientOf(chain.network, account);
    const { chain: viemChain } = wallet;
    const show = { ...read, chain: viemChain, functionName: "checkIn" } as const;
    const timer = setInterval(() => void wallet.writeContract(show).catch(() => undefined), 15_000);
    return () => clearInterval(timer);
  };

  const joined = [];
  for (let index = 0; index <= count; index++) joined.push(await join_());
  const members: Member[] = [];
  for (const [index, entry] of joined.slice(1).entries())
    members.push(await startMember(`node-${index + 1}`, entry));
  const liar = await startLiar(joined[0] as (typeof joined)[number]);
  await chain.control.setAutomine(false);
  await chain.control.setIntervalMining({ interval: 1 });

  const lease = async (leaseId: Hex) => {
    const at = { address: deployment.taskRegistry, abi: taskRegistryAbi, functionName: "getLease" } as const;
    const found = await client.readContract({ ...at, args: [leaseId] });
    return { ...found, status: leaseStatuses[found.status] ?? "None" };
  };
  const committee = async () => {
    const [epoch, version, , seats] = await client.readContract({ ...read, functionName: "committee" });
    return { epoch: Number(epoch), committeeVersion: version, seats };
  };
  const offlineSince = async (node: Address) =>
    Number(await client.readContract({ ...read, functionName: "offlineSince", args: [node] }));
  const offlineSeconds = async (node: Address) =>
    Number(await client.readContract({ ...read, functionName: "offlineSecondsOf", args: [node] }));
  /** What has happened to a node, by the names of the events. */
  const historyOf = async (node: Address) => {
    const logs = await client.getContractEvents({ ...read, fromBlock: 0n });
    return logs
      .filter(({ eventName, args }) => /^Offline/.test(eventName) && "node" in args && args.node === node)
      .map(({ eventName }) => eventName);
  };

  const order = async (change: { failoverAfter: number; maxAttempts: number }) => {
    const { timestamp } = await consumer.market.head();
    const ordered = orderOf(spec, { openUntil: timestamp + 3_000n, ratePerHour: RATE, ...change });
    const { taskId } = await consumer.market.createTask(ordered);
    return leaseIdOf(taskId, 0);
  };

  /** Waits until it is so; the network moves by itself. */
  const until = async (what: string, isSo: () => boolean | Promise<boolean>, seconds = 90) => {
    const giveUp = Date.now() + seconds * 1000;
    while (!(await isSo())) {
      const last = members.map(({ name, events: all }) => `${name}: ${all.slice(-4).join(" | ")}`);
      assert.ok(Date.now() < giveUp, `it has not come to this: ${what}\n${last.join("\n")}`);
      await sleep(250);
    }
  };

  /** A report that these sign, right or wrong, sent by the liar's owner. */
  const send = async (
    report: Pick<LivenessReport, "offline" | "online">,
    signers: readonly TestProvider[],
  ) => {
    const { epoch, committeeVersion } = await committee();
    const { timestamp } = await client.getBlock();
    const whole = { epoch, committeeVersion, issuedAt: Number(timestamp), ...report };
    const signed = await Promise.all(
      signers.map(async ({ operatorKey, node }) => ({
        node: node.toLowerCase(),
        signature: await privateKeyToAccount(operatorKey).signTypedData(
          reportTypedData(deployment.chainId, deployment.liveness, whole),
        ),
      })),
    );
    const ascending = signed.sort((a, b) => (a.node < b.node ? -1 : 1)).map(({ signature }) => signature);
    const wallet = walletClientOf(chain.network, privateKeyToAccount(liar.provider.ownerKey));
    const args = [reportInput(whole), ascending] as const;
    await client.simulateContract({ ...read, functionName: "report", args, account: wallet.account });
    const hash = await wallet.writeContract({ ...read, chain: wallet.chain, functionName: "report", args });
    return client.waitForTransactionReceipt({ hash });
  };

  /** Of its network, and of the chain if that is said. */
  const cut = (member: Member, { chain: alsoChain }: { chain: boolean }) => {
    wires.cut(member.name);
    if (alsoChain) member.rpc.mood = "down";
  };
  const mend = (member: Member) => {
    wires.mend(member.name);
    member.rpc.mood = "answers";
  };
  const transactionsOf = (node: Address) => client.getTransactionCount({ address: node });

  return {
    chain,
    client,
    consumer,
    deployment,
    members,
    liar,
    wires,
    lease,
    committee,
    offlineSince,
    offlineSeconds,
    historyOf,
    order,
    until,
    send,
    cut,
    mend,
    transactionsOf,
  };
}

export type CommitteeNetwork = Awaited<ReturnType<typeof startCommittee>>;

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
