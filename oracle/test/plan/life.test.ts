import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Event, type Fault, World } from "./world.ts";

const FAULTY_SECONDS = 60;
const ENDS_WITHIN = 600;

const anyFault = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Fault>("none") },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Fault[]>("crash-before", "crash-after", "chain-away", "cluster-away", "reorg"),
  },
);
const anyFaults = fc.array(anyFault, { maxLength: FAULTY_SECONDS, size: "max" });
const anyEvents = (...kinds: Event[]) =>
  fc.dictionary(fc.nat(60).map(String), fc.constantFrom(...kinds), { maxKeys: 3 });

/** Lives through the faults, then on without any until the oracle finds nothing left to do. */
function live(faults: readonly Fault[], events: Readonly<Record<string, Event>> = {}): World {
  const world = new World();
  for (let second = 0; second < ENDS_WITHIN && !world.isDone; second++)
    world.tick(faults[second] ?? "none", events[second]);
  return world;
}

describe("a lease's life", () => {
  it("ends settled and torn down, without any fault", () => {
    const world = live([]);
    assert.ok(world.isDone);
    assert.equal(world.chain.status, "Settled");
    assert.equal(world.chain.lastStep, 2);
  });

  it("ends settled with one pod, one attestation and one seal, through any crashes, outages and reorgs", () => {
    fc.assert(
      fc.property(anyFaults, (faults) => {
        const world = live(faults);
        assert.deepEqual(world.wrongs, []);
        assert.ok(world.isDone, `still ${world.chain.status} with ${JSON.stringify(world.journal)}`);
        assert.equal(world.chain.status, "Settled");
        assert.equal(world.podsMade, 1);
        assert.equal(world.hasPod, false);
        assert.deepEqual([...world.attestationsSent], [world.chain.completedWith]);
      }),
      { numRuns: 2_000 },
    );
  });

  it("ends, torn down, also where the consumer cancels or approves and pods die", () => {
    const ends = new Map<string, number>();
    fc.assert(
      fc.property(
        anyFaults,
        anyEvents("cancel", "approve", "kill-pod", "lose-namespace"),
        (faults, events) => {
          const world = live(faults, events);
          const { status } = world.chain;
          assert.deepEqual(world.wrongs, []);
          assert.ok(world.isDone, `still ${status} with ${JSON.stringify(world.journal)}`);
          assert.ok(["Settled", "Cancelled", "Failed", "Expired"].includes(status), status);
          assert.ok(world.podsMade <= 1);
          assert.equal(world.hasPod, false);
          assert.ok(world.attestationsSent.size <= 1, "two attestations of one attempt cost the stake");
          assert.equal(status === "Settled", world.chain.completedWith !== undefined);
          ends.set(status, (ends.get(status) ?? 0) + 1);
        },
      ),
      { numRuns: 2_000 },
    );
    for (const status of ["Settled", "Cancelled", "Failed"])
      assert.ok((ends.get(status) ?? 0) > 5, `only ${ends.get(status)} lives ended ${status}`);
  });
});
