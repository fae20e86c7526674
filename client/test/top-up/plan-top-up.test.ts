import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type LeaseFacts,
  planTopUp,
  type TopUpFacts,
  type TopUpNotice,
  type TopUpRules,
} from "@dekuper/client";
import fc from "fast-check";

const GRACE = 30;
const rules: TopUpRules = { cap: 10_000n, stepSeconds: 600, leadSeconds: 60, noticeSeconds: 120 };

/** A task of so many leases at 3600 an hour (1 a second), funded for 600 of 3600 seconds, running since second 1000. */
function facts(change: {
  now: bigint;
  rates?: readonly bigint[];
  funded?: number;
  free?: bigint;
  toppedUp?: bigint;
  maxDuration?: number;
  status?: LeaseFacts["status"];
}): TopUpFacts {
  const { now, rates = [3600n], funded = 600, free = 1_000_000n, toppedUp = 0n, maxDuration = 3600 } = change;
  const status = change.status ?? "Running";
  const at = 1_000n + BigInt(funded + GRACE);
  const due = { what: "report", at, enforceableAt: at, enforce: "expire" };
  const leases = rates.map((ratePerHour) => ({ status, state: status, ratePerHour, due }));
  const task = { fundedSeconds: funded, maxDuration, terms: { completionGrace: GRACE } };
  return { task, leases, now, free, toppedUp } as unknown as TopUpFacts;
}

const noticeOf = (from: TopUpFacts, by = rules): TopUpNotice => {
  const step = planTopUp(from, by, undefined);
  assert.equal(step.kind, "announce");
  return { ...(step as Extract<typeof step, { kind: "announce" }>).topUp, announcedAt: from.now };
};

describe("a capped automatic top-up, planned", () => {
  it("waits, announces in time, and is sent when the notice is over", () => {
    // Funded until second 1600: sent at 1540, announced at 1420.
    assert.deepEqual(planTopUp(facts({ now: 1_100n }), rules, undefined), { kind: "wait", until: 1_420n });
    const at = facts({ now: 1_420n });
    const topUp = { fundedSeconds: 600, extraSeconds: 600, amount: 600n, endsAt: 1_600n };
    assert.deepEqual(planTopUp(at, rules, undefined), { kind: "announce", topUp, sendAt: 1_540n });
    const notice = noticeOf(at);
    assert.deepEqual(planTopUp(facts({ now: 1_539n }), rules, notice), { kind: "wait", until: 1_540n });
    assert.deepEqual(planTopUp(facts({ now: 1_540n }), rules, notice), { kind: "send", topUp });
  });

  it("is never sent before its notice is over, however late it was begun", () => {
    const late = facts({ now: 1_590n });
    const step = planTopUp(late, rules, undefined);
    assert.equal(step.kind === "announce" && step.sendAt, 1_710n);
    assert.equal(planTopUp(facts({ now: 1_709n }), rules, noticeOf(late)).kind, "wait");
  });

  it("announces anew once something else has changed what is funded", () => {
    const notice = noticeOf(facts({ now: 1_420n }));
    const step = planTopUp(facts({ now: 1_540n, funded: 700, toppedUp: 100n }), rules, notice);
    assert.equal(step.kind, "announce");
  });

  it("takes what the cap and the account leave, and says which of them hinders", () => {
    const now = 1_420n;
    const amount = (change: Partial<Parameters<typeof facts>[0]>) => {
      const step = planTopUp(facts({ now, ...change }), rules, undefined);
      return step.kind === "announce" ? step.topUp.amount : step.kind === "hindered" ? step.by : step.kind;
    };
    assert.equal(amount({ toppedUp: 9_800n }), 200n);
    assert.equal(amount({ toppedUp: 10_000n }), "cap");
    assert.equal(amount({ toppedUp: 12_000n }), "cap");
    assert.equal(amount({ free: 7n }), 7n);
    assert.equal(amount({ free: 0n }), "free");
    assert.equal(amount({ maxDuration: 650 }), 50n);
  });

  it("is done with a task that is over or funded, and waits where no clock runs", () => {
    const at = (change: Partial<Parameters<typeof facts>[0]>) =>
      planTopUp(facts({ now: 1_500n, ...change }), rules, undefined);
    assert.deepEqual(at({ status: "Completed" }), { kind: "done", why: "over" });
    assert.deepEqual(at({ funded: 3_600 }), { kind: "done", why: "funded" });
    assert.deepEqual(at({ status: "Assigned" }), { kind: "wait", until: undefined });
  });

  it("never reserves more than the cap, nor adds more than was announced, whatever rates and times", () => {
    const amounts = fc.bigInt(0n, 10n ** 9n);
    const rates = fc.array(fc.bigInt(1n, 10n ** 7n), { minLength: 1, maxLength: 8 });
    const seconds = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(rates, amounts, amounts, seconds, seconds, seconds, (each, cap, free, step, lead, wait) => {
        const its: TopUpRules = { cap, stepSeconds: step, leadSeconds: lead, noticeSeconds: wait };
        let [funded, toppedUp, left] = [600, 0n, free];
        let notice: TopUpNotice | undefined;
        let now = 1_000n;
        for (let turn = 0; turn < 40; turn++) {
          const next = planTopUp(facts({ now, rates: each, funded, free: left, toppedUp }), its, notice);
          if (next.kind === "done" || next.kind === "hindered") break;
          if (next.kind === "wait") now = next.until ?? assert.fail("its clock runs");
          if (next.kind === "announce") notice = { ...next.topUp, announcedAt: now };
          if (next.kind !== "send") continue;
          assert.ok(notice !== undefined && now >= notice.announcedAt + BigInt(wait));
          assert.ok(next.topUp.extraSeconds <= notice.extraSeconds && next.topUp.amount <= notice.amount);
          // As the contract reserves: for each lease, rounded up.
          const reserved = each.reduce(
            (sum, rate) => sum + (rate * BigInt(next.topUp.extraSeconds) + 3599n) / 3600n,
            0n,
          );
          assert.equal(next.topUp.amount, reserved);
          toppedUp += reserved;
          left -= reserved;
          funded += next.topUp.extraSeconds;
        }
        assert.ok(toppedUp <= cap && left >= 0n && funded <= 3_600);
      }),
    );
  });
});
