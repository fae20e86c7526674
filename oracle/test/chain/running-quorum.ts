import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  encodeSpec,
  leaseId as leaseIdOf,
  leaseStatuses,
  nodeRegistryAbi,
  type Order,
  paymentEscrowAbi,
  type SignedQuote,
  specDigest,
  type TaskSpec,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { createPublicClient, encodeFunctionData, getAddress, type Hex, http } from "viem";
import { freePort, type TestChain } from "../../../client/test/chain.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import { type OracleConfigInput, oracleConfigSchema } from "../../src/config/schema.ts";
import { Secret } from "../../src/config/secret.ts";
import { type OracleHandle, runOracle } from "../../src/daemon/oracle.ts";
import { encryptKeystore, LIGHT_SCRYPT, writeKeystore } from "../../src/keystore/keystore.ts";
import { createBlobStore } from "../../src/peer/blob-store.ts";
import { orderOf, streamOf } from "../daemon/builders.ts";
import { aTaskSpec } from "../task-spec.ts";
import { MemoryCluster } from "./memory-cluster.ts";

const PASSWORD = "test";
/** Blocks until a block is final, and until anything is made of it. */
const FINALITY = 4;
const CONFIRMATIONS = 2;

/** A provider whose daemon quotes for quorums, with a cluster in memory that outlives the daemon. */
export interface Replica {
  readonly provider: TestProvider;
  readonly cluster: MemoryCluster;
  readonly config: OracleConfigInput;
  readonly events: string[];
  /** Throws in here end the step, as a crash would. */
  onStep: (step: string) => void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Where the daemon is asked how it stands, while it runs. */
  statusUrl(): string | undefined;
}

/** Nodes of different owners, each with a whole daemon, on a real chain. */
export async function startReplicas(t: TestContext, chain: TestChain, count = 3) {
  const consumer = await chain.account(10_000);
  await consumer.market.deposit(5_000_000_000n);
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const spec = aTaskSpec(
    { output: { maxBytes: 1_000_000, recipient }, verification: "quorum" },
    { maxDuration: 600 },
  );
  const { deployment } = chain.network;
  const client = createPublicClient({ transport: http(chain.rpcUrl, { retryCount: 0 }) });
  const replicas: Replica[] = [];
  for (let index = 0; index < count; index++) replicas.push(await startReplica(t, chain, spec));

  const at = { address: deployment.taskRegistry, abi: taskRegistryAbi } as const;
  const lease = (leaseId: Hex) => client.readContract({ ...at, functionName: "getLease", args: [leaseId] });
  const status = async (leaseId: Hex) => leaseStatuses[(await lease(leaseId)).status] ?? "None";
  /** What a node has used for everything that it sent. */
  const gasOf = async (node: Hex) => {
    let used = 0n;
    const head = await client.getBlockNumber({ cacheTime: 0 });
    for (let number = 0n; number <= head; number++) {
      const receipts = (await client.request({
        method: "eth_getBlockReceipts" as never,
        params: [`0x${number.toString(16)}`] as never,
      })) as { from: Hex; gasUsed: Hex }[];
      for (const { from, gasUsed } of receipts)
        if (from.toLowerCase() === node.toLowerCase()) used += BigInt(gasUsed);
    }
    return used;
  };
  /** Who has sent `tallyResults` for a task, once for each transaction, reverted ones too. */
  const talliesOf = async (taskId: Hex) => {
    const input = encodeFunctionData({ abi: taskRegistryAbi, functionName: "tallyResults", args: [taskId] });
    const head = await client.getBlockNumber({ cacheTime: 0 });
    const senders: Hex[] = [];
    for (let blockNumber = 0n; blockNumber <= head; blockNumber++) {
      const { transactions } = await client.getBlock({ blockNumber, includeTransactions: true });
      senders.push(
        ...transactions.filter((sent) => sent.input === input).map(({ from }) => getAddress(from)),
      );
    }
    return senders;
  };
  const ballot = (taskId: Hex) => client.readContract({ ...at, functionName: "getBallot", args: [taskId] });
  const earned = ({ provider }: Replica) =>
    client.readContract({
      address: deployment.paymentEscrow,
      abi: paymentEscrowAbi,
      functionName: "earningsOf",
      args: [provider.owner],
    });
  const stake = async ({ provider }: Replica) => {
    const registry = { address: deployment.nodeRegistry, abi: nodeRegistryAbi } as const;
    const [staked, locked] = await client.readContract({
      ...registry,
      functionName: "stakeOf",
      args: [provider.node],
    });
    return { staked, locked };
  };
  /** Awards a replica to each node, on quotes that its operator signs. */
  const award = async (threshold: number, change: Partial<Order> = {}) => {
    const { timestamp } = await consumer.market.head();
    const order = orderOf(spec, {
      openUntil: timestamp + 3_000n,
      ratePerHour: 36_000_000n,
      leases: replicas.length,
      threshold,
      verification: 1,
      ...change,
    });
    const quotes: SignedQuote[] = [];
    for (const [index, { provider }] of replicas.entries()) {
      const envelope = { image: spec.image, inputBytes: 0 };
      const request = { version: 1 as const, order, consumer: consumer.address, members: [index], envelope };
      const answer = await provider.quote(request);
      assert.ok("quotes" in answer, "the node quotes");
      quotes.push(...answer.quotes);
    }
    const { taskId } = await consumer.market.createAndAward(order, quotes, []);
    return { taskId, leases: replicas.map((_, index) => leaseIdOf(taskId, index)) };
  };
  const mine = (blocks = 1) => chain.control.mine({ blocks });
  const pass = async (seconds: number) => {
    await chain.control.increaseTime({ seconds });
    await mine();
  };
  /** Every daemon that runs has seen the head: however slow this machine is, no window passes before they look. */
  const followed = async () => {
    const head = Number(await client.getBlockNumber({ cacheTime: 0 }));
    for (const { statusUrl } of replicas)
      for (let tries = 0; tries < 400; tries++) {
        const url = statusUrl();
        const answer = url === undefined ? undefined : await fetch(url).catch(() => undefined);
        if (answer === undefined) break; // it was stopped
        const { readBlock = 0 } = (await answer.json()) as { readBlock?: number };
        if (readBlock >= head) break;
        await sleep(50);
      }
  };
  /** The chain goes on by a block and a second at a time until it is so. */
  const until = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await isSo()); tries++) {
      const last = replicas.map(({ events }) => events.slice(-6).join(", ")).join(" | ");
      assert.ok(tries < 300, `it has not come to this: ${what}; last events: ${last}`);
      await pass(1);
      await followed();
      await sleep(100);
    }
  };
  const untilStatus = (leases: readonly Hex[], ...wanted: string[]) =>
    until(wanted.join(", "), async () => {
      const found = await Promise.all(leases.map(status));
      return found.every((one, index) => one === (wanted[index] ?? wanted[0]));
    });
  return {
    replicas,
    consumer,
    identity,
    spec,
    client,
    lease,
    status,
    gasOf,
    talliesOf,
    ballot,
    earned,
    stake,
    award,
    mine,
    pass,
    until,
    untilStatus,
  };
}

