import { DekuperError, formatAmount } from "@dekuper/protocol";
import type { Address } from "viem";
import type { CreatedTask } from "./chain/task-calls.ts";
import type { ConsumerPeer } from "./consumer-peer.ts";
import type { Market } from "./market.ts";
import { requirePlan, type TaskPlan } from "./plan.ts";
import { notSeeded, type SeedStep, seed } from "./seed.ts";
import { type OrderPath, orderOf, type PreparedTask } from "./task.ts";

/** Nodes that get spec and inputs before the task exists; the one that accepts fetches from them what it lacks. */
export const MAX_SEEDED_NODES = 3;

/** What `submitTask` and `awardTask` report while they work. */
export type SubmitStep =
  | SeedStep
  | { readonly kind: "quoting"; readonly nodes: readonly Address[] }
  | {
      readonly kind: "ordering";
      /** Of all leases together. */
      readonly ratePerHour: bigint;
      readonly reserved: bigint;
    };

export interface SubmittedTask extends CreatedTask {
  readonly path: OrderPath;
  /** Of all leases together. */
  readonly ratePerHour: bigint;
  /** Nodes that hold spec and inputs. */
  readonly seeded: readonly Address[];
}

/**
 * The open path, for one lease: puts spec and inputs on the nodes that fit (up to three, online ones first), then creates
 * the task at a posted rate: a node that accepts finds the data there. Throws the plan's problem, `PEER_UNREACHABLE` when
 * no node took the data, or what the chain says.
 */
export async function submitTask(from: {
  market: Market;
  peer: ConsumerPeer;
  task: PreparedTask;
  plan: TaskPlan;
  onStep?: ((step: SubmitStep) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<SubmittedTask> {
  const { market, task, plan, onStep } = from;
  requireOneLease(task);
  const { ratePerHour, reserved, fitting } = requirePlan(plan);
  await requireFunds(market, reserved);
  const seeded = await seed(from, fitting, MAX_SEEDED_NODES);
  if (seeded.nodes.length === 0) throw notSeeded(seeded);
  onStep?.({ kind: "ordering", ratePerHour, reserved });
  from.signal?.throwIfAborted();
  const head = await market.head();
  const created = await market.createTask(orderOf(task, ratePerHour, head.timestamp, "open"));
  return { ...created, path: "open", ratePerHour, seeded: seeded.nodes };
}

/** Nobody may accept one member of a gang alone: several nodes are awarded together, by their quotes. */
export function requireOneLease({ planOrder: { leases } }: Pick<PreparedTask, "planOrder">): void {
  if (leases === 1) return;
  throw new DekuperError("NO_NODE_FITS", `The open path takes one node; the task asks for ${leases}.`, {
    details: { leases },
    hint: "Several nodes are found by their quotes: submit without --open.",
  });
}

/** Checks before anything is uploaded that the escrow account can cover the reservation. */
export async function requireFunds(market: Market, reserved: bigint): Promise<void> {
  const consumer = market.wallet?.account.address;
  if (consumer === undefined) throw new DekuperError("NOT_ALLOWED", "A wallet is needed to order a task.");
  const [account, token] = await Promise.all([market.account(consumer), market.token()]);
  const needs = reserved + market.relayFee;
  if (account.free >= needs) return;
  const missing = formatAmount(needs - account.free, token);
  const relayed = market.relayFee === 0n ? "" : ` and pays its relay ${formatAmount(market.relayFee, token)}`;
  throw new DekuperError(
    "INSUFFICIENT_FUNDS",
    `The task reserves ${formatAmount(reserved, token)}${relayed}; ${consumer} has ${formatAmount(account.free, token)} free in escrow.`,
    {
      details: { account: consumer, free: account.free, needs, missing: needs - account.free },
      hint: `Run \`dekuper account deposit "${missing}"\`.`,
    },
  );
}
