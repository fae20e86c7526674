import {
  DekuperError,
  type LeaseStatus,
  type Network,
  nodeRegistryAbi,
  type OutputAttestation,
  paymentEscrowAbi,
  taskRegistryAbi,
} from "@dekuper/protocol";
import {
  type Address,
  decodeEventLog,
  getAddress,
  type Hex,
  hexToBigInt,
  hexToNumber,
  type PublicClient,
  type RpcLog,
} from "viem";
import { chainError } from "./errors.ts";
import { blockAtTime, getLogsInRanges } from "./logs.ts";
import { type LeaseFacts, readTask, type TaskSummary } from "./tasks.ts";

/** One thing that happened to a task on chain. */
export interface TimelineEvent {
  /** The contract's event, such as `LeaseStarted`. */
  readonly name: string;
  readonly contract: "TaskRegistry" | "PaymentEscrow" | "NodeRegistry";
  readonly values: Readonly<Record<string, unknown>>;
  /** The lease that it is of, by index; undefined: the whole task. */
  readonly member: number | undefined;
  readonly block: bigint;
  readonly blockHash: Hex;
  /** Unix seconds of its block. */
  readonly time: bigint;
  readonly hash: Hex;
  readonly logIndex: number;
  /** Who sent the transaction, and what all of it used. */
  readonly from: Address;
  readonly gasUsed: bigint;
}

/** The accepted end-of-run claim with the operator's signature; of a quorum's replica, what it has revealed. */
export interface AcceptedAttestation {
  readonly attestation: OutputAttestation;
  readonly signature: Hex;
}

/** What the escrow paid and gave back for a task, or for one of its leases. Base units and seconds. */
export interface Pay {
  readonly gross: bigint;
  readonly fee: bigint;
  /** Gross less fee: what the nodes' owners earned. */
  readonly earned: bigint;
  readonly ranSeconds: bigint;
  /** Seconds of them that are not paid: the node was offline. */
  readonly downSeconds: bigint;
}

/** The money of a whole task. */
export interface TaskMoney extends Pay {
  readonly reserved: bigint;
  readonly billedSeconds: bigint;
  readonly released: bigint;
}

/** One node's turn at a lease. */
export interface AttemptFacts {
  readonly attempt: number;
  readonly node: Address;
  readonly ratePerHour: bigint;
  /** Unix seconds; undefined: it is the lease's present one, or its last. */
  readonly lostAt: bigint | undefined;
}

/** A lease with what the logs say of it. */
export interface LeaseDetail extends LeaseFacts {
  /** All of them, oldest first. */
  readonly attempts: readonly AttemptFacts[];
  readonly attestation: AcceptedAttestation | undefined;
  /** Of all attempts together. */
  readonly pay: Pay;
}

/** A task with everything that the chain says of it. */
export interface TaskDetail extends TaskSummary {
  readonly leases: readonly LeaseDetail[];
  readonly lease: LeaseDetail;
  readonly timeline: readonly TimelineEvent[];
  readonly money: TaskMoney;
}

const abis = {
  TaskRegistry: taskRegistryAbi,
  PaymentEscrow: paymentEscrowAbi,
  NodeRegistry: nodeRegistryAbi,
} as const;

/** Farther back than this many blocks, the task's first block is searched by time instead of scanned for. */
const SCAN_BLOCKS = 10_000n;

/** The events that lead into each status: where none of them is there, the logs' node is behind the block asked for. */
const LEADS_TO: Readonly<Record<LeaseStatus, string | readonly string[]>> = {
  None: "TaskCreated",
  Open: "TaskCreated",
  Assigned: "LeaseAssigned",
  Running: "LeaseStarted",
  Stopping: "LeaseStopping",
  Completed: ["LeaseCompleted", "ReplicaAgreed"],
  Settled: "LeaseSettled",
  Cancelled: "LeaseEnded",
  Failed: "LeaseEnded",
  Expired: "LeaseEnded",
  Committed: "ResultCommitted",
  Revealed: "ResultRevealed",
  Disputed: "UndeliveredClaimed",
};

