import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { tarOf } from "../result/hand-made-tar.ts";
import { type Replica, startReplicas } from "./running-quorum.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

const runs = (replicas: readonly Replica[]) => replicas.every(({ cluster }) => cluster.running > 0);

describe("three daemons with a task of which two results must agree (rule 21)", () => {
  it("are paid where they agree; who has computed something else is neither paid nor slashed", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, award, until, untilStatus } = market;
    const [first, second, other] = replicas as [Replica, Replica, Replica];
    for (const { cluster } of [first, second])
      cluster.output = await tarOf([{ name: "answer", content: "42" }]);
    other.cluster.output = await tarOf([{ name: "answer", content: "41" }]);
    const before = await market.stake(other);
    const { leases } = await award(2);
    await untilStatus(leases, "Running");
    await until("all run", () => runs(replicas));
    await market.pass(60);
    for (const { cluster } of replicas) cluster.exit();
    await untilStatus(leases, "Settled", "Settled", "Failed");
    for (const replica of [first, second]) assert.ok((await market.earned(replica)) > 0n);
    assert.equal(await market.earned(other), 0n);
    assert.deepEqual(await market.stake(other), { staked: before.staked, locked: 0n });
  });
});
