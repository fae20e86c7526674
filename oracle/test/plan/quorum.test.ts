import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BallotFacts } from "../../src/plan/facts.ts";
import { planLease } from "../../src/plan/lease.ts";
import type { LeaseAction, WaitReason } from "../../src/plan/plan.ts";
import { tallyTurn } from "../../src/plan/quorum.ts";
import { aJournal, aNode, aPod, type Facts, facts, noPod, running, T0 } from "./builders.ts";

/** All have committed; to be revealed until T0 + 140, in a window of 40 seconds; 30 s of grace for outages. */
const aBallot = (change: Partial<BallotFacts> = {}): BallotFacts => ({
  revealUntil: T0 + 140,
  isOpenConfirmed: true,
  revealWindow: 40,
  allRevealedSince: undefined,
  turn: 0,
  isTallied: false,
  hasWinner: false,
  ...change,
});
const stillRunning = aBallot({ revealUntil: 0, isOpenConfirmed: false });
const attested = aJournal({ podSeen: true, sealed: true, attested: true });
const committed = aJournal({ ...attested, signed: true, canReveal: true, released: true });
const silenced = aNode({ maySign: false });

function replica(status: "Committed" | "Revealed", ballot: BallotFacts, change: Partial<Facts> = {}) {
  return { lease: running({ status, ballot }), cluster: noPod(99), journal: committed, ...change };
}
function acts(given: Partial<Facts>, action: LeaseAction, now = T0 + 110): void {
  assert.deepEqual(planLease(facts(given), now), { kind: "act", action });
}
function waits(given: Partial<Facts>, reason: WaitReason, lookAgainAt?: number, now = T0 + 110): void {
  assert.deepEqual(planLease(facts(given), now), { kind: "wait", reason, lookAgainAt });
}

describe("a quorum's replica that runs", () => {
  const lease = running({ ballot: stillRunning });

  it("commits to its result where another would complete", () => {
    acts({ lease, journal: attested }, { kind: "commit" });
    acts({ lease: running(), journal: attested }, { kind: "complete" });
    waits({ lease, journal: attested, node: silenced }, "signing-stopped", T0 + 671);
  });

  it("completes where its consumer has stopped it: nobody is left to agree with", () =>
    acts(
      { lease: running({ status: "Stopping", ballot: stillRunning }), journal: attested },
      { kind: "complete" },
    ));
});

describe("a replica that has committed", () => {
  it("waits for those that run, and lets its pod go meanwhile", () => {
    waits(replica("Committed", stillRunning), "replicas-run");
    const held = { cluster: aPod("exited"), journal: { ...committed, released: false } };
    acts(replica("Committed", stillRunning, held), { kind: "release" });
    const over = { ...replica("Committed", stillRunning), cluster: aPod("gone") };
    acts({ ...over, lease: { ...over.lease, isFinallyOver: true } }, { kind: "tearDown" });
  });

  it("reveals once the last has committed, for as long as it may", () => {
    acts(replica("Committed", aBallot()), { kind: "reveal" });
    acts(replica("Committed", aBallot()), { kind: "reveal" }, T0 + 140);
    waits(replica("Committed", aBallot(), { node: silenced }), "signing-stopped", T0 + 141);
  });

  it("lets the last commitment be confirmed first, but never its own time pass", () => {
    const young = aBallot({ isOpenConfirmed: false });
    waits(replica("Committed", young), "confirmations", T0 + 130);
    acts(replica("Committed", young), { kind: "reveal" }, T0 + 130);
  });

  it("has the votes counted where it was too late, or has lost what it would reveal", () => {
    waits(replica("Committed", aBallot()), "replicas-reveal", T0 + 171, T0 + 141);
    acts(replica("Committed", aBallot()), { kind: "tally" }, T0 + 171);
    waits(replica("Committed", aBallot(), { journal: attested }), "replicas-reveal", T0 + 171);
  });
});

describe("a replica that has revealed", () => {
  it("has the votes counted at once when all are open, else when their time is over", () => {
    acts(replica("Revealed", aBallot({ allRevealedSince: T0 + 105 })), { kind: "tally" });
    waits(replica("Revealed", aBallot()), "replicas-reveal", T0 + 171);
    waits(replica("Revealed", aBallot()), "replicas-reveal", T0 + 171, T0 + 170);
    acts(replica("Revealed", aBallot()), { kind: "tally" }, T0 + 171);
  });

  it("leaves the counting to those before it in the task's order, for as long as each has", () => {
    const third = aBallot({ allRevealedSince: T0 + 105, turn: 2 });
    waits(replica("Revealed", third), "replicas-reveal", T0 + 135);
    waits(replica("Revealed", third), "replicas-reveal", T0 + 135, T0 + 134);
    acts(replica("Revealed", third), { kind: "tally" }, T0 + 135);
    waits(replica("Revealed", { ...third, isTallied: true }), "replicas-reveal", undefined, T0 + 135);
    const second = aBallot({ turn: 1 });
    waits(replica("Revealed", second), "replicas-reveal", T0 + 186, T0 + 171);
    acts(replica("Committed", second), { kind: "tally" }, T0 + 186);
  });

  it("has an order of its replicas that is another one in each task, and nobody's twice", () => {
    for (const draw of [0, 1, 2, 4_294_967_295]) {
      const turns = [0, 1, 2].map((index) => tallyTurn(index, 3, draw));
      assert.deepEqual(turns.toSorted(), [0, 1, 2]);
      assert.equal(turns[0], draw % 3);
    }
  });

  it("counts nothing while another daemon has the key", () =>
    waits(
      replica("Revealed", aBallot({ allRevealedSince: T0 + 105 }), { node: silenced }),
      "signing-stopped",
    ));
});

describe("a replica whose votes are counted", () => {
  const won = aBallot({ allRevealedSince: T0 + 105, isTallied: true, hasWinner: true });
  const after = (change: Partial<Facts["lease"]>, journal = aJournal({ ...committed, tornDown: true })) => ({
    lease: running({
      status: "Completed",
      challengeEndsAt: T0 + 200,
      isFinallyOver: true,
      ballot: won,
      ...change,
    }),
    cluster: noPod(99),
    journal,
  });

  it("hands its key over once it has won for good, settled or not", () => {
    for (const status of ["Completed", "Disputed", "Settled"] as const)
      acts(after({ status }), { kind: "giveKey" });
    waits(after({ isFinallyOver: false }), "challenge-window", T0 + 231);
    const given = aJournal({ ...committed, tornDown: true, keyGiven: true });
    waits(after({}, given), "challenge-window", T0 + 231);
    acts(after({}, given), { kind: "settle" }, T0 + 231);
  });

  it("hands it over where its consumer has stopped it, and to nobody where it lost or too few were alike", () => {
    acts(after({ ballot: stillRunning }), { kind: "giveKey" });
    assert.deepEqual(planLease(facts(after({ status: "Failed" })), T0 + 300), { kind: "done" });
    const none = { status: "Settled", ballot: aBallot({ isTallied: true }) } as const;
    assert.deepEqual(planLease(facts(after(none)), T0 + 300), { kind: "done" });
  });
});