/** An RPC may answer from nodes of different heights, or amid a block: how often and how far apart it is asked again. */
const CONSISTENT = { tries: 20, pauseMs: 150 } as const;

/** How nodes say that they have not seen the block that they are asked about. */
const BEHIND =
  /header not found|unknown block|block[^.]* not found|could not be found|out ?of ?range|invalid block tag/i;

/** A task by its id or its lease's with its whole timeline: every event that names the task or a lease, with block time and gas. */
export async function readTaskDetail(client: PublicClient, network: Network, id: Hex): Promise<TaskDetail> {
  for (let left = CONSISTENT.tries; left > 0; left--) {
    const detail = await readOnce(client, network, id).catch((error: unknown) => {
      if (!BEHIND.test(String(error instanceof Error && error.cause))) throw error;
      return undefined;
    });
    if (detail?.leases.every((lease) => isLedTo(lease, detail.timeline))) return detail;
    await new Promise((resolve) => setTimeout(resolve, CONSISTENT.pauseMs));
  }
  throw new DekuperError("RPC_UNAVAILABLE", "The RPC's nodes lag behind one another.", { details: { id } });
}

function isLedTo({ status, state, index, attempt }: LeaseFacts, timeline: readonly TimelineEvent[]): boolean {
  const names = [state === "Reopened" ? "LeaseReopened" : LEADS_TO[status]].flat();
  return timeline.some((event) => {
    if (!names.includes(event.name)) return false;
    if (event.name === "TaskCreated") return true;
    return event.member === index && (event.values.attempt ?? attempt) === attempt;
  });
}

async function readOnce(client: PublicClient, network: Network, id: Hex): Promise<TaskDetail> {
  const { deployment } = network;
  try {
    const toBlock = await client.getBlockNumber();
    const summary = await readTask(client, network, id, toBlock);
    const first = BigInt(deployment.deploymentBlock);
    const fromBlock =
      toBlock - first <= SCAN_BLOCKS
        ? first
        : await blockAtTime(client, { from: first, to: toBlock }, summary.task.createdAt);
    // An event names its task or lease in the first, second or third indexed place.
    const leaseIds = summary.leases.map(({ leaseId }) => leaseId);
    const ids = [summary.task.taskId, ...leaseIds];
    const filters = [
      [undefined, ids],
      [undefined, undefined, ids],
      [undefined, undefined, undefined, ids],
    ];
    const address = [deployment.taskRegistry, deployment.paymentEscrow, deployment.nodeRegistry];
    const logs = await getLogsInRanges(client, network, { address, filters, fromBlock, toBlock });
    const timeline = await describe(client, network, logs, leaseIds);
    const leases = summary.leases.map((lease) => leaseDetail(lease, timeline));
    const lease = leases[summary.lease.index] ?? leaseDetail(summary.lease, timeline);
    return { ...summary, leases, lease, timeline, money: moneyIn(timeline) };
  } catch (cause) {
    throw chainError(cause, "read the task's history", network);
  }
}

async function describe(
  client: PublicClient,
  network: Network,
  logs: readonly RpcLog[],
  leaseIds: readonly Hex[],
): Promise<TimelineEvent[]> {
  const hashes = [...new Set(logs.flatMap((log) => log.transactionHash ?? []))];
  const blocks = [...new Set(logs.flatMap((log) => log.blockNumber ?? []))];
  const [receipts, times] = await Promise.all([
    Promise.all(hashes.map(async (hash) => [hash, await client.getTransactionReceipt({ hash })] as const)),
    Promise.all(
      blocks.map(
        async (number) =>
          [number, (await client.getBlock({ blockNumber: hexToBigInt(number) })).timestamp] as const,
      ),
    ),
  ]);
  const receiptOf = new Map(receipts);
  const timeOf = new Map(times);
  return logs.flatMap((log) => {
    const contract = contractOf(network, log.address);
    const receipt = receiptOf.get(log.transactionHash ?? "0x");
    if (contract === undefined || receipt === undefined || log.blockNumber === null) return [];
    const decoded = decode(contract, log);
    if (decoded === undefined) return [];
    return {
      ...decoded,
      contract,
      member: memberIn(log, leaseIds),
      block: hexToBigInt(log.blockNumber),
      blockHash: receipt.blockHash,
      time: timeOf.get(log.blockNumber) ?? 0n,
      hash: receipt.transactionHash,
      logIndex: hexToNumber(log.logIndex ?? "0x0"),
      from: getAddress(receipt.from),
      gasUsed: receipt.gasUsed,
    };
  });
}

