import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { marketDirectory } from "@dekuper/client";
import {
  chunkRoot,
  decodeSpec,
  type Heartbeat,
  MAX_SPEC_BYTES,
  type OutputAttestation,
  outcomes,
} from "@dekuper/protocol";
import { type Address, type Hex, recoverAddress, stringToBytes } from "viem";
import { freePort, type TestChain } from "../../client/test/chain.ts";
import { aDelivery, sealed } from "../../client/test/delivery-builder.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { createBlobStore } from "../../oracle/src/peer/blob-store.ts";
import { createLogStore } from "../../oracle/src/peer/log-store.ts";
import type { BlobStore, LogStore } from "../../oracle/src/peer/peer.ts";
import { createPeerNode } from "../../oracle/src/peer/peer-node.ts";

/** Who may read which lease's logs and output. */
type Leases = Map<Hex, { readonly consumer: Address; readonly ciphertextRoot?: Hex }>;

/** What a run leaves behind. */
export interface TestRun {
  readonly files: Readonly<Record<string, string>>;
  readonly log: string;
  readonly outcome?: (typeof outcomes)[number];
  readonly exitCode?: number;
}

/** A node with the oracle's own peer, blobs and logs; what its cluster would do is told by the test. */
export interface TestNode extends TestProvider {
  /** Accepts and starts a task; its log begins with this text. */
  begin(taskId: Hex, log: string): Promise<void>;
  /** Ends a task that was begun: seals its result as an oracle does and attests it on chain. */
  finish(taskId: Hex, run: TestRun): Promise<OutputAttestation>;
  stop(): Promise<void>;
}

export async function startTestNode(chain: TestChain, dir: string): Promise<TestNode> {
  await mkdir(dir, { recursive: true });
  const listen = `/ip4/127.0.0.1/tcp/${await freePort()}`;
  const provider = await startTestProvider(chain, aProfile({ multiaddrs: [listen] }));
  const blobs = await createBlobStore({ dir: join(dir, "blobs") });
  const logs = createLogStore({ dir: join(dir, "logs") });
  const leases: Leases = new Map();
  const peer = await startPeer(chain, provider, listen, blobs, logs, leases);
  const beats = sendHeartbeats(chain, provider, peer);
  return {
    ...provider,
    begin: async (taskId, log) => {
      const { task, lease } = await provider.market.task(taskId);
      leases.set(lease.leaseId, { consumer: task.consumer });
      await provider.accept(taskId);
      await logs.append(lease.leaseId, 1, stringToBytes(log));
      await provider.start(lease.leaseId);
    },
    finish: async (taskId, { files, log, outcome = "Success", exitCode = 0 }) => {
      const { task, lease } = await provider.market.task(taskId);
      const bytes = await blobs.readAll({ kind: "spec", digest: task.specDigest }, MAX_SPEC_BYTES);
      const spec = decodeSpec(bytes, task.specDigest);
      const delivery = aDelivery(files, log, spec.salt);
      const ciphertext = await sealed(delivery.parts, spec.output.recipient);
      const ciphertextRoot = chunkRoot(ciphertext);
      const writer = await blobs.create();
      await writer.write(ciphertext);
      await writer.commit({ kind: "output", digest: ciphertextRoot });
      leases.set(lease.leaseId, { consumer: task.consumer, ciphertextRoot });
      await logs.replace(lease.leaseId, 1, stringToBytes(log));
      await logs.end(lease.leaseId, 1);
      return provider.complete({
        taskId: task.taskId,
        leaseId: lease.leaseId,
        specDigest: task.specDigest,
        ...delivery.attestation,
        ciphertextRoot,
        ciphertextSize: BigInt(ciphertext.length),
        started: lease.startedAt,
        outcome: outcomes.indexOf(outcome),
        exitCode,
      });
    },
    stop: async () => {
      beats.stop();
      await peer.stop();
      blobs.close();
    },
  };
}

type StartedPeer = ReturnType<typeof createPeerNode>;

async function startPeer(
  chain: TestChain,
  provider: TestProvider,
  listen: string,
  blobStore: BlobStore,
  logStore: LogStore,
  leases: Leases,
): Promise<StartedPeer> {
  const quiet = () => undefined;
  const peer = createPeerNode({
    operatorPrivateKey: provider.operatorKey,
    listen: [listen],
    deployment: chain.network.deployment,
    directory: marketDirectory(await provider.market.nodes()),
    blobStore,
    logStore,
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
  return peer;
}

function sendHeartbeats(chain: TestChain, provider: TestProvider, peer: StartedPeer): { stop(): void } {
  const { deployment } = chain.network;
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
    await peer.publishHeartbeat(heartbeat);
  };
  // Nobody may be listening, and the chain may be gone when the test ends.
  const timer = setInterval(() => void beat().catch(() => undefined), 300);
  return { stop: () => clearInterval(timer) };
}
