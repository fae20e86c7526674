import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseStatuses } from "@dekuper/protocol";
import fc from "fast-check";
import { patienceOf, planWatch, type WatchedLease } from "../../src/plan/watch.ts";
import { T0 } from "./builders.ts";

/** Runs until T0 + 600, may be given to another node after 120 seconds offline. */
const watched = (change: Partial<WatchedLease> = {}): WatchedLease => ({
  status: "Running",
  deadline: T0 + 600,
  outageGrace: 30,
  failoverAfter: 120,
  isRevoked: false,
  offlineSince: undefined,
  ...change,
});

describe("another node's lease", () => {
  it("is left alone while its node is there and in time", () => {
    assert.equal(planWatch(watched(), T0), undefined);
    assert.equal(planWatch(watched(), T0 + 630), undefined, "the outage's grace is the node's");
  });

  it("goes to another node once its own has been offline for longer than its order allows", () => {
    const gone = watched({ offlineSince: T0 });
    assert.equal(planWatch(gone, T0 + 120), undefined);
    assert.equal(planWatch(gone, T0 + 121), "failover");
    for (const status of ["Assigned", "Stopping"] as const)
      assert.equal(planWatch({ ...gone, status }, T0 + 121), "failover");
  });

  it("goes to another node at once where its node's key was revoked", () =>
    assert.equal(planWatch(watched({ isRevoked: true }), T0), "failover"));

  it("ends when it is overdue, also a lost one that nobody took over: its gang waits for it", () => {
    assert.equal(planWatch(watched(), T0 + 631), "expire");
    const open = watched({ status: "Open", isRevoked: true, offlineSince: T0 });
    assert.equal(planWatch(open, T0 + 630), undefined);
    assert.equal(planWatch(open, T0 + 631), "expire");
  });

  it("has no end while its gang waits, but a node that is gone is not waited for", () => {
    const waiting = watched({ deadline: Number.POSITIVE_INFINITY });
    assert.equal(planWatch(waiting, T0 + 10 ** 9), undefined);
    assert.equal(planWatch({ ...waiting, offlineSince: T0 }, T0 + 121), "failover");
  });

  it("is nobody's business once it is completed or over, nor before its deadlines", () => {
    const anyWatched = fc.record({
      status: fc.constantFrom(...leaseStatuses),
      deadline: fc.oneof(fc.integer({ min: T0, max: T0 + 200 }), fc.constant(Number.POSITIVE_INFINITY)),
      outageGrace: fc.nat(60),
      failoverAfter: fc.nat(200),
      isRevoked: fc.boolean(),
      offlineSince: fc.option(fc.integer({ min: T0, max: T0 + 200 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(anyWatched, fc.integer({ min: T0, max: T0 + 600 }), (lease, now) => {
        const due = planWatch(lease, now);
        if (due === undefined) return true;
        if (!["Open", "Assigned", "Running", "Stopping"].includes(lease.status)) return false;
        if (due === "expire") return now > lease.deadline + lease.outageGrace;
        const since = lease.offlineSince ?? Number.POSITIVE_INFINITY;
        return lease.status !== "Open" && (lease.isRevoked || now > since + lease.failoverAfter);
      }),
      { numRuns: 5_000 },
    );
  });
});

it("nodes let others go first, each for another time, and none for more than a minute", () => {
  assert.equal(patienceOf(123, 0), 0);
  const all = Array.from({ length: 100 }, (_, draw) => patienceOf(draw * 7_919, 50));
  assert.ok(new Set(all).size > 20);
  assert.ok(all.every((seconds) => seconds >= 0 && seconds < 60));
});