function decode(
  contract: keyof typeof abis,
  log: RpcLog,
): { name: string; values: Record<string, unknown> } | undefined {
  try {
    const decoded = decodeEventLog({
      abi: abis[contract],
      data: log.data,
      topics: log.topics as [Hex, ...Hex[]],
    });
    return { name: decoded.eventName, values: decoded.args as unknown as Record<string, unknown> };
  } catch {
    return undefined; // an event of a later version
  }
}

function contractOf(network: Network, address: Address): keyof typeof abis | undefined {
  const { deployment } = network;
  const wanted = address.toLowerCase();
  if (deployment.taskRegistry.toLowerCase() === wanted) return "TaskRegistry";
  if (deployment.paymentEscrow.toLowerCase() === wanted) return "PaymentEscrow";
  return deployment.nodeRegistry.toLowerCase() === wanted ? "NodeRegistry" : undefined;
}

/** The first lease that the event names. */
function memberIn(log: RpcLog, leaseIds: readonly Hex[]): number | undefined {
  const indexes = log.topics.slice(1).map((topic) => leaseIds.indexOf(topic));
  return indexes.find((index) => index >= 0);
}

function leaseDetail(lease: LeaseFacts, timeline: readonly TimelineEvent[]): LeaseDetail {
  const own = timeline.filter(({ member }) => member === lease.index);
  const lost = new Map(
    own.filter(({ name }) => name === "AttemptLost").map(({ values, time }) => [values.attempt, time]),
  );
  const attempts = own
    .filter(({ name }) => name === "LeaseAssigned")
    .map(({ values }) => {
      const { attempt, node, ratePerHour } = values as unknown as Omit<AttemptFacts, "lostAt">;
      return { attempt, node, ratePerHour, lostAt: lost.get(attempt) };
    });
  return { ...lease, attempts, attestation: acceptedIn(own), pay: payIn(own) };
}

function acceptedIn(timeline: readonly TimelineEvent[]): AcceptedAttestation | undefined {
  const completed = timeline.find(({ name }) => name === "LeaseCompleted" || name === "ResultRevealed");
  if (completed === undefined) return undefined;
  const { attestation, signature } = completed.values as unknown as AcceptedAttestation;
  return { attestation, signature };
}

function payIn(timeline: readonly TimelineEvent[]): Pay {
  const of = (key: string) => sumOf(timeline, "Paid", key);
  const [gross, fee] = [of("gross"), of("fee")];
  return { gross, fee, earned: gross - fee, ranSeconds: of("ranSeconds"), downSeconds: of("downSeconds") };
}

function moneyIn(timeline: readonly TimelineEvent[]): TaskMoney {
  const pay = payIn(timeline);
  return {
    reserved: sumOf(timeline, "Reserved", "amount"),
    billedSeconds: pay.ranSeconds - pay.downSeconds,
    ...pay,
    released: sumOf(timeline, "Released", "amount"),
  };
}

function sumOf(timeline: readonly TimelineEvent[], name: string, key: string): bigint {
  return timeline
    .filter((event) => event.name === name)
    .reduce((sum, event) => sum + BigInt((event.values[key] as bigint | undefined) ?? 0n), 0n);
}
