import type { BallotFacts, JournalFacts, LeaseFacts, NodeFacts } from "./facts.ts";
import { act, margin, type Plan, type Seconds, wait } from "./plan.ts";

/** For how long the next replica leaves the counting to one, seconds: its transaction is mined in that time. */
export const TALLY_TURN_SECONDS = 15;

/** A replica's part in its quorum's vote (rule 21): what is needed of the lease to decide its next step. */
interface Facts {
  readonly lease: Pick<LeaseFacts, "outageGrace">;
  readonly ballot: BallotFacts;
  readonly journal: Pick<JournalFacts, "canReveal">;
  readonly node: Pick<NodeFacts, "maySign">;
  /** What is left to do about its pod, which nobody needs any more. */
  readonly meanwhile: Plan | undefined;
}

/** It is bound to a result that nobody knows: it reveals once all are, and in any case before its time is over. */
export function planCommitted(facts: Facts, now: Seconds): Plan {
  const { ballot, journal, node, meanwhile } = facts;
  const { revealUntil, revealWindow } = ballot;
  if (revealUntil === 0) return meanwhile ?? wait("replicas-run");
  if (now > revealUntil || !journal.canReveal) return planTally(facts, now);
  const atLatest = revealUntil - margin(revealWindow);
  if (!ballot.isOpenConfirmed && now < atLatest) return meanwhile ?? wait("confirmations", atLatest);
  return node.maySign ? act({ kind: "reveal" }) : wait("signing-stopped", revealUntil + 1);
}

/**
 * It has revealed: the votes are counted once all have, or their time is over. The replicas do it in turn, so that one of
 * them pays for it and not all: the next one only where those before it have not.
 */
export function planTally({ lease, ballot, node, meanwhile }: Facts, now: Seconds): Plan {
  const enforceableAt = ballot.revealUntil + lease.outageGrace + 1;
  const countableAt = Math.min(ballot.allRevealedSince ?? enforceableAt, enforceableAt);
  const turnAt = countableAt + ballot.turn * TALLY_TURN_SECONDS;
  const isDue = now >= turnAt;
  if (isDue && !ballot.isTallied && node.maySign) return act({ kind: "tally" });
  if (meanwhile !== undefined) return meanwhile;
  if (!isDue) return wait("replicas-reveal", turnAt);
  return wait(node.maySign ? "replicas-reveal" : "signing-stopped");
}

/**
 * A replica's place in the order in which they have the votes counted. `draw` is any number that all of the task's replicas
 * share: it lets another one begin in each task.
 */
export function tallyTurn(index: number, leases: number, draw: number): number {
  return (index + draw) % leases;
}

/**
 * Whether the consumer is to be given the key of this replica's output: it is among those that agree, for good, or was
 * stopped by its consumer and has nobody to agree with. Where no k agree, nobody's is handed over.
 */
export function owesKey(
  lease: Pick<LeaseFacts, "status" | "isMine" | "isFinallyOver" | "ballot">,
  journal: Pick<JournalFacts, "attested" | "keyGiven">,
): boolean {
  const { status, isMine, isFinallyOver, ballot } = lease;
  if (ballot === undefined || !isMine || !isFinallyOver || !journal.attested || journal.keyGiven)
    return false;
  if (status === "Settled") return !ballot.isTallied || ballot.hasWinner;
  return status === "Completed" || status === "Disputed";
}
