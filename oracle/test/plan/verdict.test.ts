import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { denyFrom, MIN_FAILURES, planVerdict, retryOf, type VerdictFacts } from "../../src/plan/verdict.ts";
import { T0 } from "./builders.ts";

/** Raised at T0, to be answered within 100 seconds. */
const facts = (change: Partial<VerdictFacts> = {}): VerdictFacts => ({
  claimedAt: T0,
  answerUntil: T0 + 100,
  isConfirmed: true,
  verdict: undefined,
  failures: 0,
  retryAt: 0,
  ...change,
});

describe("an attester of a delivery claim", () => {
  it("tries at once, but not before the block that draws the chunks is confirmed", () => {
    assert.equal(planVerdict(facts(), T0), "fetch");
    assert.equal(planVerdict(facts({ isConfirmed: false }), T0 + 60), "wait");
  });

  it("tries again when it is time to, and to the end where it could not try often enough before", () => {
    const failed = facts({ failures: 1, retryAt: T0 + 7 });
    assert.equal(planVerdict(failed, T0 + 6), "wait");
    assert.equal(planVerdict(failed, T0 + 7), "fetch");
    assert.equal(planVerdict({ ...failed, failures: MIN_FAILURES - 1 }, T0 + 100), "fetch");
  });

  it("says that a node withholds only after half of its time and several tries", () => {
    const failed = facts({ failures: MIN_FAILURES, retryAt: T0 + 1_000 });
    assert.equal(planVerdict(failed, T0 + 50), "wait");
    assert.equal(planVerdict(failed, T0 + 51), "deny");
    assert.equal(planVerdict({ ...failed, failures: MIN_FAILURES - 1 }, T0 + 51), "wait");
  });

  it("once it has said so collects what the others say; who has fetched has nothing more to do", () => {
    assert.equal(planVerdict(facts({ verdict: false }), T0 + 60), "collect");
    assert.equal(planVerdict(facts({ verdict: true }), T0 + 60), "wait");
  });

  it("does nothing once the chain takes no answer any more", () => {
    for (const change of [{}, { verdict: false }, { failures: 9 }])
      assert.equal(planVerdict(facts(change), T0 + 101), "wait");
  });

  it("has tried often enough by half of the time, whatever the window: no node is judged on one outage", () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 3 * 86_400 }), (window) => {
        const times = { claimedAt: T0, answerUntil: T0 + window };
        let tries = 0;
        for (let now = T0; now <= denyFrom(times); now = retryOf(times, now)) {
          assert.ok(retryOf(times, now) > now);
          tries++;
        }
        assert.ok(tries >= MIN_FAILURES && tries < 60, `${tries} tries in half of ${window} s`);
      }),
    );
  });
});
