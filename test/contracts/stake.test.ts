import { expect } from "chai";
import {
  busyLocalMarket,
  busyProductionMarket,
  DAY,
  DOLLAR,
  HOUR,
  loadFixture,
  localMarket,
  nextBlockAt,
  now,
  people,
  profile,
} from "./market.ts";

const { operator, otherOperator, owner, stranger, consumer } = people;

describe("Stake", () => {
  it("moves from the owner's free balance into the node's stake", async () => {
    const market = await loadFixture(localMarket);
    await market.register();
    await market.fund(owner, 500n * DOLLAR);
    await expect(market.nodes.connect(owner).stake(operator.address, 300n * DOLLAR))
      .to.emit(market.nodes, "StakeAdded")
      .withArgs(operator.address, owner.address, 300n * DOLLAR);
    expect(await market.escrow.freeOf(owner.address)).to.equal(200n * DOLLAR);
    expect(await market.escrow.stakeOf(operator.address)).to.equal(300n * DOLLAR);
  });

  it("is the owner's to add and to take, and never zero", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (const call of ["stake", "unstake"] as const) {
      await expect(market.nodes.connect(stranger)[call](operator.address, 1))
        .to.be.revertedWithCustomError(market.nodes, "NotOwner")
        .withArgs(operator.address, stranger.address);
      await expect(market.nodes.connect(owner)[call](operator.address, 0)).to.be.revertedWithCustomError(
        market.nodes,
        "ZeroAmount",
      );
    }
    await expect(
      market.nodes.connect(owner).setFloor(operator.address, { perGpuHour: 1, perVCpuHour: 1 }),
    ).to.emit(market.nodes, "FloorChanged");
    await expect(
      market.nodes.connect(operator).setFloor(operator.address, { perGpuHour: 1, perVCpuHour: 1 }),
    ).to.be.revertedWithCustomError(market.nodes, "NotOwner");
  });

  it("cannot be more than the owner has free, nor overflow its counter", async () => {
    const market = await loadFixture(busyLocalMarket);
    await expect(market.nodes.connect(owner).stake(operator.address, 1))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientFree")
      .withArgs(owner.address, 1, 0);
    await expect(market.nodes.connect(owner).stake(operator.address, 2n ** 128n))
      .to.be.revertedWithCustomError(market.nodes, "SafeCastOverflowedUintDowncast")
      .withArgs(128, 2n ** 128n);
  });

  it("needs max(minStake, stakePerGpu x GPUs) before a lease is taken", async () => {
    const market = await loadFixture(localMarket);
    await market.activeNode({}, operator, owner, 799n * DOLLAR);
    await market.fund(consumer, 100n * DOLLAR);
    expect(await market.nodes.stakeRequired(operator.address)).to.equal(800n * DOLLAR);
    const ref = await market.createTask();
    await expect(market.tasks.connect(operator).acceptTask(ref.taskId))
      .to.be.revertedWithCustomError(market.nodes, "StakeTooLow")
      .withArgs(operator.address, 799n * DOLLAR, 800n * DOLLAR);
    await market.nodes.connect(owner).updateProfile(operator.address, profile({ gpus: 0, gpuModel: "" }));
    expect(await market.nodes.stakeRequired(operator.address)).to.equal(100n * DOLLAR);
    await market.nodes.connect(owner).updateProfile(operator.address, profile());
    await market.fund(owner, DOLLAR);
    await market.nodes.connect(owner).stake(operator.address, DOLLAR);
    const exact = await market.createTask();
    await market.tasks.connect(operator).acceptTask(exact.taskId);
    expect(await market.statusOf(exact)).to.equal("Assigned");
  });

  it("must have been there for the ticket age: one stake cannot draw tickets for many nodes", async () => {
    const market = await loadFixture(busyProductionMarket);
    const never = 2n ** 64n - 1n;
    await market.register({}, otherOperator);
    const { activeSince: registeredAt } = await market.nodes.getNode(otherOperator.address);
    await nextBlockAt(registeredAt + 2n * HOUR);
    const ref = await market.createTask({ openUntil: registeredAt + 3n * HOUR });
    await market.fund(owner, 1000n * DOLLAR);
    await market.nodes.connect(owner).stake(otherOperator.address, 799n * DOLLAR);
    await market.nodes.connect(owner).stake(otherOperator.address, DOLLAR);
    const stakedAt = await market.nodes.activeSinceOf(otherOperator.address);
    expect(stakedAt).to.equal(await now());
    expect(await market.tasks.admittedAt(ref.taskId, otherOperator.address)).to.equal(never);

    await nextBlockAt(stakedAt + HOUR);
    const later = await market.createTask({ openUntil: stakedAt + 2n * HOUR });
    expect(await market.tasks.admittedAt(later.taskId, otherOperator.address)).not.to.equal(never);
    await market.nodes.connect(owner).stake(otherOperator.address, DOLLAR);
    expect(await market.nodes.activeSinceOf(otherOperator.address)).to.equal(stakedAt);
    await market.tasks.connect(otherOperator).acceptTask(later.taskId);
  });

  it("locks max(minLock, lockBps x reserved) for a lease until it is settled", async () => {
    const market = await loadFixture(busyLocalMarket);
    const small = await market.leaseIn("Running", { ratePerHour: 1n * DOLLAR });
    expect((await market.tasks.getLease(small.leaseId)).lock).to.equal(10n * DOLLAR);
    const big = await market.leaseIn("Completed", { ratePerHour: 1000n * DOLLAR });
    expect((await market.tasks.getLease(big.leaseId)).lock).to.equal(200n * DOLLAR);
    expect((await market.nodes.stakeOf(operator.address)).locked).to.equal(210n * DOLLAR);
    await market.tasks.connect(consumer).approve(big.leaseId);
    expect((await market.nodes.stakeOf(operator.address)).locked).to.equal(10n * DOLLAR);
  });

  it("must have the lock free", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.createTask({ ratePerHour: 5001n * DOLLAR });
    await expect(market.tasks.connect(operator).acceptTask(ref.taskId))
      .to.be.revertedWithCustomError(market.nodes, "StakeNotFree")
      .withArgs(operator.address, 1_000_200_000n, 1000n * DOLLAR);
  });

  it("unbonds only what no lease holds", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.leaseIn("Completed");
    await expect(market.nodes.connect(owner).unstake(operator.address, 990n * DOLLAR + 1n))
      .to.be.revertedWithCustomError(market.nodes, "StakeNotFree")
      .withArgs(operator.address, 990n * DOLLAR + 1n, 990n * DOLLAR);
    await market.nodes.connect(owner).unstake(operator.address, 990n * DOLLAR);
    expect((await market.nodes.stakeOf(operator.address)).slice(0, 3)).to.deep.equal([
      10n * DOLLAR,
      10n * DOLLAR,
      990n * DOLLAR,
    ]);
  });

  it("returns after the evidence period, to the owner, by anyone, and not a second earlier", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.nodes.connect(owner).unstake(operator.address, 400n * DOLLAR);
    const { releasableAt } = await market.nodes.stakeOf(operator.address);
    await nextBlockAt(releasableAt);
    await expect(market.nodes.connect(stranger).releaseUnbonded(operator.address))
      .to.be.revertedWithCustomError(market.nodes, "NothingUnbonded")
      .withArgs(operator.address, 400n * DOLLAR, releasableAt);
    await nextBlockAt(releasableAt + 1n);
    await expect(market.nodes.connect(stranger).releaseUnbonded(operator.address))
      .to.emit(market.nodes, "UnbondingReleased")
      .withArgs(operator.address, 400n * DOLLAR);
    expect(await market.escrow.freeOf(owner.address)).to.equal(400n * DOLLAR);
    await expect(market.nodes.releaseUnbonded(operator.address)).to.be.revertedWithCustomError(
      market.nodes,
      "NothingUnbonded",
    );
  });

  it("starts the evidence period anew for everything that unbonds when more is added", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.nodes.connect(owner).unstake(operator.address, 100n * DOLLAR);
    const first = (await market.nodes.stakeOf(operator.address)).releasableAt;
    await nextBlockAt(first - DAY);
    await market.nodes.connect(owner).unstake(operator.address, 1n);
    expect((await market.nodes.stakeOf(operator.address)).releasableAt).to.equal(first + 6n * DAY);
  });
});
