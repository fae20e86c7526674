import { after, before, describe } from "node:test";
import { ClusterPair } from "./cluster-pair.ts";
import { describeGangs } from "./gangs.ts";
import { describeGpus } from "./gpus.ts";
import { describeIsolation } from "./isolation.ts";
import { describePods } from "./running-pods.ts";

// One pair of clusters serves every suite here: a start costs seconds, and the pair must be up for two minutes anyway.
const pair = new ClusterPair();

describe("two embedded clusters on one machine", () => {
  before(() => pair.start());
  after(() => pair.stop());

  describePods(pair);
  describeIsolation(pair);
  describeGpus(pair);
  describeGangs(pair);
});
