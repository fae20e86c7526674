import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reportInput } from "@dekuper/protocol";
import fc from "fast-check";
import { Backoff } from "../../src/chain/backoff.ts";
import { budgetOf, type Call, contractOf, encodeCall, purposeOf } from "../../src/chain/calls.ts";
import { bumpedFees, feesFor } from "../../src/chain/fees.ts";
import { anAttestation, bytes32 } from "../journal/builders.ts";

const wei = fc.bigInt({ min: 0n, max: 10n ** 13n });

describe("the fees of a transaction", () => {
  it("are twice the base fee and the tip, under the cap", () => {
    assert.deepEqual(feesFor(10n, 3n, 100n), { maxFee: 23n, tip: 3n });
    assert.deepEqual(feesFor(10n, 3n, 15n), { maxFee: 15n, tip: 3n });
    assert.deepEqual(feesFor(10n, 50n, 15n), { maxFee: 15n, tip: 15n });
  });

  it("are refused where not even the base fee is under the cap", () =>
    assert.throws(() => feesFor(15n, 1n, 15n), { code: "GAS_CAP_REACHED" }));

  it("never exceed the cap, and the tip never the fee", () =>
    fc.assert(
      fc.property(wei, wei, wei, (base, tip, cap) => {
        fc.pre(base < cap);
        const fees = feesFor(base, tip, cap);
        return fees.maxFee <= cap && fees.tip <= fees.maxFee && fees.maxFee >= base;
      }),
    ));

  it("rise by a tenth at least when a transaction is replaced, or stay where the cap leaves no room", () =>
    fc.assert(
      fc.property(wei, wei, wei, wei, (maxFee, tip, base, cap) => {
        fc.pre(base < cap && tip <= maxFee);
        const before = { maxFee, tip };
        const bumped = bumpedFees(before, feesFor(base, tip, cap), cap);
        if (bumped === undefined) return (maxFee * 9n) / 8n + 1n > cap;
        return (
          bumped.maxFee <= cap &&
          bumped.maxFee * 10n >= maxFee * 11n &&
          bumped.tip * 10n >= tip * 11n &&
          bumped.tip <= bumped.maxFee
        );
      }),
    ));
});

const aReport = reportInput({ epoch: 3, committeeVersion: 1, issuedAt: 7, offline: [], online: [] });
const calls: readonly Call[] = [
  { name: "acceptTask", args: [bytes32(1)] },
  { name: "startLease", args: [bytes32(1), 1] },
  { name: "checkpoint", args: [bytes32(1), 1, 1n, bytes32(2)] },
  { name: "completeLease", args: [anAttestation(), "0x51"] },
  { name: "failLease", args: [bytes32(1), 1, bytes32(3)] },
  { name: "settle", args: [bytes32(1)] },
  { name: "expire", args: [bytes32(1)] },
  { name: "stillAlive", args: [], since: 7 },
  { name: "checkIn", args: [], epoch: 3 },
  { name: "rotate", args: [], epoch: 3 },
  { name: "report", args: [aReport, []] },
];

describe("a call", () => {
  it("comes from the reserve where a live lease needs it, else from the capped budget", () =>
    assert.deepEqual(
      calls.filter((call) => budgetOf(call) === "reserved").map(({ name }) => name),
      ["startLease", "completeLease", "failLease", "stillAlive"],
    ));

  it("has a purpose of its own for each lease, attempt and step, and for each epoch and report", () => {
    const more: Call[] = [
      { name: "startLease", args: [bytes32(1), 2] },
      { name: "startLease", args: [bytes32(9), 1] },
      { name: "checkpoint", args: [bytes32(1), 1, 2n, bytes32(2)] },
      { name: "completeLease", args: [anAttestation({ attempt: 2 }), "0x51"] },
      { name: "stillAlive", args: [], since: 8 },
      { name: "checkIn", args: [], epoch: 4 },
      { name: "report", args: [{ ...aReport, issuedAt: 8n }, []] },
    ];
    const purposes = [...calls, ...more].map(purposeOf);
    assert.equal(new Set(purposes).size, purposes.length);
    assert.equal(
      purposeOf({ name: "checkpoint", args: [bytes32(1), 1, 1n, bytes32(8)] }),
      purposeOf(calls[2] as Call),
    );
  });

  it("goes to the contract that has it", () => {
    const targets = { taskRegistry: `0x${"22".repeat(20)}`, liveness: `0x${"55".repeat(20)}` } as const;
    const toLiveness = calls.filter((call) => contractOf(call, targets).address === targets.liveness);
    assert.deepEqual(
      toLiveness.map(({ name }) => name),
      ["stillAlive", "checkIn", "rotate", "report"],
    );
  });

  it("is encoded for the contract", () => {
    const selectorOnly = new Set(["stillAlive", "checkIn", "rotate"]);
    for (const call of calls)
      assert.match(encodeCall(call), selectorOnly.has(call.name) ? /^0x[0-9a-f]{8}$/ : /^0x[0-9a-f]{72,}$/);
  });
});

describe("a backoff", () => {
  it("doubles with each failure up to its most, and is over with a success", () => {
    const backoff = new Backoff(100, 1_000);
    const waits = [1, 2, 3, 4, 5, 6].map(() => backoff.failed("a", 0));
    assert.deepEqual(waits, [100, 200, 400, 800, 1_000, 1_000]);
    assert.equal(backoff.waitingUntil("a", 999), 1_000);
    assert.equal(backoff.waitingUntil("a", 1_000), undefined);
    assert.equal(backoff.waitingUntil("b", 0), undefined);
    backoff.succeeded("a");
    assert.equal(backoff.failed("a", 0), 100);
  });

  it("counts who waits, and forgets who has not failed for long", () => {
    const backoff = new Backoff(100, 1_000);
    backoff.failed("a", 0);
    backoff.failed("a", 0);
    backoff.failed("b", 5_000);
    assert.equal(backoff.waiting(150), 2);
    backoff.prune(5_000);
    assert.equal(backoff.failed("a", 5_000), 5_100);
    assert.equal(backoff.waiting(5_050), 2);
  });
});
