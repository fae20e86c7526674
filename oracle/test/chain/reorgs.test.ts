import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { FINALITY, payOf, type RunningOracle, startOracle } from "./running-oracle.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

type Order = Awaited<ReturnType<RunningOracle["order"]>>;

/**
 * Takes back the last block that holds a transaction, and all after it, once it is so many blocks deep; or deeper, if the daemon
 * has had more mined, but nothing final.
 */
async function reorgOutOf(oracle: RunningOracle, depth: number): Promise<void> {
  const head = await oracle.client.getBlockNumber({ cacheTime: 0 });
  let deep = 1;
  const block = () => oracle.client.getBlock({ blockNumber: head - BigInt(deep - 1) });
  while ((await block()).transactions.length === 0) deep++;
  if (deep < depth) await oracle.mine(depth - deep);
  await oracle.caughtUp();
  const mined = Number((await oracle.client.getBlockNumber({ cacheTime: 0 })) - head);
  await oracle.reorg(Math.min(deep + mined, FINALITY));
}

/** Nothing of a lease is deleted before a final block calls it over. */
function watchTearDown(oracle: RunningOracle): string[] {
  const early: string[] = [];
  const over = ["Completed", "Settled", "Cancelled", "Failed", "Expired"];
  oracle.cluster.beforeTearDown = async ({ leaseId }) => {
    const head = await oracle.client.getBlockNumber({ cacheTime: 0 });
    const { status } = await oracle.lease(leaseId, head - BigInt(FINALITY));
    if (!over.includes(status)) early.push(`${leaseId} was torn down while the final block said ${status}`);
  };
  return early;
}

/** The life's end, and what must be so after it. */
async function endsPaidOnce(oracle: RunningOracle, { leaseId }: Order, earnedBefore: bigint): Promise<void> {
  await oracle.until("torn down", () => oracle.cluster.tornDown.some((key) => key.startsWith(leaseId)));
  await oracle.untilStatus(leaseId, "Settled");
  const { billedSeconds, ratePerHour } = await oracle.lease(leaseId);
  const { earned, reserved } = await oracle.money();
  assert.equal(earned - earnedBefore, payOf(billedSeconds, ratePerHour));
  assert.ok(billedSeconds > 0n);
  assert.equal(reserved, 0n);
  assert.equal(oracle.claims(leaseId).size, 1, "one claim was signed");
  assert.deepEqual(
    oracle.cluster.made.filter((key) => key.startsWith(leaseId)),
    [`${leaseId}:1`],
  );
}

describe("a reorg while the oracle runs (rules 6 and 30)", () => {
  for (const depth of [1, 2, 3, 6, 12]) {
    it(`of ${depth} at each step of a life takes nothing from it: one pod, one claim, paid once`, async (t) => {
      const oracle = await startOracle(t, chain);
      const early = watchTearDown(oracle);
      const order = await oracle.order();
      const { leaseId } = order;
      await reorgOutOf(oracle, depth);
      assert.equal(
        (await oracle.lease(leaseId)).status === "None",
        false,
        "the consumer's order is mined again",
      );
      await oracle.untilStatus(leaseId, "Assigned", "Running");
      await reorgOutOf(oracle, depth);
      await oracle.untilStatus(leaseId, "Running");
      await reorgOutOf(oracle, depth);
      await oracle.untilStatus(leaseId, "Running");
      await oracle.pass(6); // the interval of claims
      await oracle.until("a checkpoint", async () => (await oracle.lease(leaseId)).lastStep > 0n);
      await reorgOutOf(oracle, depth);
      await oracle.until("a checkpoint again", async () => (await oracle.lease(leaseId)).lastStep > 0n);
      oracle.cluster.exit();
      await oracle.untilStatus(leaseId, "Completed");
      await reorgOutOf(oracle, depth);
      await oracle.untilStatus(leaseId, "Completed");
      await oracle.pass(25); // the window
      await oracle.untilStatus(leaseId, "Settled");
      await reorgOutOf(oracle, depth);
      await endsPaidOnce(oracle, order, 0n);
      assert.deepEqual(early, []);
      const seen = oracle.events.filter((event) => event === "chain-reorged").length;
      assert.ok(oracle.noticeable() >= 3, `${oracle.noticeable()} reorgs took back what the daemon had read`);
      assert.ok(seen >= oracle.noticeable(), `the daemon has seen ${seen} of ${oracle.noticeable()} reorgs`);
    });
  }

  it("that takes an order back before it has its confirmations: nothing was sent and no pod made for it", async (t) => {
    const oracle = await startOracle(t, chain);
    await oracle.mine(FINALITY);
    const { leaseId } = await oracle.order();
    await oracle.caughtUp();
    await oracle.reorg(1, false);
    for (let blocks = 0; blocks < 5; blocks++) {
      await oracle.mine();
      await oracle.caughtUp();
    }
    assert.equal((await oracle.lease(leaseId)).status, "None");
    assert.deepEqual([oracle.sent, oracle.cluster.made], [[], []]);
  });

  it("that takes an order and its pod's grounds back deletes nothing; if the order comes again, so does its pay", async (t) => {
    const oracle = await startOracle(t, chain);
    const early = watchTearDown(oracle);
    await oracle.mine(FINALITY);
    const order = await oracle.order();
    const { leaseId } = order;
    await oracle.untilStatus(leaseId, "Running");
    await oracle.caughtUp();
    const head = await oracle.client.getBlockNumber({ cacheTime: 0 });
    let depth = 1;
    while ((await oracle.lease(leaseId, head - BigInt(depth))).status !== "None") depth++;
    assert.ok(depth <= FINALITY);
    const [ordered] = await oracle.reorg(depth, false);
    for (let blocks = 0; blocks < 3; blocks++) {
      await oracle.mine();
      await oracle.caughtUp();
    }
    assert.equal((await oracle.lease(leaseId)).status, "None");
    assert.deepEqual([oracle.cluster.running, oracle.cluster.tornDown], [1, []]);
    assert.ok(ordered);
    await oracle.send(ordered);
    await oracle.untilStatus(leaseId, "Running");
    await oracle.pass(3);
    oracle.cluster.exit();
    await oracle.untilStatus(leaseId, "Completed");
    await oracle.pass(25);
    await endsPaidOnce(oracle, order, 0n);
    assert.deepEqual(early, []);
  });
});
