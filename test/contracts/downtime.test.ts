import { expect } from "chai";
import {
  DOLLAR,
  digest,
  loadFixture,
  type Market,
  nextBlockAt,
  now,
  people,
  type TaskRef,
} from "./market.ts";
import { first, marketWithCommittee, report } from "./providers.ts";

const { consumer, stranger } = people;
const node = first.operator;
const CENT = DOLLAR / 100n;

/** A run of the first provider at a cent a second. */
async function running(market: Market): Promise<TaskRef & { startedAt: bigint }> {
  const task = await market.award({ ratePerHour: 36n * DOLLAR }, [node]);
  await market.tasks.connect(node).startLease(task.leaseId, 1);
  return { ...task, startedAt: await now() };
}

const billed = async (market: Market, { leaseId }: TaskRef) => {
  const { billedSeconds, downSeconds } = await market.tasks.getLease(leaseId);
  return [billedSeconds, downSeconds];
};

describe("Downtime (rules 14 and 25)", () => {
  it("is taken off: seconds in which the node was offline between start and claim are not paid", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const { since } = await report(market, node.address);
    await nextBlockAt(since + 30n);
    await market.tasks.connect(node).checkpoint(task.leaseId, 1, 1, digest("back"));
    await nextBlockAt(since + 200n);
    const ended = since + 200n;
    await market.complete(task, { ended }, stranger, node);
    const ran = ended - task.startedAt;
    expect(await billed(market, task)).to.deep.equal([ran - 30n, 30n]);
    await expect(market.tasks.connect(consumer).approve(task.leaseId))
      .to.emit(market.escrow, "Paid")
      .withArgs(
        task.leaseId,
        consumer.address,
        first.owner.address,
        task.taskId,
        1,
        ran,
        30,
        36n * DOLLAR,
        (ran - 30n) * CENT,
        ((ran - 30n) * CENT) / 100n,
      );
  });

  it("of before the start counts nothing", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await market.award({ ratePerHour: 36n * DOLLAR }, [node]);
    const { since } = await report(market, node.address);
    await nextBlockAt(since + 100n);
    await market.tasks.connect(node).startLease(task.leaseId, 1);
    await nextBlockAt(since + 150n);
    await market.complete(task, { ended: since + 150n }, stranger, node);
    expect((await market.tasks.getLease(task.leaseId)).offlineAtStart).to.equal(100n);
    expect(await billed(market, task)).to.deep.equal([50n, 0n]);
  });

  it("is never more than what ran", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const { since } = await report(market, node.address);
    await nextBlockAt(since + 1000n);
    await market.complete(task, { ended: task.startedAt + 40n }, stranger, node);
    expect(await billed(market, task)).to.deep.equal([0n, 40n]);
    await market.tasks.connect(consumer).approve(task.leaseId);
    expect(await market.escrow.earningsOf(first.owner.address)).to.equal(0n);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
  });

  it("costs nothing while the report is pending and the operator answers it", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const { since, final } = await report(market, node.address);
    await nextBlockAt(final - 1n);
    await market.tasks.connect(node).checkpoint(task.leaseId, 1, 1, digest("here"));
    await nextBlockAt(since + 100n);
    await market.complete(task, { ended: since + 100n }, stranger, node);
    expect((await billed(market, task))[1]).to.equal(0n);
  });

  it("counts up to the claim that somebody else carries while the node is offline", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const { since } = await report(market, node.address);
    const ended = since + 60n;
    await nextBlockAt(ended);
    await market.complete(task, { ended }, stranger, node);
    expect(await billed(market, task)).to.deep.equal([ended - task.startedAt - 60n, 60n]);
    expect(await market.liveness.offlineSince(node.address)).to.equal(since);
  });

  it("ends with the claim that the operator sends itself", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const { since } = await report(market, node.address);
    await nextBlockAt(since + 60n);
    await market.complete(task, { ended: since + 60n }, node, node);
    expect((await billed(market, task))[1]).to.equal(60n);
    expect(await market.liveness.offlineSince(node.address)).to.equal(0n);
  });

  it("of after the last checkpoint takes nothing from what a lost lease had earned to there", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    await nextBlockAt(task.startedAt + 100n);
    await market.tasks.connect(node).checkpoint(task.leaseId, 1, 1, digest("earned"));
    const { since } = await report(market, node.address);
    await nextBlockAt(since + 121n);
    await market.tasks.connect(stranger).failover(task.leaseId);
    expect(await market.statusOf(task)).to.equal("Failed");
    expect(await billed(market, task)).to.deep.equal([100n, 0n]);
  });
});
