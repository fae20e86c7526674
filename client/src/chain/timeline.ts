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
import { readTask, type TaskSummary } from "./tasks.ts";

/** One thing that happened to a task on chain. */
export interface TimelineEvent {
  /** The contract's event, such as `LeaseStarted`. */
  readonly name: string;
  readonly contract: "TaskRegistry" | "PaymentEscrow" | "NodeRegistry";
  readonly values: Readonly<Record<string, unknown>>;
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

/** The accepted end-of-run claim with the operator's signature. */
export interface AcceptedAttestation {
  readonly attestation: OutputAttestation;
  readonly signature: Hex;
}

/** What the escrow paid and gave back for a task. Base units. */
export interface TaskMoney {
  readonly reserved: bigint;
  readonly billedSeconds: bigint;
  readonly gross: bigint;
  readonly fee: bigint;
  /** Gross less fee: what the node's owner earned. */
  readonly earned: bigint;
  readonly released: bigint;
}

/** A task with everything that the chain says of it. */
export interface TaskDetail extends TaskSummary {
  readonly timeline: readonly TimelineEvent[];
  readonly attestation: AcceptedAttestation | undefined;
  readonly money: TaskMoney;
}

const abis = {
  TaskRegistry: taskRegistryAbi,
  PaymentEscrow: paymentEscrowAbi,
  NodeRegistry: nodeRegistryAbi,
} as const;

/** Farther back than this many blocks, the task's first block is searched by time instead of scanned for. */
const SCAN_BLOCKS = 10_000n;

/** The event that leads into each state: state and logs are of one moment only if it is there. */
const LEADS_TO: Readonly<Record<LeaseStatus, string>> = {
  None: "TaskCreated",
  Open: "TaskCreated",
  Assigned: "LeaseAssigned",
  Running: "LeaseStarted",
  Stopping: "LeaseStopping",
  Completed: "LeaseCompleted",
  Settled: "LeaseSettled",
  Cancelled: "LeaseCancelled",
  Failed: "LeaseFailed",
  Expired: "LeaseExpired",
};

/** An RPC may answer from nodes of different heights, or amid a block: how often and how far apart it is asked again. */
const CONSISTENT = { tries: 20, pauseMs: 150 } as const;

/** A task by its id or its lease's with its whole timeline: every event that names the lease, with block time and gas. */
export async function readTaskDetail(client: PublicClient, network: Network, id: Hex): Promise<TaskDetail> {
  for (let left = CONSISTENT.tries; left > 0; left--) {
    const detail = await readOnce(client, network, id);
    if (detail.timeline.some(({ name }) => name === LEADS_TO[detail.lease.status])) return detail;
    await new Promise((resolve) => setTimeout(resolve, CONSISTENT.pauseMs));
  }
  throw new DekuperError("RPC_UNAVAILABLE", "The RPC's logs lag behind its state.", { details: { id } });
}

async function readOnce(client: PublicClient, network: Network, id: Hex): Promise<TaskDetail> {
  const summary = await readTask(client, network, id);
  const { leaseId } = summary.lease;
  const { deployment } = network;
  try {
    const toBlock = await client.getBlockNumber();
    const first = BigInt(deployment.deploymentBlock);
    const fromBlock =
      toBlock - first <= SCAN_BLOCKS
        ? first
        : await blockAtTime(client, { from: first, to: toBlock }, summary.task.createdAt);
    // An event names its lease in the first, second or third indexed place.
    const filters = [
      [undefined, leaseId],
      [undefined, undefined, leaseId],
      [undefined, undefined, undefined, leaseId],
    ];
    const address = [deployment.taskRegistry, deployment.paymentEscrow, deployment.nodeRegistry];
    const logs = await getLogsInRanges(client, network, { address, filters, fromBlock, toBlock });
    const timeline = await describe(client, network, logs);
    return { ...summary, timeline, attestation: acceptedIn(timeline), money: moneyIn(timeline) };
  } catch (cause) {
    throw chainError(cause, "read the task's history", network);
  }
}

async function describe(
  client: PublicClient,
  network: Network,
  logs: readonly RpcLog[],
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

function acceptedIn(timeline: readonly TimelineEvent[]): AcceptedAttestation | undefined {
  const completed = timeline.find((event) => event.name === "LeaseCompleted");
  return completed?.values as unknown as AcceptedAttestation | undefined;
}

function moneyIn(timeline: readonly TimelineEvent[]): TaskMoney {
  const of = (name: string, key: string) =>
    timeline
      .filter((event) => event.name === name)
      .reduce((sum, event) => sum + BigInt((event.values[key] as bigint | undefined) ?? 0n), 0n);
  const gross = of("Paid", "gross");
  const fee = of("Paid", "fee");
  return {
    reserved: of("Reserved", "amount"),
    billedSeconds: of("Paid", "billedSeconds"),
    gross,
    fee,
    earned: gross - fee,
    released: of("Released", "amount"),
  };
}
