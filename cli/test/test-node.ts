import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { marketDirectory } from "@dekuper/client";
import {
  chunkRoot,
  DekuperError,
  decodeSpec,
  type Heartbeat,
  MAX_SPEC_BYTES,
  type OutputAttestation,
  outcomes,
  type Receipt,
  receiptDigest,
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
type Leases = Map<
  Hex,
  { readonly consumer: Address; readonly attempt?: number; readonly ciphertextRoot?: Hex }
>;

/** What a run leaves behind. */
export interface TestRun {
  readonly files: Readonly<Record<string, string>>;
  readonly log: string;
  readonly outcome?: (typeof outcomes)[number];
  readonly exitCode?: number;
}

/** A node with the oracle's own peer, blobs and logs; what its cluster would do is told by the test. */
export interface TestNode extends TestProvider {
  /** Starts a lease, by its own id or its task's; accepts it where it is open. Its log begins with this text. */
  begin(id: Hex, log: string): Promise<void>;
  /** Ends a lease that was begun: seals its result as an oracle does and attests it on chain. */
  finish(id: Hex, run: TestRun): Promise<OutputAttestation>;
  /** What consumers have signed that they have. */
  readonly receipts: readonly Receipt[];
  stop(): Promise<void>;
}

export async function startTestNode(chain: TestChain, dir: string): Promise<TestNode> {
  await mkdir(dir, { recursive: true });
  const listen = `/ip4/127.0.0.1/tcp/${await freePort()}`;
  const provider = await startTestProvider(chain, aProfile({ multiaddrs: [listen] }));
  const blobs = await createBlobStore({ dir: join(dir, "blobs") });
  const logs = createLogStore({ dir: join(dir, "logs") });
  const leases: Leases = new Map();
  const receipts: Receipt[] = [];
  const peer = await startPeer(chain, provider, listen, blobs, logs, leases, receipts);
  const beats = sendHeartbeats(chain, provider, peer);
  return {
    ...provider,
    receipts,
    begin: async (id, log) => {
      const { task, lease } = await provider.market.task(id);
      leases.set(lease.leaseId, { consumer: task.consumer });
      if (lease.state === "Open") await provider.accept(task.taskId);
      if (lease.state === "Reopened") await provider.takeOver(lease.leaseId);
      const { attempt } = (await provider.market.task(lease.leaseId)).lease;
      await logs.append(lease.leaseId, attempt, stringToBytes(log));
      await provider.start(lease.leaseId, attempt);
    },
    finish: async (id, { files, log, outcome = "Success", exitCode = 0 }) => {
      const { task, lease } = await provider.market.task(id);
      const { attempt } = lease;
      const bytes = await blobs.readAll({ kind: "spec", digest: task.specDigest }, MAX_SPEC_BYTES);
      const spec = decodeSpec(bytes, task.specDigest);
      const delivery = aDelivery(files, log, spec.salt);
      const ciphertext = await sealed(delivery.parts, spec.output.recipient);
      const ciphertextRoot = chunkRoot(ciphertext);
      const writer = await blobs.create();
      await writer.write(ciphertext);
      await writer.commit({ kind: "output", digest: ciphertextRoot });
      leases.set(lease.leaseId, { consumer: task.consumer, attempt, ciphertextRoot });
      await logs.replace(lease.leaseId, attempt, stringToBytes(log));
      await logs.end(lease.leaseId, attempt);
      return provider.complete({
        taskId: task.taskId,
        leaseId: lease.leaseId,
        specDigest: task.specDigest,
        attempt,
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
  receipts: Receipt[],
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
        return found === undefined ? undefined : { leaseId: found[0], attempt: found[1].attempt ?? 1 };
      },
      verifySignature: async ({ consumer, digest, signature }) =>
        (await recoverAddress({ hash: digest, signature })) === consumer,
    },
    quotes: { quote: (request) => provider.quote(request) },
    claims: {
      takeReceipt: async (receipt) => {
        const hash = receiptDigest(chain.network.deployment, receipt);
        const signer = await recoverAddress({ hash, signature: receipt.signature });
        if (signer !== leases.get(receipt.leaseId)?.consumer)
          throw new DekuperError("NOT_ALLOWED", "The receipt's signature is not the consumer's.");
        receipts.push(receipt);
      },
      chunk: () => Promise.reject(new DekuperError("READ_DENIED", "This node serves no chunks.")),
      verdict: () => undefined,
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
