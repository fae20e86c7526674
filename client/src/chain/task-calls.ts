import {
  DekuperError,
  leaseId as leaseIdOf,
  type Order,
  paymentEscrowAbi,
  type SignedQuote,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, type Hex, parseEventLogs } from "viem";
import { type MineReceipt, plain, type Sender, type SentTransaction, send } from "./send.ts";

/** A created task. */
export interface CreatedTask extends SentTransaction {
  readonly taskId: Hex;
  /** Of the first lease. */
  readonly leaseId: Hex;
  /** By index. */
  readonly leaseIds: readonly Hex[];
  readonly reserved: bigint;
}

/** A task's key, encrypted to the current encryption key of a node (`KeyWrap` of the contracts). */
export interface KeyWrap {
  readonly node: Address;
  readonly keyVersion: number;
  readonly wrap: Hex;
}

const registryOf = (sender: Sender) =>
  ({ address: sender.network.deployment.taskRegistry, abi: taskRegistryAbi }) as const;

/** Orders one lease at a posted rate, and reserves for what is funded. */
export async function createTask(sender: Sender, order: Order): Promise<CreatedTask> {
  const call = { ...registryOf(sender), functionName: "createTask", args: [order] } as const;
  return createdIn(await send(sender, "create the task", call));
}

/** Orders and assigns every lease of the order in one transaction, or nothing: a quote for each, in order of index. */
export async function createAndAward(
  sender: Sender,
  order: Order,
  quotes: readonly SignedQuote[],
  wraps: readonly KeyWrap[],
): Promise<CreatedTask> {
  const call = {
    ...registryOf(sender),
    functionName: "createAndAward",
    args: [order, quotes.map(({ quote }) => quote), quotes.map(({ signature }) => signature), wraps],
  } as const;
  return createdIn(await send(sender, "award the task", call));
}

function createdIn(sent: MineReceipt): CreatedTask {
  const { logs } = sent.receipt;
  const [created] = parseEventLogs({ abi: taskRegistryAbi, logs, eventName: "TaskCreated" });
  const [reserved] = parseEventLogs({ abi: paymentEscrowAbi, logs, eventName: "Reserved" });
  const { taskId, order } = created?.args ?? {};
  if (taskId === undefined || order === undefined || reserved === undefined) {
    throw new DekuperError("INTERNAL", `No task was created in ${sent.hash}.`);
  }
  const leaseIds = Array.from({ length: order.leases }, (_, index) => leaseIdOf(taskId, index));
  return { ...plain(sent), taskId, leaseId: leaseIdOf(taskId, 0), leaseIds, reserved: reserved.args.amount };
}

export async function cancelTask(sender: Sender, taskId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "cancelTask", args: [taskId] } as const;
  return plain(await send(sender, "cancel the task", call));
}

/** Funds every lease that is not over for so many seconds in all, up to the order's longest run. Sent twice, it reserves once. */
export async function topUp(
  sender: Sender,
  taskId: Hex,
  fundedSeconds: number,
): Promise<SentTransaction & { readonly reserved: bigint; readonly fundedSeconds: number }> {
  const call = { ...registryOf(sender), functionName: "topUp", args: [taskId, fundedSeconds] } as const;
  const sent = await send(sender, "top the task up", call);
  const [added] = parseEventLogs({
    abi: taskRegistryAbi,
    logs: sent.receipt.logs,
    eventName: "TaskToppedUp",
  });
  if (added === undefined) throw new DekuperError("INTERNAL", `No TaskToppedUp event in ${sent.hash}.`);
  return { ...plain(sent), reserved: added.args.amount, fundedSeconds: added.args.fundedSeconds };
}

/** Hands nodes the task's key, each wrapped for its current encryption key. */
export async function grantKeys(
  sender: Sender,
  taskId: Hex,
  wraps: readonly KeyWrap[],
): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "grantKeys", args: [taskId, wraps] } as const;
  return plain(await send(sender, "hand over the task's key", call));
}

/** The consumer is content: settles at once. */
export async function approve(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "approve", args: [leaseId] } as const;
  return plain(await send(sender, "approve the lease", call));
}

/** Pays a completed lease once its window is over. Anyone may. */
export async function settle(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "settle", args: [leaseId] } as const;
  return plain(await send(sender, "settle the lease", call));
}

/** Says that a result cannot be fetched: puts a bond at risk and freezes the lease until the claim is answered or lapses. */
export async function claimUndelivered(
  sender: Sender,
  leaseId: Hex,
): Promise<SentTransaction & { readonly bond: bigint; readonly answerUntil: bigint }> {
  const call = { ...registryOf(sender), functionName: "claimUndelivered", args: [leaseId] } as const;
  const sent = await send(sender, "claim that the output was not delivered", call);
  const { logs } = sent.receipt;
  const [claimed] = parseEventLogs({ abi: taskRegistryAbi, logs, eventName: "UndeliveredClaimed" });
  if (claimed === undefined)
    throw new DekuperError("INTERNAL", `No UndeliveredClaimed event in ${sent.hash}.`);
  return { ...plain(sent), bond: claimed.args.bond, answerUntil: claimed.args.answerUntil };
}

/** Ends a delivery claim that nobody has answered in time, as if it had never been raised. Anyone may. */
export async function lapseClaim(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "lapseClaim", args: [leaseId] } as const;
  return plain(await send(sender, "lapse the claim", call));
}

/** Counts the votes of a quorum, once all have revealed or their time is over. Anyone may. */
export async function tallyResults(sender: Sender, taskId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "tallyResults", args: [taskId] } as const;
  return plain(await send(sender, "count the votes", call));
}

/** Enforces whichever deadline has passed. Anyone may. */
export async function expire(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "expire", args: [leaseId] } as const;
  return plain(await send(sender, "expire the lease", call));
}

/** Takes a lease from a node that is revoked, or offline for longer than the order allows. Anyone may. */
export async function failover(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "failover", args: [leaseId] } as const;
  return plain(await send(sender, "take the lease from its node", call));
}
