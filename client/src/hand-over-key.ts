import { DekuperError } from "@dekuper/protocol";
import { type Address, getAddress, type Hex } from "viem";
import type { MarketNode } from "./chain/nodes.ts";
import type { SentTransaction } from "./chain/send.ts";
import type { KeyWrap } from "./chain/task-calls.ts";
import type { LeaseDetail, TaskDetail } from "./chain/timeline.ts";
import { type KeyHolder, keyGrantsIn, keyHolders } from "./key-holders.ts";
import type { OutputKey } from "./keys.ts";
import type { LeaseState } from "./lease-state.ts";
import type { Market } from "./market.ts";
import { taskKeyIn, wrapTaskKey } from "./task-key.ts";

/** The contract takes no more wraps at once. */
const MAX_WRAPS = 128;

export interface HandOverOrder {
  readonly market: Market;
  /** That the task was ordered with: another finds no key of it. */
  readonly key: Pick<OutputKey, "identity">;
  /** Of the task, or of one of its leases. */
  readonly id: Hex;
  readonly nodes: readonly Address[];
  /** Also to nodes that were handed it for their present encryption key: one may say on chain that its wrap does not open. */
  readonly again?: boolean | undefined;
}

/** Who would be handed a task's key, and who has it already, for the encryption key that the node has now. */
export interface HandOverPlan {
  readonly taskId: Hex;
  readonly wraps: readonly KeyWrap[];
  readonly already: readonly KeyHolder[];
}

/** What was done. `sent` is undefined where every node had the key already. */
export interface HandedOver {
  readonly taskId: Hex;
  readonly handed: readonly Pick<KeyWrap, "node" | "keyVersion">[];
  readonly already: readonly KeyHolder[];
  readonly sent: SentTransaction | undefined;
}

/**
 * Hands a private task's key to further nodes, each wrapped for its current encryption key, in one transaction (rule 11): so that they
 * can take a lease over. They get spec and inputs from nodes that have them. `confirm` is asked last, before anything is sent.
 * Throws what `planHandOver` and the chain do.
 */
export async function handOverKey(
  order: HandOverOrder & { readonly confirm?: ((plan: HandOverPlan) => Promise<void>) | undefined },
): Promise<HandedOver> {
  const plan = await planHandOver(order);
  const { taskId, wraps, already } = plan;
  if (wraps.length === 0) return { taskId, handed: [], already, sent: undefined };
  await order.confirm?.(plan);
  const sent = await order.market.grantKeys(taskId, wraps);
  return { taskId, handed: wraps.map(({ node, keyVersion }) => ({ node, keyVersion })), already, sent };
}

/**
 * What `handOverKey` would send, all of it checked before anybody signs. Throws `USAGE` for no or too many nodes, `NOT_ALLOWED` to all
 * but the consumer, `NOT_FOUND` for a task or node that is none, `WRONG_STATE` where a key would be of no use or come too late,
 * `READ_DENIED` where the task was ordered with another output key, `KEY_WRAP_INVALID` for a node without a usable encryption key.
 */
