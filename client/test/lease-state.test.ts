import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type GangFacts,
  hasWon,
  isLive,
  type LeaseState,
  leaseDeadlineOf,
  leaseStateOf,
  leaseStates,
  stateWords,
  taskStateOf,
  withheldReason,
} from "@dekuper/client";

const terms = { outageGrace: 5, completionGrace: 30 };
const task = { terms } as Parameters<typeof leaseDeadlineOf>[0];

function aGang(change: Partial<GangFacts> = {}): GangFacts {
  return {
    firstFrom: 0n,
    firstTo: 0n,
    secondFrom: 0n,
    secondTo: 0n,
    replaceUntil: 0n,
    stoppedAt: 0n,
    live: 2,
    running: 2,
    isOver: false,
    isCancelled: false,
    ...change,
  };
}

describe("a quorum's replica", () => {
  const due = (state: LeaseState, revealUntil: bigint) =>
    leaseDeadlineOf(task, { state, deadline: 9n, startedAt: 0n, maxSeconds: 1 }, undefined, { revealUntil });

  it("has no deadline while others run, then that of the revealing, which the count of the votes enforces", () => {
    for (const state of ["Committed", "Revealed"] as const) {
      assert.equal(due(state, 0n), undefined);
      assert.deepEqual(due(state, 500n), { what: "reveal", at: 500n, enforceableAt: 505n, enforce: "tally" });
    }
    assert.equal(due("Failed", 500n), undefined);
  });
});

describe("a replica's output", () => {
  const ballot = {
    pending: 0,
    committed: 3,
    revealed: 3,
    isTallied: true,
    revealUntil: 500n,
    hasWinner: true,
  };
  const of = (state: LeaseState, change: Partial<typeof ballot> | undefined = {}) => {
    const summary = {
      ballot: change === undefined ? undefined : { ...ballot, ...change },
      task: { threshold: 2, leaseCount: 3 },
    } as Parameters<typeof hasWon>[0];
    const lease = { state } as Parameters<typeof hasWon>[1];
    return [hasWon(summary, lease), withheldReason(summary, lease)] as const;
  };

  it("is had from those that agreed, and from those that their consumer has stopped", () => {
    for (const state of ["Completed", "Settled", "Disputed"] as const)
      assert.deepEqual(of(state), [true, undefined]);
    assert.deepEqual(of("Settled", { isTallied: false, hasWinner: false }), [true, undefined]);
  });

  it("is had from nobody before the count, nor from those that did not agree, nor where too few did", () => {
    assert.match(of("Revealed", { isTallied: false, hasWinner: true })[1] ?? "", /not counted yet/);
    assert.match(of("Committed", { isTallied: false, hasWinner: false })[1] ?? "", /not counted yet/);
    assert.match(of("Failed")[1] ?? "", /not among those that agreed/);
    assert.deepEqual(of("Settled", { hasWinner: false }), [
      false,
      "no 2 of 3 results were alike, so none is handed over",
    ]);
    assert.deepEqual(of("Running", { isTallied: false, hasWinner: false }), [false, undefined]);
  });
});

describe("a lease's state", () => {
  const of = (status: Parameters<typeof leaseStateOf>[0]["status"], attempt = 1, gang?: GangFacts) =>
    leaseStateOf({ status, attempt, hasKey: true }, gang);

  it("tells a new order from a lease that was lost", () => {
    assert.equal(of("Open", 0), "Open");
    assert.equal(of("Open", 1), "Reopened");
  });

  it("is AwaitingKey until its node can read the task", () => {
    assert.equal(leaseStateOf({ status: "Assigned", attempt: 1, hasKey: false }, undefined), "AwaitingKey");
    assert.equal(of("Assigned"), "Assigned");
  });

  it("of a gang runs only while the common clock does", () => {
    assert.equal(of("Running", 1, aGang()), "Waiting");
    assert.equal(of("Running", 1, aGang({ firstFrom: 100n })), "Running");
    assert.equal(of("Running", 1, aGang({ firstFrom: 100n, firstTo: 150n })), "Interrupted");
    assert.equal(of("Running", 1, aGang({ firstFrom: 100n, firstTo: 150n, secondFrom: 180n })), "Running");
    assert.equal(of("Running"), "Running");
  });

  it("has a title and a text", () => {
    for (const state of leaseStates)
      assert.ok(stateWords[state].title !== "" && stateWords[state].text !== "");
  });
});

describe("a task's state", () => {
  const of = (...states: LeaseState[]) => taskStateOf(states.map((state) => ({ state })));

  it("is what it waits for while a lease is live", () => {
    assert.equal(of("Running", "Running"), "Running");
    assert.equal(of("Waiting", "Assigned"), "Assigned");
    assert.equal(of("Interrupted", "Reopened"), "Reopened");
    assert.equal(of("Completed", "Running"), "Running");
    assert.equal(of("Stopping", "Completed"), "Stopping");
  });

  it("is how it ended once all leases are over", () => {
    assert.equal(of("Completed", "Settled"), "Completed");
    assert.equal(of("Settled", "Failed"), "Settled");
    assert.equal(of("Cancelled", "Expired"), "Expired");
  });

  it("is live until money and nodes are free", () => {
    assert.deepEqual(
      leaseStates.filter((state) => !isLive(state)),
      ["Settled", "Cancelled", "Failed", "Expired"],
    );
  });
});

describe("a lease's deadline", () => {
  const lease = { deadline: 500n, startedAt: 100n, maxSeconds: 60 };
  const at = (state: LeaseState, gang?: GangFacts) => leaseDeadlineOf(task, { ...lease, state }, gang)?.at;

  it("is the stored one except while it runs", () => {
    for (const state of ["Open", "Reopened", "AwaitingKey", "Assigned", "Stopping", "Completed"] as const)
      assert.equal(at(state), 500n, state);
  });

  it("of a run is its funded end and the grace", () => assert.equal(at("Running"), 190n));

  it("of a gang moves with the clock that all members share", () => {
    assert.equal(at("Running", aGang({ firstFrom: 120n })), 210n);
    // 20 of the 60 seconds are used: 40 are left from the second start on.
    assert.equal(at("Running", aGang({ firstFrom: 120n, firstTo: 140n, secondFrom: 200n })), 270n);
    assert.equal(at("Waiting", aGang()), undefined);
  });

  it("may be enforced by anyone after the grace for outages", () => {
    assert.deepEqual(leaseDeadlineOf(task, { ...lease, state: "Assigned" }, undefined), {
      what: "start",
      at: 500n,
      enforceableAt: 505n,
      enforce: "expire",
    });
    assert.equal(leaseDeadlineOf(task, { ...lease, state: "Completed" }, undefined)?.enforce, "settle");
    assert.equal(at("Settled"), undefined);
    const claim = { claimedAt: 450n, answerUntil: 600n, bond: 1n };
    const disputed = leaseDeadlineOf(task, { ...lease, state: "Disputed", claim }, undefined);
    assert.deepEqual(
      [disputed?.what, disputed?.enforceableAt, disputed?.enforce],
      ["answer", 605n, "lapse-claim"],
    );
  });
});
