/** A private task's key for a further node, when nobody is left of those that were handed it with the award (rule 11). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  fetchDelivery,
  handOverKey,
  memoryCiphertext,
  memorySink,
  readersOf,
  readKeyHolders,
} from "@dekuper/client";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { INPUT, onDisk, orderPrivately, PER_VCPU_HOUR, SECRET, startNode } from "./private-order.ts";
import { payOf } from "./running-oracle.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

describe("a private task whose node and standbys are lost (rules 11 and 17)", () => {
  it("waits for nobody that could read it, until its consumer hands a further node the key: that one completes it", async (t) => {
    const awarded = await startNode(t, chain, PER_VCPU_HOUR);
    const standby = await startNode(t, chain, 2n * PER_VCPU_HOUR);
    const another = await startNode(t, chain, 3n * PER_VCPU_HOUR);
    const further = await startNode(t, chain, PER_VCPU_HOUR);
    await further.mine(2);
    for (const node of [awarded, standby, another, further]) await node.caughtUp();
    const { market } = awarded.consumer;
    const nodes = [awarded, standby, another].map(({ provider }) => provider.node);
    const { plan, submitted, key, signer, peer, task } = await orderPrivately(t, chain, awarded, nodes);
    const { taskId, leaseId } = submitted;
    assert.deepEqual(readersOf(plan, task.spec), { chosen: nodes.slice(0, 1), standbys: nodes.slice(1) });
    await awarded.untilStatus(leaseId, "Running");

    // Its node is gone, and one standby too; the other keeps what it was given, but takes nothing new.
    await another.oracle.stop();
    await standby.provider.market.drain(standby.provider.node);
    await awarded.oracle.stop();
    await awarded.provider.fail(leaseId, 1, "drained");
    await further.until("the lost lease is looked at", () => further.events.includes("reopened-looked-at"));
    for (let round = 0; round < 60; round++) {
      await further.mine();
      await sleep(60);
    }
    const waiting = await further.lease(leaseId);
    assert.deepEqual([waiting.status, waiting.attempt], ["Open", 1], "nobody can read what it is");
    assert.ok(!further.events.includes("lease-taken-over"));
    assert.deepEqual([further.cluster.made, standby.cluster.made], [[], []]);

    const other = further.provider.node;
    const { handed, sent } = await handOverKey({ market, key, id: taskId, nodes: [other] });
    assert.deepEqual([handed, sent === undefined], [[{ node: other, keyVersion: 1 }], false]);
    const holders = (await readKeyHolders(market, taskId)).map(({ node }) => node);
    assert.deepEqual([...holders].sort(), [...nodes, other].sort());
    await further.until("the second attempt", () => further.cluster.received.has(`${leaseId}:2`));
    const received = further.cluster.received.get(`${leaseId}:2`);
    assert.equal(received?.spec.env.TOKEN, SECRET);
    assert.deepEqual(received.inputs, { "rows.csv": INPUT }, "from the standby that has them");
    const disk = await onDisk(further);
    assert.ok(disk.length > INPUT.length);
    for (const plain of [SECRET, INPUT.slice(0, 40)]) assert.ok(!disk.includes(plain), "it rests sealed");

    await further.untilStatus(leaseId, "Running");
    await further.until("a claim", async () => (await further.lease(leaseId)).lastStep > 0n);
    await further.pass(60);
    await further.caughtUp();
    further.cluster.exit(60);
    await further.untilStatus(leaseId, "Completed");
    const delivery = await fetchDelivery({
      market,
      peer,
      signer,
      key,
      id: taskId,
      store: memoryCiphertext(),
      sink: memorySink(),
    });
    assert.deepEqual([delivery.node, delivery.spec], [other, task.spec]);
    await market.approve(leaseId);
    await further.untilStatus(leaseId, "Settled");
    const { billedSeconds, ratePerHour } = await further.lease(leaseId);
    assert.ok(billedSeconds > 0n);
    assert.equal((await further.money()).earned, payOf(billedSeconds, ratePerHour));
  });
});
