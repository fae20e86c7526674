import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cancelCost, type GangFacts, type LeaseFacts, ranSeconds } from "@dekuper/client";

const task = { terms: { minBilled: 60 } } as Parameters<typeof cancelCost>[0]["task"];

/** A lease at 1 base unit a second that began at 1000 and may bill ten minutes. */
function aLease(change: Partial<LeaseFacts> = {}): LeaseFacts {
  return {
    status: "Running",
    ratePerHour: 3_600n,
    startedAt: 1_000n,
    maxSeconds: 600,
    reserved: 600n,
    ...change,
  } as LeaseFacts;
}

function aGang(change: Partial<GangFacts> = {}): GangFacts {
  return { firstFrom: 0n, firstTo: 0n, secondFrom: 0n, secondTo: 0n, isOver: false, ...change } as GangFacts;
}

describe("the seconds that a lease has run", () => {
  it("are those since its start, and no more than it may bill", () => {
    assert.equal(ranSeconds(aLease(), undefined, 1_090n), 90n);
    assert.equal(ranSeconds(aLease(), undefined, 990n), 0n);
    assert.equal(ranSeconds(aLease(), undefined, 9_999n), 600n);
    assert.equal(ranSeconds(aLease({ startedAt: 0n }), undefined, 1_090n), 0n);
  });

  it("of a gang's member are those of the common clock, before a loss and after it", () => {
    const gang = aGang({ firstFrom: 1_050n, firstTo: 1_100n, secondFrom: 1_200n });
    assert.equal(ranSeconds(aLease(), gang, 1_230n), 80n);
    assert.equal(ranSeconds(aLease(), { ...gang, secondFrom: 0n }, 1_230n), 50n);
    assert.equal(ranSeconds(aLease(), { ...gang, secondTo: 1_210n }, 1_230n), 60n);
    assert.equal(ranSeconds(aLease({ startedAt: 1_190n }), gang, 1_230n), 30n);
    assert.equal(ranSeconds(aLease(), aGang(), 1_230n), 0n);
  });
});

describe("what a cancel costs", () => {
  const cost = (leases: LeaseFacts[], gang?: GangFacts, now = 1_090n) =>
    cancelCost({ task, leases, gang }, now);

  it("is nothing before the start", () => {
    for (const status of ["Open", "Assigned"] as const) {
      const found = cost([aLease({ status, startedAt: 0n })]);
      assert.deepEqual(found, { pays: 0n, returns: 600n, running: 0, seconds: 0n });
    }
  });

  it("is the run so far, and at least minBilled", () => {
    assert.deepEqual(cost([aLease()]), { pays: 90n, returns: 510n, running: 1, seconds: 90n });
    assert.equal(cost([aLease()], undefined, 1_005n)?.pays, 60n);
    assert.equal(cost([aLease({ maxSeconds: 20 })], undefined, 1_005n)?.pays, 20n);
  });

  it("is each member's own share of the common clock, at its own rate", () => {
    const gang = aGang({ firstFrom: 1_010n, firstTo: 1_080n, secondFrom: 1_085n });
    const members = [aLease(), aLease({ ratePerHour: 7_200n }), aLease({ startedAt: 1_084n })];
    // 75 s at 1 and at 2 a second; the replacement has run 5 s and is billed minBilled.
    assert.deepEqual(cost(members, gang), {
      pays: 75n + 150n + 60n,
      returns: 1_515n,
      running: 3,
      seconds: 75n,
    });
  });

  it("is nothing while a gang's clock has not begun, whoever has started", () => {
    const found = cost([aLease(), aLease({ status: "Assigned", startedAt: 0n })], aGang());
    assert.deepEqual(found, { pays: 0n, returns: 1_200n, running: 0, seconds: 0n });
  });

  it("leaves out members whose run has ended, and is undefined where nothing is left", () => {
    const gang = aGang({ firstFrom: 1_010n });
    assert.equal(cost([aLease(), aLease({ status: "Completed" })], gang)?.pays, 80n);
    assert.equal(cost([aLease({ status: "Completed" })]), undefined);
    assert.equal(cost([aLease({ status: "Stopping" })]), undefined);
    assert.equal(cost([aLease()], { ...gang, isOver: true }), undefined);
    assert.equal(cost([aLease(), aLease({ status: "Committed" })]), undefined);
  });
});
