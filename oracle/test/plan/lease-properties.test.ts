import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { AttemptStage } from "../../src/cluster/driver.ts";
import type { LeaseFacts } from "../../src/plan/facts.ts";
import { planLease } from "../../src/plan/lease.ts";
import type { LeaseAction, Plan } from "../../src/plan/plan.ts";
import { anyFacts, anyTime } from "./arbitraries.ts";
import type { Facts } from "./builders.ts";

const TRANSACTIONS: ReadonlySet<LeaseAction["kind"]> = new Set([
  "startLease",
  "claimCheckpoint",
  "complete",
  "commit",
  "reveal",
  "tally",
  "fail",
  "expire",
  "settle",
  "lapseClaim",
  "answerWithReceipt",
]);

/** Any facts of one status and one stage: what is rare among all of them. */
const anyAt = (status: LeaseFacts["status"], stage?: AttemptStage): fc.Arbitrary<Facts> =>
  anyFacts.map((facts) => ({
    ...facts,
    lease: { ...facts.lease, status },
    cluster: {
      isReachable: true,
      missingFor: 0,
      pod: stage === undefined ? undefined : { stage, isTerminating: false },
    },
  }));

const actionOf = (plan: Plan) => (plan.kind === "act" ? plan.action : undefined);

/** Checks a promise over any facts at any time, and that enough of them were what it is about. */
function always(
  promise: (facts: Facts, plan: Plan, now: number) => boolean | undefined,
  from: fc.Arbitrary<Facts> = anyFacts,
): void {
  let met = 0;
  fc.assert(
    fc.property(from, anyTime, (facts, now) => {
      const holds = promise(facts, planLease(facts, now), now);
      if (holds === true) met++;
      return holds !== false;
    }),
    { numRuns: 8_000 },
  );
  assert.ok(met > 10, `the promise was put to the test only ${met} times`);
}

/** Undefined where the promise has nothing to say. */
const when = (isAbout: boolean, holds: boolean) => (isAbout ? holds : undefined);