async function startReplica(t: TestContext, chain: TestChain, spec: TaskSpec): Promise<Replica> {
  const address = `/ip4/127.0.0.1/tcp/${await freePort()}/ws`;
  const provider = await startTestProvider(chain, aProfile({ multiaddrs: [address] }));
  const dir = await mkdtemp(join(tmpdir(), "dekuper-replica-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const stateDir = join(dir, "state");
  const bytes = encodeSpec(spec);
  const blobs = await createBlobStore({ dir: join(stateDir, "blobs") });
  await blobs.put({ kind: "spec", digest: specDigest(spec) }, bytes.length, {
    owner: "host:10.0.0.1",
    offset: 0,
    bytes: streamOf(bytes),
  });
  blobs.close();
  const keystore = join(dir, "key.json");
  const secret = new Secret(provider.operatorKey);
  await writeKeystore(keystore, await encryptKeystore(secret, new Secret(PASSWORD), LIGHT_SCRYPT));
  const config: OracleConfigInput = {
    network: chain.network,
    rpcUrls: [chain.rpcUrl],
    stateDir,
    keystore,
    password: PASSWORD,
    helperImage: `localhost/helper@sha256:${"aa".repeat(32)}`,
    listen: [address],
    httpPort: 0,
    finality: FINALITY,
    minConfirmations: CONFIRMATIONS,
    pollInterval: 50,
    claimInterval: 60,
    allowQuorum: true,
    imageHosts: ["ghcr.io"],
  };
  const events: string[] = [];
  const note = (fields: object, event: string) => {
    const { action, call, reason, error } = fields as Record<string, unknown>;
    events.push(
      [event, action, call, reason, (error as { message?: string })?.message]
        .filter((part) => part !== undefined)
        .join(" "),
    );
  };
  const cluster = new MemoryCluster([spec.image]);
  let oracle: OracleHandle | undefined;
  const replica: Replica = {
    provider,
    cluster,
    config,
    events,
    onStep: () => undefined,
    start: async () => {
      oracle = await runOracle({
        config: oracleConfigSchema.parse(config),
        driver: cluster,
        log: { debug: () => undefined, info: note, warn: note, error: note },
        onStep: (step) => replica.onStep(step),
      });
    },
    stop: async () => {
      const running = oracle;
      oracle = undefined;
      await running?.stop();
    },
    statusUrl: () => oracle && `${oracle.url}/status`,
  };
  await replica.start();
  t.after(() => replica.stop());
  return replica;
}
