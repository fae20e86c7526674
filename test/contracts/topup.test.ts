import { expect } from "chai";
import {
  busyLocalMarket,
  DOLLAR,
  digest,
  type LeaseRef,
  loadFixture,
  type Market,
  nextBlockAt,
  people,
} from "./market.ts";
import { conserving, first, marketWithProviders, member, runningGang, second } from "./providers.ts";

const { consumer, stranger } = people;
const RATE = 36n * DOLLAR;
const CENT = DOLLAR / 100n;
const TEN_MINUTES = { ratePerHour: RATE, maxDuration: 3600, fundedSeconds: 600 };

/** Funds a task for so many seconds in all. */
const fund = ({ tasks }: Market, { taskId }: LeaseRef, seconds: number, by = consumer) =>
  tasks.connect(by).topUp(taskId, seconds);

describe("A task that is funded for part of its duration", () => {
  it("reserves for the funded seconds only, and runs no longer", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", TEN_MINUTES);
    const { startedAt, reserved, maxSeconds } = await market.tasks.getLease(ref.leaseId);
    expect([reserved, maxSeconds]).to.deep.equal([600n * CENT, 600n]);
    expect(await market.tasks.deadlineOf(ref.leaseId)).to.equal(startedAt + 630n);
    await nextBlockAt(startedAt + 630n);
    await market.complete(ref, { ended: startedAt + 630n });
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(600n);
  });
});

describe("A top-up (rule 14)", () => {
  it("reserves more and moves the end", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", TEN_MINUTES);
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await expect(fund(market, ref, 1500))
      .to.emit(market.tasks, "TaskToppedUp")
      .withArgs(ref.taskId, 1500, 900n * CENT);
    expect((await market.escrow.reservedFor(ref.taskId)).amount).to.equal(1500n * CENT);
    expect(await market.tasks.deadlineOf(ref.leaseId)).to.equal(startedAt + 1530n);
    await nextBlockAt(startedAt + 1510n);
    await market.complete(ref, { ended: startedAt + 1510n });
    await market.tasks.connect(consumer).approve(ref.leaseId);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR - 1500n * CENT);
    expect((await market.escrow.reservedFor(ref.taskId)).amount).to.equal(0n);
  });

  it("is possible while Open and Assigned too, never beyond the order's maxDuration", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (const status of ["Open", "Assigned", "Running"] as const) {
      const ref = await market.leaseIn(status, TEN_MINUTES);
      await expect(fund(market, ref, 3601))
        .to.be.revertedWithCustomError(market.tasks, "FundedOutOfRange")
        .withArgs(3601, 3600);
      await fund(market, ref, 3600);
      expect((await market.tasks.getLease(ref.leaseId)).maxSeconds).to.equal(3600n);
    }
  });

  it("that is sent twice reserves once, and one beside it only what is missing", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", TEN_MINUTES);
    await fund(market, ref, 601);
    for (const seconds of [601, 600, 0]) {
      await expect(fund(market, ref, seconds))
        .to.be.revertedWithCustomError(market.tasks, "FundedAlready")
        .withArgs(ref.taskId, 601);
    }
    await expect(fund(market, ref, 900))
      .to.emit(market.tasks, "TaskToppedUp")
      .withArgs(ref.taskId, 900, 299n * CENT);
    expect((await market.escrow.reservedFor(ref.taskId)).amount).to.equal(900n * CENT);
    expect((await market.tasks.getLease(ref.leaseId)).maxSeconds).to.equal(900n);
  });

  it("comes in time up to the lease's deadline", async () => {
    const market = await loadFixture(busyLocalMarket);
    const late = await market.leaseIn("Running", TEN_MINUTES);
    const deadline = await market.tasks.deadlineOf(late.leaseId);
    await nextBlockAt(deadline + 1n);
    await expect(fund(market, late, 660))
      .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
      .withArgs(late.leaseId, deadline, deadline + 1n);
    const ref = await market.leaseIn("Running", TEN_MINUTES);
    const last = await market.tasks.deadlineOf(ref.leaseId);
    await nextBlockAt(last);
    await fund(market, ref, 660);
    expect(await market.tasks.deadlineOf(ref.leaseId)).to.equal(last + 60n);
  });

  it("is the consumer's alone, from what it has free", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", TEN_MINUTES);
    await expect(fund(market, ref, 660, stranger)).to.be.revertedWithCustomError(market.tasks, "NotConsumer");
    await market.escrow
      .connect(consumer)
      .withdraw(stranger.address, await market.escrow.freeOf(consumer.address));
    await expect(fund(market, ref, 660)).to.be.revertedWithCustomError(market.escrow, "InsufficientFree");
    expect((await market.tasks.getTask(ref.taskId)).fundedSeconds).to.equal(600n);
  });

  it("means nothing to a task that is over or stopping", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (const status of ["Stopping", "Completed", "Settled", "Cancelled", "Failed", "Expired"] as const) {
      const ref = await market.leaseIn(status, TEN_MINUTES);
      await expect(fund(market, ref, 660))
        .to.be.revertedWithCustomError(market.tasks, "TaskIsOver")
        .withArgs(ref.taskId);
    }
  });

  it("funds every member of a gang that is not over, at its own rate", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, clockStart } = await runningGang(market, [first, second], TEN_MINUTES);
      await nextBlockAt(clockStart + 100n);
      await market.complete(member(task, 0), { ended: clockStart + 100n }, stranger, first.operator);
      await expect(fund(market, task, 900))
        .to.emit(market.tasks, "TaskToppedUp")
        .withArgs(task.taskId, 900, 300n * CENT);
      expect(await market.tasks.deadlineOf(member(task, 1).leaseId)).to.equal(clockStart + 930n);
      await market.tasks.connect(consumer).cancelTask(task.taskId);
      await expect(fund(market, task, 960)).to.be.revertedWithCustomError(market.tasks, "TaskIsOver");
    });
  });

  it("goes to the next attempt as well, whose lock covers it", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award({ ...TEN_MINUTES, ratePerHour: 360n * DOLLAR, maxAttempts: 2 }, [
      first.operator,
    ]);
    await market.tasks.connect(first.operator).startLease(task.leaseId, 1);
    await fund(market, task, 3600);
    expect((await market.tasks.getLease(task.leaseId)).lock).to.equal(12n * DOLLAR);
    await market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("lost"));
    await expect(fund(market, task, 3600)).to.be.revertedWithCustomError(market.tasks, "FundedAlready");
    await market.tasks.connect(second.operator).takeOver(task.leaseId);
    const lease = await market.tasks.getLease(task.leaseId);
    expect([lease.maxSeconds, lease.reserved, lease.lock]).to.deep.equal([
      3600n,
      360n * DOLLAR,
      72n * DOLLAR,
    ]);
  });
});