describe("from any facts, the planner", () => {
  it("tears down only on positive evidence: a final end, readable now or journalled", () =>
    always(({ lease, journal }, plan) =>
      when(
        actionOf(plan)?.kind === "tearDown",
        lease.evidence === "readable" && (lease.isFinallyOver || journal.ended),
      ),
    ));

  it("does nothing without evidence but to seal an ended run", () =>
    always(({ lease, cluster }, plan) => {
      if (lease.evidence === "readable") return undefined;
      const kind = actionOf(plan)?.kind;
      if (kind === undefined) return true;
      return kind === "seal" && cluster.isReachable && cluster.pod?.stage === "exited";
    }));

  it("makes no pod once one was seen, or the lease has ended", () =>
    always(({ journal, cluster }, plan) =>
      when(
        journal.podSeen || journal.ended || (cluster.isReachable && cluster.pod !== undefined),
        actionOf(plan)?.kind !== "ensureAttempt",
      ),
    ));

  it("makes a pod only for a confirmed assignment of its own", () =>
    always(
      ({ lease }, plan) =>
        when(
          actionOf(plan)?.kind === "ensureAttempt",
          lease.status === "Assigned" && lease.isMine && lease.isConfirmed && lease.hasKey,
        ),
      fc.oneof(anyFacts, anyAt("Assigned")),
    ));

  it("makes a pod only of what was fetched and checked", () =>
    always(
      ({ material }, plan) => when(actionOf(plan)?.kind === "ensureAttempt", material.kind === "ready"),
      fc.oneof(anyFacts, anyAt("Assigned")),
    ));

  it("gives a run more time only for what is paid", () =>
    always(
      ({ lease, journal }, plan) => {
        const action = actionOf(plan);
        if (action?.kind !== "extendRun") return undefined;
        return action.seconds === lease.maxSeconds && lease.maxSeconds > journal.podSeconds;
      },
      fc.oneof(anyFacts, anyAt("Running", "running")),
    ));

  it("attests only what is sealed, and nothing twice", () =>
    always(({ journal }, plan) =>
      when(actionOf(plan)?.kind === "attest", journal.sealed && !journal.attested),
    ));

  it("completes only with a stored attestation", () =>
    always(({ journal, lease }, plan) =>
      when(
        actionOf(plan)?.kind === "complete",
        journal.attested && (lease.status === "Running" || lease.status === "Stopping"),
      ),
    ));

  it("commits to a stored attestation while it runs, and in a quorum only", () =>
    always(
      ({ journal, lease }, plan) => {
        const kind = actionOf(plan)?.kind;
        if (lease.status === "Running" && kind === "complete") return lease.ballot === undefined;
        if (kind !== "commit") return undefined;
        return journal.attested && lease.status === "Running" && lease.ballot !== undefined;
      },
      fc.oneof(anyFacts, anyAt("Running", "exited")),
    ));

  it("reveals only what it has committed to, once every replica has or is lost, and while it may", () =>
    always(
      ({ journal, lease }, plan, now) => {
        if (actionOf(plan)?.kind !== "reveal") return undefined;
        const { revealUntil = 0 } = lease.ballot ?? {};
        return lease.status === "Committed" && journal.canReveal && revealUntil !== 0 && now <= revealUntil;
      },
      fc.oneof(anyAt("Committed"), anyAt("Committed", "exited")),
    ));

  it("never lets the time to reveal pass, whatever a reorg might take back: not revealing is slashed", () =>
    always(
      ({ journal, lease, node }, plan, now) => {
        const { ballot } = lease;
        if (lease.status !== "Committed" || ballot === undefined || ballot.revealUntil === 0)
          return undefined;
        const mayAct = lease.isMine && lease.evidence === "readable" && !journal.ended && node.mayAct;
        if (!mayAct || !node.maySign || !journal.canReveal || now > ballot.revealUntil) return undefined;
        if (!ballot.isOpenConfirmed && now < ballot.revealUntil - 1) return undefined;
        return actionOf(plan)?.kind === "reveal";
      },
      fc.oneof(anyAt("Committed"), anyAt("Committed", "exited")),
    ));

  it("counts votes only when all are open or their time is over, and once", () =>
    always(
      ({ lease }, plan, now) => {
        if (actionOf(plan)?.kind !== "tally") return undefined;
        const { ballot, outageGrace } = lease;
        if (ballot === undefined || ballot.isTallied) return false;
        return (ballot.allRevealedSince ?? now + 1) <= now || now > ballot.revealUntil + outageGrace;
      },
      fc.oneof(anyAt("Revealed"), anyAt("Committed")),
    ));

  it("hands a replica's key over only for good, and never where no k agree", () =>
    always(
      ({ lease, journal }, plan) => {
        if (actionOf(plan)?.kind !== "giveKey") return undefined;
        const { ballot } = lease;
        if (ballot === undefined || !lease.isFinallyOver || !lease.isMine || journal.keyGiven) return false;
        if (lease.status === "Settled") return ballot.hasWinner || !ballot.isTallied;
        return lease.status === "Completed" || lease.status === "Disputed";
      },
      fc.oneof(anyAt("Completed"), anyAt("Settled")),
    ));

  it("seals once", () =>
    always(
      ({ journal }, plan) => when(actionOf(plan)?.kind === "seal", !journal.sealed),
      fc.oneof(anyFacts, anyAt("Running", "exited")),
    ));

  it("fails nothing whose attestation is stored", () =>
    always(({ journal, lease }, plan) =>
      when(
        journal.attested && (lease.status === "Running" || lease.status === "Stopping"),
        actionOf(plan)?.kind !== "fail",
      ),
    ));

  it("sends and signs nothing while another daemon has the key", () =>
    always(({ node }, plan) => {
      const kind = actionOf(plan)?.kind;
      return when(!node.maySign, kind === undefined || (!TRANSACTIONS.has(kind) && kind !== "attest"));
    }));

  it("does nothing that it may not", () =>
    always(({ node }, plan) => when(!node.mayAct, plan.kind === "wait" && plan.reason === "read-only")));

  it("never fails a lease because the cluster cannot be reached", () =>
    always(({ cluster }, plan) => when(!cluster.isReachable, actionOf(plan)?.kind !== "fail")));

  it("touches no cluster that cannot be reached", () =>
    always(({ cluster }, plan) => {
      const kind = actionOf(plan)?.kind;
      return when(
        !cluster.isReachable,
        kind === undefined ||
          kind === "attest" ||
          kind === "giveKey" ||
          (TRANSACTIONS.has(kind) && kind !== "claimCheckpoint"),
      );
    }));

  it("stops a main container only for a cancel, or after its time", () =>
    always(
      ({ lease }, plan, now) =>
        when(
          actionOf(plan)?.kind === "stopMain",
          lease.status === "Stopping" || now > lease.completeBy - lease.completionGrace,
        ),
      fc.oneof(anyFacts, anyAt("Running", "running")),
    ));

  it("claims with rising steps, no faster than allowed", () =>
    always(
      ({ lease }, plan, now) => {
        const action = actionOf(plan);
        if (action?.kind !== "claimCheckpoint") return undefined;
        return action.step === lease.lastStep + 1 && now >= lease.lastClaimAt + lease.minCheckpointInterval;
      },
      fc.oneof(anyFacts, anyAt("Running", "running")),
    ));

  it("acts by a deadline, and enforces only when everybody may", () =>
    always(({ lease }, plan, now) => {
      const kind = actionOf(plan)?.kind;
      const deadline = lease.status === "Assigned" ? lease.startDeadline : lease.completeBy;
      if (kind === "expire") return now > deadline + lease.outageGrace;
      if (kind === "settle") return now > lease.challengeEndsAt + lease.outageGrace;
      if (kind === "lapseClaim") return now > lease.answerUntil + lease.outageGrace;
      if (kind === "answerWithReceipt") return now <= lease.answerUntil;
      if (kind === "reveal") return now <= (lease.ballot?.revealUntil ?? 0);
      if (kind === undefined || kind === "tally" || !TRANSACTIONS.has(kind)) return undefined;
      return now <= deadline;
    }));

  it("finds nothing left to do only after an end", () =>
    always(({ lease, journal }, plan) =>
      when(plan.kind === "done", journal.ended || (lease.evidence === "readable" && lease.isFinallyOver)),
    ));
});

describe("a wait", () => {
  const sameWait = (a: Plan, b: Plan) => a.kind === "wait" && b.kind === "wait" && a.reason === b.reason;

  it("says when to look again: with the same facts nothing changes before that", () =>
    always((facts, plan, now) => {
      if (plan.kind !== "wait") return undefined;
      const until = plan.lookAgainAt ?? now + 900;
      for (let later = now; later < until; later++)
        if (!sameWait(plan, planLease(facts, later))) return false;
      return true;
    }));

  it("lies ahead", () =>
    always((_, plan, now) =>
      plan.kind === "wait" && plan.lookAgainAt !== undefined ? plan.lookAgainAt > now : undefined,
    ));

  it("has an end wherever the contract sets a deadline to this node", () =>
    always(({ lease, node, journal }, plan) =>
      when(
        plan.kind === "wait" &&
          lease.evidence === "readable" &&
          ["Assigned", "Running", "Stopping", "Completed"].includes(lease.status) &&
          lease.isMine &&
          Number.isFinite(lease.completeBy) &&
          !journal.ended &&
          node.mayAct &&
          node.maySign,
        plan.kind === "wait" && plan.lookAgainAt !== undefined,
      ),
    ));
});
