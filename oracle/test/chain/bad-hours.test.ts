import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { payOf, startOracle } from "./running-oracle.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

const GWEI = 10n ** 9n;

describe("an hour without a sequencer, and an RPC that hangs (rules 19, 27 and 30)", () => {
  it("freezes the daemon and keeps its pod; then the same attempt goes on, is claimed, and paid once", async (t) => {
    const oracle = await startOracle(t, chain);
    const { leaseId } = await oracle.order();
    await oracle.untilStatus(leaseId, "Running");
    await oracle.caughtUp();
    const sent = oracle.sent.length;
    oracle.rpc.mood = "hangs";
    for (let tries = 0; (await oracle.health()).problem !== "chain: no-rpc-answers"; tries++) {
      assert.ok(tries < 250, "the daemon says that it cannot read the chain");
      await sleep(100);
    }
    assert.deepEqual([oracle.cluster.running, oracle.cluster.tornDown, oracle.sent.length], [1, [], sent]);
    await oracle.pass(3_600); // the first block after the outage
    await assert.rejects(oracle.consumer.market.expire(leaseId), "nothing was overdue");
    await assert.rejects(oracle.consumer.market.failover(leaseId), "nobody was reported as offline");
    const before = await oracle.lease(leaseId);
    oracle.rpc.mood = "answers";
    await oracle.until("a claim", async () => (await oracle.lease(leaseId)).lastStep > before.lastStep);
    oracle.cluster.exit();
    await oracle.untilStatus(leaseId, "Completed");
    await oracle.pass(25);
    await oracle.untilStatus(leaseId, "Settled");
    const { attempt, billedSeconds, ratePerHour } = await oracle.lease(leaseId);
    assert.equal(attempt, 1);
    assert.ok(billedSeconds > 0n);
    assert.equal((await oracle.money()).earned, payOf(billedSeconds, ratePerHour));
    assert.deepEqual([oracle.cluster.made.length, oracle.claims(leaseId).size], [1, 1]);
  });
});

describe("gas fifty times as dear for a while (rule 31)", () => {
  it("stops accepts and settlements at the day's cap, still completes what runs, and all goes on after it", async (t) => {
    const oracle = await startOracle(t, chain, { gas: { dailyCap: String(5_000_000n * GWEI) } });
    await oracle.dear(GWEI);
    const { leaseId } = await oracle.order();
    await oracle.untilStatus(leaseId, "Running");
    await oracle.dear(50n * GWEI);
    const late = await oracle.order();
    await oracle.dear(50n * GWEI);
    for (let blocks = 0; blocks < 5; blocks++) {
      await oracle.mine();
      await oracle.caughtUp();
    }
    assert.equal((await oracle.lease(late.leaseId)).status, "Open", "what can wait waits");
    assert.ok(oracle.events.includes("order-not-taken"));
    oracle.cluster.exit();
    await oracle.untilStatus(leaseId, "Completed");
    await oracle.pass(25);
    for (let blocks = 0; blocks < 5; blocks++) {
      await oracle.mine();
      await oracle.caughtUp();
    }
    assert.equal((await oracle.lease(leaseId)).status, "Completed", "its settlement waits too");
    await oracle.dear(GWEI);
    await oracle.untilStatus(leaseId, "Settled");
    await oracle.untilStatus(late.leaseId, "Running");
    oracle.cluster.exit();
    await oracle.untilStatus(late.leaseId, "Completed");
  });
});
