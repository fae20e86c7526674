import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Address, getAddress } from "viem";
import {
  HearingWatch,
  isTurnOf,
  planShowing,
  quorumOf,
  TURN_SECONDS,
  turnAt,
} from "../../src/plan/committee.ts";
import { T0 } from "./builders.ts";

const seats = (count: number): Address[] =>
  Array.from({ length: count }, (_, index) => getAddress(`0x${(index + 1).toString(16).padStart(40, "0")}`));

describe("the committee", () => {
  it("needs floor(2N/3)+1 signatures of all seats, vacant ones below the least number included", () => {
    const needed = (count: number, minSeats = 1) => quorumOf({ seats: seats(count) }, { minSeats });
    assert.deepEqual(
      [1, 2, 3, 4, 7, 16].map((count) => needed(count)),
      [1, 2, 3, 3, 5, 11],
    );
    assert.equal(needed(2, 4), 3);
  });

  it("gives each seat the word in turn, and one at a time", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: T0, max: T0 + 10 ** 7 }),
        (count, now) => {
          const members = seats(count);
          const speakers = (at: number) => members.filter((node) => isTurnOf(node, members.toReversed(), at));
          assert.equal(speakers(now).length, 1);
          const turns = members.flatMap((_, index) => speakers(now + index * TURN_SECONDS));
          assert.deepEqual(
            new Set(turns),
            new Set(members),
            "a dead one holds the others up for its own turn only",
          );
          assert.equal(turnAt(now + TURN_SECONDS), turnAt(now) + 1);
        },
      ),
    ));
});

describe("a seat", () => {
  const rules = { epochLength: 3600, maxMissed: 3 };
  const at = (epoch: number, count = 7) => ({
    epoch,
    version: 1,
    epochEndsAt: T0 + 3600,
    seats: seats(count),
  });

  it("shows itself an epoch before it would be vacated, with all others at once", () => {
    assert.equal(planShowing(at(11), 10, rules, T0), "none");
    assert.equal(planShowing(at(12), 10, rules, T0), "emptyReport");
    assert.equal(planShowing(at(12), 12, rules, T0), "none");
  });

  it("does so by itself where no report has come by the end of the epoch, or the committee is small", () => {
    assert.equal(planShowing(at(12), 10, rules, T0 + 2701), "checkIn");
    assert.equal(planShowing(at(12), 10, rules, T0 + 9_999), "checkIn", "an epoch that nobody has ended yet");
    assert.equal(planShowing(at(12, 3), 10, rules, T0), "checkIn");
  });

  it("is never silent for maxMissed epochs", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.nat(30), (maxMissed, missed) => {
        const plan = planShowing(at(100), 100 - missed, { ...rules, maxMissed }, T0 + 3000);
        // Whoever is vacated when this epoch ends has to show itself in it.
        if (missed >= maxMissed) assert.equal(plan, "checkIn");
        if (missed === 0) assert.equal(plan, "none");
      }),
    ));
});

describe("how a node hears", () => {
  const NOW = T0 * 1000;
  const [a, b, c] = seats(3) as [Address, Address, Address];
  const heard = (...at: [Address, number][]) => new Map(at);

  it("counts from when it began, and on as long as it hears somebody", () => {
    const watch = new HearingWatch();
    assert.deepEqual(watch.look(NOW, heard(), undefined), { now: NOW, since: undefined });
    assert.equal(watch.look(NOW + 1000, heard([a, NOW + 500]), undefined).since, NOW + 1000);
    assert.equal(
      watch.look(NOW + 9_000, heard([a, NOW + 500], [b, NOW + 8000]), undefined).since,
      NOW + 1000,
    );
  });

  it("begins anew after a break: it was cut off, or stood still", () => {
    const watch = new HearingWatch();
    watch.look(NOW, heard([a, NOW]), undefined);
    assert.equal(watch.look(NOW + 9_000, heard([a, NOW]), undefined).since, NOW);
    assert.equal(watch.look(NOW + 10_001, heard([a, NOW]), undefined).since, undefined);
    assert.equal(watch.look(NOW + 12_000, heard([a, NOW + 12_000]), undefined).since, NOW + 12_000);
    const later = NOW + 40_000;
    assert.equal(
      watch.look(later, heard([a, later]), undefined).since,
      later,
      "nobody looked for 28 seconds",
    );
  });

  it("is cut off with less than a quorum of the seats on its side, itself included", () => {
    const look = (quorum: number, ...at: [Address, number][]) =>
      new HearingWatch().look(NOW, heard(...at), { others: [a, b, c], quorum }).since;
    assert.equal(look(3, [a, NOW], [b, NOW]), NOW);
    assert.equal(look(3, [a, NOW], [b, NOW - 10_001]), undefined);
    const other = getAddress(`0x${"99".repeat(20)}`);
    assert.equal(look(2, [other, NOW]), undefined, "others that hold no seat do not count");
    assert.equal(look(1, [other, NOW]), NOW);
  });
});
