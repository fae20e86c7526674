import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { DeliveryJournal } from "../../src/journal/deliveries.ts";
import { anAttempt, LEASE } from "./builders.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

const now = () => 1_800_000_000_000;
const claim = { leaseId: LEASE, attempt: 1, claimedAt: 1_000 };

function open(t: TestContext) {
  const { db, dir } = openDatabase(t);
  const reopened = () => {
    const after = reopenAfterCrash(t, dir).db;
    return { deliveries: new DeliveryJournal(after, now), attempts: new AttemptJournal(after, now) };
  };
  return { deliveries: new DeliveryJournal(db, now), attempts: new AttemptJournal(db, now), reopened };
}

describe("the journal of deliveries", () => {
  it("has a receipt after a crash, with its attempt and with no other", (t) => {
    const { deliveries, attempts, reopened } = open(t);
    attempts.open(anAttempt());
    attempts.open(anAttempt({ attempt: 2 }));
    deliveries.recordReceipt(LEASE, 1, "0xaa");
    const after = reopened();
    assert.equal(after.deliveries.receipt(LEASE, 1), "0xaa");
    assert.equal(after.attempts.find(LEASE, 1)?.receipt, "0xaa");
    assert.deepEqual(
      after.attempts.live().map(({ attempt, receipt }) => [attempt, receipt]),
      [
        [1, "0xaa"],
        [2, undefined],
      ],
    );
  });

  it("keeps the newest of two receipts, and none that the contract has refused", (t) => {
    const { deliveries, attempts } = open(t);
    attempts.open(anAttempt());
    deliveries.recordReceipt(LEASE, 1, "0xaa");
    deliveries.recordReceipt(LEASE, 1, "0xbb");
    assert.equal(deliveries.receipt(LEASE, 1), "0xbb");
    deliveries.dropReceipt(LEASE, 1);
    assert.equal(deliveries.receipt(LEASE, 1), undefined);
    assert.equal(attempts.find(LEASE, 1)?.receipt, undefined);
  });

  it("says one thing of a claim for ever, and starts anew with the next claim of the same lease", (t) => {
    const { deliveries, reopened } = open(t);
    assert.equal(deliveries.verdict(claim), undefined);
    const no = { fetched: false, signature: "0x01" } as const;
    const yes = { fetched: true, signature: "0x02" } as const;
    assert.deepEqual(deliveries.recordVerdict(claim, no), no);
    assert.deepEqual(deliveries.recordVerdict(claim, yes), no);
    assert.deepEqual(reopened().deliveries.verdict(claim), no);
    const next = { ...claim, claimedAt: 2_000 };
    assert.equal(deliveries.verdict(next), undefined);
    assert.deepEqual(deliveries.recordVerdict(next, yes), yes);
    assert.equal(deliveries.verdict({ ...claim, attempt: 2 }), undefined);
  });
});
