import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createMarket,
  type LeaseFacts,
  marketDirectory,
  type NodeProfile,
  type TaskFacts,
  walletClientOf,
} from "@dekuper/client";
import {
  DekuperError,
  HEARTBEAT_INTERVAL_MS,
  nodeEncryptionKey,
  type OutputAttestation,
  outcomes,
  outputAttestationTypes,
  type QuoteAnswer,
  type QuoteRequest,
  type Receipt,
  receiptDigest,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, type Hex, parseEther, stringToHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { quoteSource } from "../../client/test/quote-source.ts";
import { MaterialStore } from "../../oracle/src/daemon/material.ts";
import { createBlobStore } from "../../oracle/src/peer/blob-store.ts";
import { createLogStore } from "../../oracle/src/peer/log-store.ts";
import { createPeerNode } from "../../oracle/src/peer/peer-node.ts";
import { type LocalMarket, NODE_RATES } from "./local-market.ts";
import { freePort } from "./processes.ts";
import { SimulatedKeys } from "./simulated-keys.ts";
import { deliveryOf, runSpec } from "./simulated-run.ts";

const POLL_MS = 300;
/** An estimate of one block may be too little in the next: seconds that are zero now are not then. */
const CALL_GAS = 1_000_000n;
const MAX_INPUT_BYTES = 16 * 1024 * 1024;

export interface SimulatedNode {
  readonly address: Address;
  /** Where everything that it keeps rests. */
  readonly dir: string;
  /** What its consumer has signed for, by lease. */
  readonly receipts: ReadonlyMap<string, Receipt>;
  /** The peer goes away without a word, as in a power cut, and comes back with the same key and port. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Gives a lease up that it runs, as if its container had gone. */
  lose(leaseId: Hex): void;
  stop(): Promise<void>;
}

export interface SimulatedNodeOptions {
  readonly profile?: Partial<NodeProfile>;
  /** Whether it takes tasks on the open path [true]. What it has quoted for and is given, it runs in any case. */
  readonly accepts?: boolean;
  /** Says why it does not quote; undefined: it quotes, at what it posts. */
  readonly refuses?: (request: QuoteRequest) => Extract<QuoteAnswer, { refused: unknown }> | undefined;
}

/** A node with the oracle's real peer and stores, whose cluster is child processes: it runs tasks of the burner account. */
export async function startSimulatedNode(
  market: LocalMarket,
  { profile = {}, accepts = true, refuses }: SimulatedNodeOptions = {},
): Promise<SimulatedNode> {
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
  const port = await freePort();
  const receipts = new Map<string, Receipt>();
  const takeReceipt = async (receipt: Receipt) => {
    const { signature, ...signed } = receipt;
    const hash = receiptDigest(deployment, signed);
    if (!(await chain.publicClient.verifyHash({ address: consumer, hash, signature: signature as Hex })))
      throw new DekuperError("NOT_ALLOWED", "Another than the consumer has signed the receipt.");
    receipts.set(receipt.leaseId, receipt);
  };
  const chunk = () => Promise.reject(new DekuperError("READ_DENIED", "Nothing is disputed."));
  const quote = quoteSource({
    network,
    operator,
    now: async () => (await chain.head()).timestamp,
    perVCpuHour: (profile.posted ?? NODE_RATES).perVCpuHour,
  });
  const keys = new SimulatedKeys(operatorKey, operator.address, chain.publicClient, deployment.taskRegistry);
  const taskOf = new Map<Hex, Hex>();
  const newPeer = () =>
    createPeerNode({
      operatorPrivateKey: operatorKey,
      listen: [`/ip4/127.0.0.1/tcp/${port}/ws`],
      deployment,
      directory,
      blobStore,
      logStore,
      claims: { takeReceipt, chunk, verdict: () => undefined },
      quotes: { quote: async (request) => refuses?.(request) ?? quote(request) },
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
      readPolicy: {
        consumerOf: () => consumer,
        outputOwner: (root) => outputs.get(root),
        isKeyHolder: (node, salt) => keys.isHolder(node, salt),
        isSealedFor: (leaseId, _, salt) => keys.hasSalt(taskOf.get(leaseId) ?? "0x", salt),
        verifySignature: ({ consumer: address, digest, signature }) =>
          chain.publicClient.verifyHash({ address, hash: digest, signature }),
      },
    });
  let peer = newPeer();
  await peer.start();
  const material = new MaterialStore(
    blobStore,
    { fetchBlob: (...wanted) => peer.fetchBlob(...wanted) },
    MAX_INPUT_BYTES,
    { check: async () => ({ kind: "fit" }) },
    keys.keys,
  );
  await market.addNode(
    {
      region: "simulated",
      encryptionKey: nodeEncryptionKey(operatorKey),
      ...profile,
      multiaddrs: peer.multiaddrs,
    },
    operatorKey,
  );
  await market.giveGas(operator.address, parseEther("10"));

  let seq = 0;
  const publish = async () => {
    const [head, nodes] = await Promise.all([chain.head(), chain.nodes()]);
    directory.set(nodes);
    await peer.publishHeartbeat({
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
    });
  };
  // A beat that fails is missed, as a daemon's would be.
  const beat = setInterval(() => void publish().catch(() => undefined), HEARTBEAT_INTERVAL_MS);

  let sent: Promise<unknown> = Promise.resolve();
  /** One transaction at a time: they share the operator's nonce. */
  const call = (
    functionName: "acceptTask" | "startLease" | "failLease" | "completeLease",
    args: readonly unknown[],
  ) => {
    const next = sent.then(async () => {
      const hash = await wallet.writeContract({
        address: deployment.taskRegistry,
        abi: taskRegistryAbi,
        functionName,
        args: args as never,
        chain: wallet.chain ?? null,
        gas: CALL_GAS,
      });
      const { status } = await chain.publicClient.waitForTransactionReceipt({ hash });
      if (status === "reverted") throw new Error(`${functionName} reverted`);
    });
    sent = next.catch(() => undefined);
    return next;
  };

  const runs = new Map<Hex, AbortController>();
  async function run(task: TaskFacts, { leaseId, index, attempt }: LeaseFacts): Promise<void> {
    const { taskId, specDigest, consumer, isPrivate } = task;
    const data = { taskId, consumer, order: { isPrivate, specDigest } };
    taskOf.set(leaseId, taskId);
    await keys.read();
    await material.recover(data, "all", stopped.signal);
    const spec = await material.spec(data);
    await call("startLease", [leaseId, attempt]);
    const started = (await chain.head()).timestamp;
    const cancelled = new AbortController();
    const lost = new AbortController();
    runs.set(leaseId, lost);
    const look = async () => {
      const now = (await chain.task(taskId)).leases[index];
      if (stopped.signal.aborted || now?.status === "Stopping") cancelled.abort();
    };
    const watch = setInterval(() => void look().catch(() => undefined), POLL_MS);
    const end = await runSpec(spec, {
      input: (digest) => material.input(data, spec, digest),
      onLog: (bytes) => logStore.append(leaseId, attempt, bytes),
      cancelled: AbortSignal.any([cancelled.signal, lost.signal]),
    }).finally(() => clearInterval(watch));
    if (lost.signal.aborted) {
      await call("failLease", [leaseId, attempt, stringToHex("PodGone", { size: 32 })]);
      return;
    }
    await logStore.end(leaseId, attempt);
    const delivery = await deliveryOf(spec, end);
    outputs.set(delivery.root, { leaseId, attempt });
    const writer = await blobStore.create();
    await writer.write(delivery.ciphertext);
    await writer.commit({ kind: "output", digest: delivery.root });
    const ended = (await chain.head()).timestamp;
    const attestation: OutputAttestation = {
      taskId,
      leaseId,
      attempt,
      specDigest,
      outputDigest: delivery.outputDigest,
      logDigest: delivery.logDigest,
      ciphertextRoot: delivery.root,
      ciphertextSize: BigInt(delivery.ciphertext.length),
      imageDigest: `0x${"1".repeat(64)}`,
      outcome: outcomes.indexOf(end.outcome),
      exitCode: end.exitCode,
      started,
      ended,
      cpuSeconds: ended - started,
      gpuSeconds: 0n,
      retainUntil: ended + 8n * 86_400n,
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

  const stopped = new AbortController();
  const running: Promise<void>[] = [];
  const done = new Set<string>();
  /** Once for each key; what fails is shown, as a daemon would log it. */
  const once = (key: string, work: () => Promise<void>) => {
    if (done.has(key)) return;
    done.add(key);
    running.push(work().catch((error) => console.error(`The simulated node failed: ${key}.`, error)));
  };
  const working = (async () => {
    while (!stopped.signal.aborted) {
      for (const { task, lease: first, leases } of await chain.tasks(consumer)) {
        if (accepts && first.state === "Open" && leases.length === 1)
          once(`accept ${task.taskId}`, async () => call("acceptTask", [task.taskId]));
        for (const lease of leases)
          if (lease.node === operator.address && lease.state === "Assigned")
            once(`run ${lease.leaseId} ${lease.attempt}`, () => run(task, lease));
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  })().catch((error: unknown) => console.error("The simulated node failed.", error));

  return {
    address: operator.address,
    dir,
    receipts,
    goAway: () => peer.stop(),
    lose: (leaseId) => runs.get(leaseId)?.abort(),
    comeBack: async () => {
      peer = newPeer();
      await peer.start();
    },
    stop: async () => {
      stopped.abort();
      clearInterval(beat);
      await working;
      await Promise.all(running);
      await peer.stop();
      blobStore.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
