import { DekuperError } from "@dekuper/protocol";
import type { BallotFacts, GangFacts, LeaseFacts, TaskFacts } from "./chain/tasks.ts";
import { ranWithin, runsSince } from "./gang-clock.ts";

/**
 * Where a lease stands for its consumer: the contract's status, told apart where one status means several things.
 * `Reopened`: lost by a node and open to others. `AwaitingKey`: assigned, without the task's key. `Waiting`: started, while
 * others of its gang have not. `Committed`, `Revealed`: a replica of a quorum. `Disputed`: its delivery is. `Interrupted`: its gang lost a member and waits for another node.
 */
export const leaseStates = [
  "Open",
  "Reopened",
  "AwaitingKey",
  "Assigned",
  "Waiting",
  "Interrupted",
  "Running",
  "Stopping",
  "Completed",
  "Settled",
  "Cancelled",
  "Failed",
  "Expired",
  "Committed",
  "Revealed",
  "Disputed",
] as const;
export type LeaseState = (typeof leaseStates)[number];

/** Until when who may do what, and what anyone may do once it has passed. Unix seconds, chain time. */
export interface LeaseDeadline {
  readonly what:
    | "accept"
    | "take-over"
    | "grant"
    | "start"
    | "report"
    | "last-claim"
    | "reveal"
    | "approve"
    | "answer";
  readonly at: bigint;
  /** From then on anyone may enforce it, by this call. */
  readonly enforceableAt: bigint;
  readonly enforce: "expire" | "tally" | "settle" | "lapse-claim";
}

type Stated = Pick<LeaseFacts, "status" | "attempt" | "hasKey">;

/** What a lease of the chain amounts to; `gang` where the task has several leases. */
export function leaseStateOf(lease: Stated, gang: GangFacts | undefined): LeaseState {
  switch (lease.status) {
    case "None":
      throw new DekuperError("INTERNAL", "A task has a lease that the chain does not know.");
    case "Open":
      return lease.attempt === 0 ? "Open" : "Reopened";
    case "Assigned":
      return lease.hasKey ? "Assigned" : "AwaitingKey";
    case "Running":
      if (gang === undefined || runsSince(gang) !== 0n) return "Running";
      return gang.firstFrom === 0n ? "Waiting" : "Interrupted";
    default:
      return lease.status;
  }
}

/** Of the live states, the one that says most about a task comes first. */
const TELLING: readonly LeaseState[] = [
  "Reopened",
  "Stopping",
  "AwaitingKey",
  "Assigned",
  "Open",
  "Waiting",
  "Interrupted",
  "Running",
  "Committed",
  "Revealed",
  "Disputed",
];
/** A task whose leases are all over is what the best of them is: it ran if one of them did. */
const OVER: readonly LeaseState[] = ["Completed", "Settled", "Failed", "Expired", "Cancelled"];

/** A task's state out of its leases': what it waits for, while one of them is live; how it ended otherwise. */
export function taskStateOf(leases: readonly { readonly state: LeaseState }[]): LeaseState {
  const found = [...TELLING, ...OVER].find((state) => leases.some((lease) => lease.state === state));
  if (found === undefined) throw new DekuperError("INTERNAL", "A task has no leases.");
  return found;
}

/** Whether the task's money and node are still bound to the lease: the other states are final. */
export function isLive(state: LeaseState): boolean {
  return state === "Completed" || TELLING.includes(state);
}

/** Whether a node may do nothing more for the lease. */
export function isOver(state: LeaseState): boolean {
  return OVER.includes(state);
}

/** The call by which anyone enforces a deadline, where it is not `expire`. */
const ENFORCED_BY: Partial<Record<LeaseDeadline["what"], LeaseDeadline["enforce"]>> = {
  approve: "settle",
  reveal: "tally",
  answer: "lapse-claim",
};

/** The deadline of the present state; none where the lease waits for others of its gang or quorum, or is over. */
export function leaseDeadlineOf(
  task: Pick<TaskFacts, "terms">,
  lease: Pick<LeaseFacts, "state" | "deadline" | "startedAt" | "maxSeconds" | "claim">,
  gang: GangFacts | undefined,
  ballot?: Pick<BallotFacts, "revealUntil"> | undefined,
): LeaseDeadline | undefined {
  const { outageGrace, completionGrace } = task.terms;
  const by = (what: LeaseDeadline["what"], at: bigint): LeaseDeadline => ({
    what,
    at,
    enforceableAt: at + BigInt(outageGrace),
    enforce: ENFORCED_BY[what] ?? "expire",
  });
  switch (lease.state) {
    case "Open":
      return by("accept", lease.deadline);
    case "Reopened":
      return by("take-over", lease.deadline);
    case "AwaitingKey":
      return by("grant", lease.deadline);
    case "Assigned":
      return by("start", lease.deadline);
    case "Running": {
      const grace = BigInt(completionGrace);
      const left = BigInt(lease.maxSeconds);
      if (gang === undefined) return by("report", lease.startedAt + left + grace);
      const from = runsSince(gang);
      const used = ranWithin(gang, lease.startedAt, from);
      return by("report", larger(from, lease.startedAt) + left - used + grace);
    }
    case "Stopping":
      return by("last-claim", lease.deadline);
    case "Committed":
    case "Revealed":
      return ballot === undefined || ballot.revealUntil === 0n ? undefined : by("reveal", ballot.revealUntil);
    case "Completed":
      return by("approve", lease.deadline);
    case "Disputed":
      return lease.claim && by("answer", lease.claim.answerUntil);
    default:
      return undefined;
  }
}

/**
 * Seconds that are billed of a lease's present run at chain time `now`, downtime apart: since it started, or those that its
 * gang's common clock has run since (rule 13); never more than it may bill.
 */
export function ranSeconds(
  lease: Pick<LeaseFacts, "startedAt" | "maxSeconds">,
  gang: GangFacts | undefined,
  now: bigint,
): bigint {
  const most = BigInt(lease.maxSeconds);
  if (lease.startedAt === 0n) return 0n;
  const ran = gang === undefined ? now - lease.startedAt : ranWithin(gang, lease.startedAt, now);
  return ran < 0n ? 0n : ran < most ? ran : most;
}

const larger = (one: bigint, other: bigint) => (one > other ? one : other);
