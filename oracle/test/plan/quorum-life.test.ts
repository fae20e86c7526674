import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Others, QuorumWorld } from "./quorum-world.ts";
import type { Fault } from "./world.ts";

/** Shorter than the time to reveal: who is away for all of that is slashed, as it must be. */
const FAULTY_SECONDS = 60;
const ENDS_WITHIN = 900;

const anyFault = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Fault>("none") },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Fault[]>("crash-before", "crash-after", "chain-away", "cluster-away", "reorg"),
  },
);
const anyFaults = fc.array(anyFault, { maxLength: FAULTY_SECONDS, size: "max" });
const anyOthers: fc.Arbitrary<Others> = fc.record({
  commitAfter: fc.integer({ min: 0, max: 80 }),
  revealAfter: fc.oneof(fc.integer({ min: 0, max: 120 }), fc.constant(Number.POSITIVE_INFINITY)),
  agree: fc.boolean(),
  turn: fc.integer({ min: 0, max: 3 }),
});

function live(faults: readonly Fault[], others: Others): QuorumWorld {
  const world = new QuorumWorld(others);
  for (let second = 0; second < ENDS_WITHIN && !world.isDone; second++) world.tick(faults[second] ?? "none");
  return world;
}

describe("a replica's life, from the end of its run", () => {
  it("is never slashed: through any crashes, outages and reorgs it reveals what it has committed to", () => {
    let agreed = 0;
    fc.assert(
      fc.property(anyFaults, anyOthers, (faults, others) => {
        const world = live(faults, others);
        const { status, hasWinner } = world.chain;
        assert.deepEqual(world.wrongs, []);
        assert.ok(world.isDone, `still ${status} with ${JSON.stringify(world.journal)}`);
        assert.equal(status, "Settled");
        assert.equal(world.committed.size, 1, "one result, whatever died between");
        assert.equal(world.keyGivenWhile !== undefined, hasWinner, "the key is for a result that has won");
        if (hasWinner) agreed++;
      }),
      { numRuns: 2_000 },
    );
    assert.ok(agreed > 100, `only ${agreed} lives ended in agreement`);
  });
});
