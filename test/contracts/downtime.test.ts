import { expect } from "chai";
import { verdicts } from "./claims.ts";
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
import { committee, first, marketWithCommittee, report, second } from "./providers.ts";

const { consumer, stranger } = people;
const node = first.operator;
const CENT = DOLLAR / 100n;

/** A run of the first provider at a cent a second. */
async function running(market: Market, changes = {}): Promise<TaskRef & { startedAt: bigint }> {
  const task = await market.award({ ratePerHour: 36n * DOLLAR, ...changes }, [node]);
  await market.tasks.connect(node).startLease(task.leaseId, 1);
  return { ...task, startedAt: await now() };
}

/** Offline for 30 seconds, until its operator sends a checkpoint; returns since when. */
async function offlineForHalfAMinute(market: Market, { leaseId }: TaskRef): Promise<bigint> {
  const { since } = await report(market, node.address);
  await nextBlockAt(since + 30n);
  await market.tasks.connect(node).checkpoint(leaseId, 1, 1, digest("back"));
  return since;
}

const billed = async (market: Market, { leaseId }: TaskRef) => {
  const { billedSeconds, downSeconds } = await market.tasks.getLease(leaseId);
  return [billedSeconds, downSeconds];
};

describe("Downtime (rules 14 and 25)", () => {
  it("is taken off: seconds in which the node was offline between start and claim are not paid", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const since = await offlineForHalfAMinute(market, task);
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

  it("uses up the run's time: the next attempt has what is left after it", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market, { maxAttempts: 2 });
    const backAt = (await offlineForHalfAMinute(market, task)) + 30n;
    await market.tasks.connect(node).failLease(task.leaseId, 1, digest("disk"));
    const { maxSeconds, reserved } = await market.tasks.getLease(task.leaseId);
    const ran = backAt - task.startedAt;
    expect([maxSeconds, reserved]).to.deep.equal([3600n - ran, (3600n - (ran - 30n)) * CENT]);
  });

  it("is forgotten with all that a run would have been paid for, where attesters find its result missing", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const since = await offlineForHalfAMinute(market, task);
    await nextBlockAt(since + 200n);
    await market.complete(task, { ended: since + 200n }, stranger, node);
    expect((await billed(market, task))[1]).to.equal(30n);
    await market.tasks.connect(consumer).claimUndelivered(task.leaseId);
    const by = committee.map(({ operator }) => operator);
    await market.tasks.answerWithAttesters(task.leaseId, false, await verdicts(market, task, false, by));
    expect(await billed(market, task)).to.deep.equal([0n, 0n]);
  });

  it("of a lost attempt's node is not the next attempt's, which ends before it has started", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await market.award({ ratePerHour: 36n * DOLLAR, maxAttempts: 2 }, [node]);
    const { since } = await report(market, node.address);
    await nextBlockAt(since + 100n);
    await market.tasks.connect(node).startLease(task.leaseId, 1);
    await market.tasks.connect(node).failLease(task.leaseId, 1, digest("disk"));
    const { offlineAtStart, offlineAtClaim } = await market.tasks.getLease(task.leaseId);
    expect([offlineAtStart, offlineAtClaim]).to.deep.equal([0n, 0n]);
    await market.tasks.connect(second.operator).takeOver(task.leaseId);
    await market.tasks.connect(second.operator).failLease(task.leaseId, 2, digest("disk"));
    expect(await market.statusOf(task)).to.equal("Failed");
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
  });

  it("is taken off the least that a cancelled run is paid for, too", async () => {
    const market = await loadFixture(marketWithCommittee);
    const parameters = structuredClone(market.parameters.task.initial);
    parameters.terms.minBilled = 60;
    await market.tasks.connect(people.governor).setParameters(parameters);
    const task = await running(market, { maxDuration: 60, fundedSeconds: 60 });
    await offlineForHalfAMinute(market, task);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    await market.complete(task, {}, stranger, node);
    expect(await billed(market, task)).to.deep.equal([30n, 30n]);
  });

  it("of a lost attempt is forgotten when its lease opens again", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market, { maxAttempts: 2 });
    await offlineForHalfAMinute(market, task);
    const { startedAt, lastClaimAt } = await market.tasks.getLease(task.leaseId);
    await expect(market.tasks.connect(node).failLease(task.leaseId, 1, digest("disk")))
      .to.emit(market.escrow, "Paid")
      .withArgs(
        task.leaseId,
        consumer.address,
        first.owner.address,
        task.taskId,
        1,
        lastClaimAt - startedAt,
        30,
        36n * DOLLAR,
        (lastClaimAt - startedAt - 30n) * CENT,
        ((lastClaimAt - startedAt - 30n) * CENT) / 100n,
      );
    expect(await billed(market, task)).to.deep.equal([0n, 0n]);
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

  it("costs nothing where the node takes a task while the report is pending: that is a sign of life", async () => {
    const market = await loadFixture(marketWithCommittee);
    const { taskId } = await market.createTask();
    const { since } = await report(market, node.address);
    await expect(market.tasks.connect(node).acceptTask(taskId))
      .to.emit(market.liveness, "OfflineVoided")
      .withArgs(node.address, since);
  });

  it("costs nothing where the node takes a lease over while the report is pending", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await market.award({ maxAttempts: 2 }, [node]);
    await market.tasks.connect(node).failLease(task.leaseId, 1, digest("disk"));
    const { since } = await report(market, second.operator.address);
    await expect(market.tasks.connect(second.operator).takeOver(task.leaseId))
      .to.emit(market.liveness, "OfflineVoided")
      .withArgs(second.operator.address, since);
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
