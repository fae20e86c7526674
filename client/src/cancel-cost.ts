import { gross } from "@dekuper/protocol";
import type { LeaseFacts, TaskFacts, TaskSummary } from "./chain/tasks.ts";
import { ranSeconds } from "./lease-state.ts";

/** What a cancel at one moment comes to. Base units and seconds. */
export interface CancelCost {
  /** At most: downtime, which is not known before the end, takes from it. */
  readonly pays: bigint;
  /** Of what is reserved for the leases that it ends. */
  readonly returns: bigint;
  /** Leases whose clock it stops, and the most that one of them is billed. */
  readonly running: number;
  readonly seconds: bigint;
}

/**
 * What it costs to cancel a task at chain time `now` (rule 18): nothing before the start, the run so far and at least
 * `minBilled` after it. A gang's members bill their common clock, and nothing before it has started. Undefined: there is
 * nothing left to cancel.
 */
export function cancelCost(
  summary: Pick<TaskSummary, "leases" | "gang"> & { readonly task: Pick<TaskFacts, "terms"> },
  now: bigint,
): CancelCost | undefined {
  const { task, gang, leases } = summary;
  // A replica's sealed result binds the others to theirs.
  if (gang?.isOver || leases.some(({ status }) => status === "Committed")) return undefined;
  const ended = leases.filter(({ status }) => CANCELLABLE.has(status));
  if (ended.length === 0) return undefined;
  const bills = ended.map((lease) => {
    if (lease.status !== "Running" || gang?.firstFrom === 0n) return { lease, seconds: 0n };
    const least = BigInt(Math.min(task.terms.minBilled, lease.maxSeconds));
    const ran = ranSeconds(lease, gang, now);
    return { lease, seconds: ran > least ? ran : least };
  });
  const pays = sum(bills.map(({ lease, seconds }) => gross(lease.ratePerHour, seconds)));
  return {
    pays,
    returns: sum(ended.map(({ reserved }) => reserved)) - pays,
    running: bills.filter(({ seconds }) => seconds > 0n).length,
    seconds: bills.reduce((most, { seconds }) => (seconds > most ? seconds : most), 0n),
  };
}

const CANCELLABLE: ReadonlySet<LeaseFacts["status"]> = new Set(["Open", "Assigned", "Running"]);
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
