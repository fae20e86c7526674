import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMarket, marketDirectory, walletClientOf } from "@dekuper/client";
import {
  ChunkTree,
  decodeSpec,
  encodeManifest,
  HEARTBEAT_INTERVAL_MS,
  MAX_SPEC_BYTES,
  type OutputAttestation,
  outputAttestationTypes,
  outputDigest,
  saltedDigest,
  type TaskSpec,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { Encrypter } from "age-encryption";
import { type Hex, parseEther, sha256, stringToBytes } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { tar } from "../../client/test/delivery-builder.ts";
import { createBlobStore } from "../../oracle/src/peer/blob-store.ts";
import { createLogStore } from "../../oracle/src/peer/log-store.ts";
import { createPeerNode } from "../../oracle/src/peer/peer-node.ts";
import type { LocalMarket } from "./local-market.ts";

const LINES = ["Started", "step 1", "step 2", "step 3"];
const METRICS = '{"steps":3,"accuracy":0.98}\n';

/** A node with the oracle's real peer and stores, whose cluster is this function: it accepts what comes and "runs" it. */
export async function startSimulatedNode(market: LocalMarket): Promise<{ stop(): Promise<void> }> {
  const { network } = market;
  const { deployment } = network;
  const dir = await mkdtemp(join(tmpdir(), "dekuper-node-"));
  const operatorKey = generatePrivateKey();
  const operator = privateKeyToAccount(operatorKey);
  const wallet = walletClientOf(network, operator);
  const chain = createMarket({ network, walletClient: wallet });
  const directory = marketDirectory();
  const blobStore = await createBlobStore({ dir: join(dir, "blobs") });
  const logStore = createLogStore({ dir: join(dir, "logs") });
  const consumer = privateKeyToAccount(network.burnerKey).address;
  const outputs = new Map<Hex, { leaseId: Hex; attempt: number }>();
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const peer = createPeerNode({
    operatorPrivateKey: operatorKey,
    listen: ["/ip4/127.0.0.1/tcp/0/ws"],
    deployment,
    directory,
    blobStore,
    logStore,
    log: quiet,
    readPolicy: {
      consumerOf: () => consumer,
      outputOwner: (root) => outputs.get(root),
      verifySignature: ({ consumer: address, digest, signature }) =>
        chain.publicClient.verifyHash({ address, hash: digest, signature }),
    },
  });
  await peer.start();
  await market.addNode({ region: "simulated", multiaddrs: peer.multiaddrs }, operatorKey);
  await market.giveGas(operator.address, parseEther("10"));
  directory.set(await chain.nodes());

  const stopped = new AbortController();
  let seq = 0;
  const beat = setInterval(async () => {
    const head = await chain.head().catch(() => undefined);
    if (head === undefined) return;
    await peer
      .publishHeartbeat({
        version: 1,
        chainId: deployment.chainId,
        registry: deployment.nodeRegistry,
        node: operator.address,
        instanceId: "0123456789abcdef0123456789abcdef",
        seq: seq++,
        blockNumber: Number(head.number),
        blockHash: head.hash,
        issuedAt: Date.now(),
        freeGpus: 0,
        leases: 0,
      })
      .catch(() => undefined);
  }, HEARTBEAT_INTERVAL_MS);

  const call = async (
    functionName: "acceptTask" | "startLease" | "completeLease",
    args: readonly unknown[],
  ) => {
    const hash = await wallet.writeContract({
      address: deployment.taskRegistry,
      abi: taskRegistryAbi,
      functionName,
      args: args as never,
      chain: wallet.chain ?? null,
    });
    await chain.publicClient.waitForTransactionReceipt({ hash });
  };

  async function run(taskId: Hex): Promise<void> {
    const { task, lease } = await chain.task(taskId);
    const { leaseId } = lease;
    const bytes = await blobStore.readAll({ kind: "spec", digest: task.specDigest }, MAX_SPEC_BYTES);
    const spec = decodeSpec(bytes, task.specDigest);
    await call("acceptTask", [taskId]);
    await call("startLease", [leaseId, 1]);
    const log: Uint8Array[] = [];
    for (const line of LINES) {
      log.push(stringToBytes(`${line}\n`));
      await logStore.append(leaseId, 1, stringToBytes(`${line}\n`));
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await logStore.end(leaseId, 1);
    const delivery = await deliver(spec, Buffer.concat(log));
    outputs.set(delivery.root, { leaseId, attempt: 1 });
    const writer = await blobStore.create();
    await writer.write(delivery.ciphertext);
    await writer.commit({ kind: "output", digest: delivery.root });
    const { timestamp } = await chain.head();
    const attestation: OutputAttestation = {
      taskId,
      leaseId,
      attempt: 1,
      specDigest: task.specDigest,
      outputDigest: delivery.outputDigest,
      logDigest: delivery.logDigest,
      ciphertextRoot: delivery.root,
      ciphertextSize: BigInt(delivery.ciphertext.length),
      imageDigest: `0x${"1".repeat(64)}`,
      outcome: 0,
      exitCode: 0,
      started: timestamp - 3n,
      ended: timestamp,
      cpuSeconds: 3n,
      gpuSeconds: 0n,
      retainUntil: timestamp + 86_400n,
    };
    await blobStore.retain({ kind: "output", digest: delivery.root }, Number(attestation.retainUntil));
    const signature = await operator.signTypedData({
      domain: taskDomain(deployment.chainId, deployment.taskRegistry),
      types: outputAttestationTypes,
      primaryType: "OutputAttestation",
      message: attestation,
    });
    await call("completeLease", [attestation, signature]);
  }

  const working = (async () => {
    const seen = new Set<Hex>();
    while (!stopped.signal.aborted) {
      for (const { task } of await chain.tasks(consumer)) {
        if (seen.has(task.taskId)) continue;
        seen.add(task.taskId);
        await run(task.taskId);
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  })().catch((error: unknown) => console.error("The simulated node failed.", error));

  return {
    stop: async () => {
      stopped.abort();
      clearInterval(beat);
      await working;
      await peer.stop();
      blobStore.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function deliver(spec: TaskSpec, log: Uint8Array) {
  const metrics = stringToBytes(METRICS);
  const manifest = encodeManifest([{ path: "metrics.json", size: metrics.length, digest: sha256(metrics) }]);
  const plaintext = tar([
    { path: "manifest", bytes: manifest },
    { path: "log", bytes: log },
    { path: "output/metrics.json", bytes: metrics },
  ]);
  const encrypter = new Encrypter();
  encrypter.addRecipient(spec.output.recipient);
  const ciphertext = await encrypter.encrypt(plaintext);
  const tree = new ChunkTree();
  tree.update(ciphertext);
  return {
    ciphertext,
    root: tree.root(),
    outputDigest: outputDigest(spec.salt, manifest),
    logDigest: saltedDigest(spec.salt, log),
  };
}
