import { expect } from "chai";
import { CENT, complete, earned, leaseOf, lostOne, order, stakeOf, two, waiting } from "./gang.ts";
import { DOLLAR, loadFixture, type Market, nextBlockAt, people } from "./market.ts";
import { conserving, first, marketWithProviders, member, runningGang, second, third } from "./providers.ts";

const { consumer } = people;

/** The market with providers in which a cancelled run is paid for a minute at least. */
async function marketWithTrial(): Promise<Market> {
  const market = await marketWithProviders();
  const parameters = structuredClone(market.parameters.task.initial);
  parameters.terms.minBilled = 60;
  await market.tasks.connect(people.governor).setParameters(parameters);
  return market;
}

describe("A gang that is cancelled (rules 13 and 18)", () => {
  it("stops as one: who runs may still deliver, paid to the cancel", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, clockStart } = await runningGang(market, two, order);
      await nextBlockAt(clockStart + 100n);
      const cancelling = market.tasks.connect(consumer).cancelTask(task.taskId);
      for (const [index, { operator }] of two.entries())
        await expect(cancelling)
          .to.emit(market.tasks, "LeaseStopping")
          .withArgs(member(task, index).leaseId, operator.address, clockStart + 100n);
      expect((await market.tasks.getGang(task.taskId)).firstTo).to.equal(clockStart + 100n);
      for (const [index, by] of two.entries()) {
        expect((await leaseOf(market, task, index)).status).to.equal(4n);
        await complete(market, task, index, by, { ended: clockStart + 100n, outcome: 5 });
        expect((await leaseOf(market, task, index)).billedSeconds).to.equal(100n);
      }
      await expect(market.tasks.connect(consumer).cancelTask(task.taskId)).to.be.revertedWithCustomError(
        market.tasks,
        "TaskIsOver",
      );
    });
  });

  it("is free for those that have not started, and unlocks what was kept for the waiting", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, lostAt } = await lostOne(market);
      const past = await market.tasks.getPastAttempt(member(task, 2).leaseId, 1);
      expect([past.node, past.endedAt, past.isLocked, past.isProven]).to.deep.equal([
        third.operator.address,
        lostAt,
        true,
        false,
      ]);
      await nextBlockAt(lostAt + 40n);
      await market.tasks.connect(consumer).cancelTask(task.taskId);
      expect((await leaseOf(market, task, 2)).status).to.equal(7n);
      for (const by of two) expect(await earned(market, by)).to.equal((40n * CENT) / 2n);
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR - 40n * CENT, 0n]);
    });
  });

  it("pays each member that ran for a minute at least (rule 18)", async () => {
    const market = await loadFixture(marketWithTrial);
    const { task, clockStart } = await runningGang(market, two, order);
    await nextBlockAt(clockStart + 10n);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    for (const [index, by] of two.entries()) {
      await complete(market, task, index, by);
      expect((await leaseOf(market, task, index)).billedSeconds).to.equal(60n);
    }
  });

  it("pays no trial before the clock has started, whoever had started by then (rule 16)", async () => {
    const market = await loadFixture(marketWithTrial);
    const { task } = await waiting(market);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    await complete(market, task, 0, first);
    await market.tasks.connect(consumer).approve(member(task, 0).leaseId);
    expect((await leaseOf(market, task, 0)).billedSeconds).to.equal(0n);
    expect(await earned(market, first)).to.equal(0n);
  });

  it("costs nobody anything before anyone has started", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award(order, [first.operator, second.operator]);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    for (const index of [0, 1]) expect((await leaseOf(market, task, index)).status).to.equal(7n);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
  });
});
