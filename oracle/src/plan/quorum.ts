import type { BallotFacts, JournalFacts, LeaseFacts, NodeFacts } from "./facts.ts";
import { act, margin, type Plan, type Seconds, wait } from "./plan.ts";

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

/** It has revealed: the votes are counted once all have, or their time is over. */
export function planTally({ lease, ballot, node, meanwhile }: Facts, now: Seconds): Plan {
  const enforceableAt = ballot.revealUntil + lease.outageGrace + 1;
  const isDue = ballot.isAllRevealed || now >= enforceableAt;
  if (isDue && !ballot.isTallied && node.maySign) return act({ kind: "tally" });
  if (meanwhile !== undefined) return meanwhile;
  if (!isDue) return wait("replicas-reveal", enforceableAt);
  return wait(node.maySign ? "replicas-reveal" : "signing-stopped");
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
