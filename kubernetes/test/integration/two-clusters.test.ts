import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ClusterPair } from "./cluster-pair.ts";
import { describeConnections } from "./connections.ts";
import { describeGangs } from "./gangs.ts";
import { describeGpus } from "./gpus.ts";
import { describeIsolation } from "./isolation.ts";
import { leftoversOf, machineChanges, machineState } from "./leftovers.ts";
import { describeLimits } from "./limits.ts";
import { Counters, describeNeighbours } from "./neighbours.ts";
import { describePods } from "./running-pods.ts";

// One pair of clusters serves every suite here: a start costs seconds, and the pair must be up for two minutes anyway.
const pair = new ClusterPair();
const counters = new Counters(pair);
const machine = machineState();

describe("two embedded clusters on one machine", () => {
  before(async () => {
    await pair.start();
    await counters.start();
  });
  after(() => pair.stop());

  describe("under load", { concurrency: 2 }, () => {
    describe("the first", { concurrency: 1 }, () => {
      describePods(pair);
      describeIsolation(pair);
      describeConnections(pair);
    });
    describe("the second", { concurrency: 1 }, () => {
      describeGpus(pair);
      describeGangs(pair);
      describeLimits(pair);
    });
  });
  describeNeighbours(pair, counters);

  it("are gone when they are stopped, and the machine is as it was", async () => {
    await pair.stop();
    for (const stateDir of pair.stateDirs) assert.deepEqual(await leftoversOf(stateDir), []);
    assert.deepEqual(machineChanges(machine), []);
  });
});