export async function planHandOver(order: HandOverOrder): Promise<HandOverPlan> {
  const { market, key, id, nodes, again = false } = order;
  const wanted = [...new Set(nodes.map((node) => getAddress(node)))];
  if (wanted.length === 0 || wanted.length > MAX_WRAPS)
    throw new DekuperError("USAGE", `nodes: got ${wanted.length}, expected 1 to ${MAX_WRAPS}.`, {
      details: { got: wanted.length, most: MAX_WRAPS },
    });
  const consumer = market.wallet?.account.address;
  if (consumer === undefined)
    throw new DekuperError("NOT_ALLOWED", "A wallet is needed to hand a task's key over.");
  const detail = await market.taskDetail(id);
  const { task, timeline } = detail;
  const { taskId } = task;
  if (getAddress(task.consumer) !== getAddress(consumer))
    throw new DekuperError(
      "NOT_ALLOWED",
      `Task ${taskId} is ${task.consumer}'s: only its consumer hands its key over, not ${consumer}.`,
      { details: { taskId, consumer: task.consumer, account: consumer } },
    );
  const useless = handOverHindrance(detail);
  if (useless !== undefined)
    throw new DekuperError("WRONG_STATE", `Task ${taskId}: ${useless}.`, {
      details: { taskId, state: detail.state },
    });

  const [{ timestamp }, owners, ...found] = await Promise.all([
    market.head(),
    ownersThatLost(market, detail),
    ...wanted.map((node) => market.node(node)),
  ]);
  const grants = keyGrantsIn(timeline);
  const already = again ? [] : keyHolders(grants, found).filter(({ isCurrent }) => isCurrent);
  const missing = found.filter(({ address }) => !already.some(({ node }) => node === getAddress(address)));
  for (const node of missing) {
    const problem = problemOf(node, detail, owners, timestamp);
    if (problem !== undefined)
      throw new DekuperError("WRONG_STATE", `Node ${node.address}: ${problem}.`, {
        details: { taskId, node: node.address, status: node.status },
      });
  }
  const { key: taskKey, specBlob } = taskKeyIn(grants, key, taskId);
  const wraps = await Promise.all(missing.map((node) => wrapTaskKey(taskKey, specBlob, consumer, node)));
  return { taskId, wraps, already };
}

/** The state of a lease that a node has or may have yet. */
const RUNNABLE: readonly LeaseState[] = [
  "Open",
  "Reopened",
  "AwaitingKey",
  "Assigned",
  "Waiting",
  "Interrupted",
  "Running",
];

/** Why nobody has a use for the task's key; undefined: further nodes may be handed it. */
export function handOverHindrance({ task, leases, ballot, state }: TaskDetail): string | undefined {
  if (!task.isPrivate) return "it is public, and needs no key: any node reads its spec and inputs";
  if (!leases.some((lease) => RUNNABLE.includes(lease.state)))
    return `it is ${state}: no node runs anything more of it`;
  if (ballot !== undefined) return "it is a quorum's, and nobody takes a replica over";
  return undefined;
}

/** By lease: its owners that have lost it, who never have it again (rule 17). */
async function ownersThatLost(
  market: Pick<Market, "node">,
  { leases }: Pick<TaskDetail, "leases">,
): Promise<ReadonlyMap<Hex, ReadonlySet<Address>>> {
  const entries = leases.map(async ({ leaseId, attempts }) => {
    const lost = attempts.filter(({ lostAt }) => lostAt !== undefined);
    const owners = await Promise.all(lost.map(async ({ node }) => (await market.node(node)).owner));
    return [leaseId, new Set(owners)] as const;
  });
  return new Map(await Promise.all(entries));
}

/** Why this node is handed no key: the chain refuses it, or the node could do nothing with it but read. */
function problemOf(
  node: MarketNode,
  { task, leases }: Pick<TaskDetail, "task" | "leases">,
  lostBy: ReadonlyMap<Hex, ReadonlySet<Address>>,
  now: bigint,
): string | undefined {
  if (node.status === "Retired") return "it is retired, and takes no lease any more";
  const own = leases.filter((lease) => lease.node === node.address && RUNNABLE.includes(lease.state));
  const late = own.find((lease) => lease.state === "AwaitingKey" && now > lease.deadline);
  if (late !== undefined)
    return `its lease waited for the key until ${late.deadline}, and the chain's clock is ${now}: it comes too late`;
  if (own.length > 0) return undefined;
  const open = leases.filter((lease) => mayGoOn(lease, task.maxAttempts, now));
  if (open.length === 0)
    return `no lease of the task goes to another node, after ${task.maxAttempts} attempts`;
  const isExcluded = open.every(({ leaseId }) => lostBy.get(leaseId)?.has(node.owner) === true);
  return isExcluded ? `its owner ${node.owner} has lost the lease, and never has it again` : undefined;
}

/** Whether another node may come to have the lease. */
function mayGoOn(lease: LeaseDetail, maxAttempts: number, now: bigint): boolean {
  if (!RUNNABLE.includes(lease.state)) return false;
  if (lease.state === "Open" || lease.state === "Reopened") return now <= lease.deadline;
  return lease.attempt < maxAttempts;
}
