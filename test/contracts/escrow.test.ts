import { expect } from "chai";
import type { BaseContract } from "ethers";
import { readParameters } from "../../ignition/parameters.ts";
import {
  busyLocalMarket,
  DOLLAR,
  deployMarket,
  digest,
  ethers,
  HOUR,
  loadFixture,
  localMarket,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import { permit } from "./permit.ts";

const { consumer, owner, stranger, feeRecipient, operator } = people;
const DEAD = "0x000000000000000000000000000000000000dEaD";

/** A contract of the market as seen by another of its contracts. */
async function as(contract: BaseContract) {
  const address = await contract.getAddress();
  await networkHelpers.setBalance(address, 10n ** 18n);
  return ethers.getImpersonatedSigner(address);
}

describe("Deposits", () => {
  it("credit the caller or whom the caller names", async () => {
    const market = await loadFixture(localMarket);
    await market.fund(consumer, 5n * DOLLAR);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(5n * DOLLAR);
    await market.token.mint(stranger.address, DOLLAR);
    await market.token.connect(stranger).approve(await market.escrow.getAddress(), DOLLAR);
    await expect(market.escrow.connect(stranger).depositFor(consumer.address, DOLLAR))
      .to.emit(market.escrow, "Deposited")
      .withArgs(consumer.address, stranger.address, DOLLAR);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(6n * DOLLAR);
  });

  it("are never nothing and never nobody's", async () => {
    const market = await loadFixture(localMarket);
    await expect(market.escrow.deposit(0)).to.be.revertedWithCustomError(market.escrow, "ZeroAmount");
    await expect(market.escrow.depositFor(ethers.ZeroAddress, 1))
      .to.be.revertedWithCustomError(market.escrow, "InvalidRecipient")
      .withArgs(ethers.ZeroAddress);
  });

  it("take a permit, also one that somebody has used before", async () => {
    const market = await loadFixture(localMarket);
    await market.token.mint(consumer.address, 3n * DOLLAR);
    const deadline = (await now()) + HOUR;
    const first = await permit(market, consumer, DOLLAR, deadline);
    await market.escrow.connect(consumer).depositWithPermit(DOLLAR, deadline, first.v, first.r, first.s);
    const second = await permit(market, consumer, 2n * DOLLAR, deadline);
    await market.token
      .connect(stranger)
      .permit(
        consumer.address,
        await market.escrow.getAddress(),
        2n * DOLLAR,
        deadline,
        second.v,
        second.r,
        second.s,
      );
    await market.escrow
      .connect(consumer)
      .depositWithPermit(2n * DOLLAR, deadline, second.v, second.r, second.s);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(3n * DOLLAR);
  });
});

describe("Withdrawals", () => {
  it("send what is free to any address, and no more", async () => {
    const market = await loadFixture(localMarket);
    await market.fund(consumer, 5n * DOLLAR);
    await expect(market.escrow.connect(consumer).withdraw(stranger.address, 2n * DOLLAR))
      .to.emit(market.escrow, "Withdrawn")
      .withArgs(consumer.address, stranger.address, 2n * DOLLAR);
    expect(await market.token.balanceOf(stranger.address)).to.equal(2n * DOLLAR);
    await expect(market.escrow.connect(consumer).withdraw(consumer.address, 3n * DOLLAR + 1n))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientFree")
      .withArgs(consumer.address, 3n * DOLLAR + 1n, 3n * DOLLAR);
  });

  it("go neither to nobody, nor to the escrow itself, nor empty", async () => {
    const market = await loadFixture(localMarket);
    await market.fund(consumer, DOLLAR);
    for (const to of [ethers.ZeroAddress, await market.escrow.getAddress()]) {
      await expect(market.escrow.connect(consumer).withdraw(to, 1))
        .to.be.revertedWithCustomError(market.escrow, "InvalidRecipient")
        .withArgs(to);
    }
    await expect(market.escrow.connect(consumer).withdraw(consumer.address, 0)).to.be.revertedWithCustomError(
      market.escrow,
      "ZeroAmount",
    );
    await expect(market.escrow.withdrawFees()).to.be.revertedWithCustomError(market.escrow, "ZeroAmount");
    await expect(market.escrow.burnForfeited()).to.be.revertedWithCustomError(market.escrow, "ZeroAmount");
  });

  it("of earnings are the owner's, and of fees go to the fixed recipient whoever asks", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", { ratePerHour: 3600n * DOLLAR });
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + 100n);
    await market.complete(ref, { ended: startedAt + 100n });
    await market.tasks.connect(consumer).approve(ref.leaseId);
    await expect(market.escrow.connect(owner).withdrawEarnings(stranger.address, 100n * DOLLAR))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientEarnings")
      .withArgs(owner.address, 100n * DOLLAR, 99n * DOLLAR);
    await expect(market.escrow.connect(owner).withdrawEarnings(stranger.address, 99n * DOLLAR))
      .to.emit(market.escrow, "EarningsWithdrawn")
      .withArgs(owner.address, stranger.address, 99n * DOLLAR);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(0n);
    expect(await market.token.balanceOf(stranger.address)).to.equal(99n * DOLLAR);
    await expect(market.escrow.connect(stranger).withdrawFees())
      .to.emit(market.escrow, "FeesWithdrawn")
      .withArgs(feeRecipient.address, DOLLAR);
    expect(await market.token.balanceOf(feeRecipient.address)).to.equal(DOLLAR);
  });
});

/** A run that cost more than any reservation. */
const payment = (reserved: bigint) => ({
  taskId: digest("task"),
  leaseId: digest("lease"),
  attempt: 1,
  owner: owner.address,
  ranSeconds: 2n ** 63n,
  downSeconds: 0n,
  ratePerHour: 2n ** 127n,
  reserved,
  isFinal: true,
  feeBps: 0,
});

describe("The escrow's inner calls", () => {
  it("answer TaskRegistry and NodeRegistry only", async () => {
    const market = await loadFixture(localMarket);
    const escrow = market.escrow.connect(stranger);
    // One after another: what was begun and not awaited would fail in some later test.
    const forTasks = [
      () => escrow.reserve(consumer.address, digest("task"), 1),
      () => escrow.pay(payment(1n)),
      () => escrow.postBond(consumer.address, digest("lease"), 0),
      () => escrow.returnBond(consumer.address, digest("lease"), 0),
      () => escrow.awardBond(owner.address, digest("lease"), 0),
    ];
    for (const call of forTasks) {
      await expect(call())
        .to.be.revertedWithCustomError(market.escrow, "OnlyTaskRegistry")
        .withArgs(stranger.address);
    }
    const forNodes = [
      () => escrow.moveToStake(owner.address, operator.address, 1),
      () => escrow.returnStake(owner.address, operator.address, 1),
      () => escrow.compensate(operator.address, digest("lease"), 1, owner.address),
      () => escrow.migrateStake(operator.address, stranger.address),
      () => escrow.forfeitStake(operator.address, 1, 1, stranger.address),
    ];
    for (const call of forNodes) {
      await expect(call())
        .to.be.revertedWithCustomError(market.escrow, "OnlyNodeRegistry")
        .withArgs(stranger.address);
    }
    const nodes = market.nodes.connect(stranger);
    const capacity = { gpus: 0, vCpus: 0, memoryMiB: 0 };
    const request = {
      capacity,
      storageMiB: 0,
      isolation: 0,
      gpuModelHash: ethers.id(""),
      ratePerHour: 1,
      lock: 0,
    };
    const inNodes = [
      () => nodes.takeLease(operator.address, digest("lease"), request),
      () => nodes.releaseCapacity(operator.address, digest("lease"), capacity),
      () => nodes.unlockStake(operator.address, digest("lease"), 0),
      () => nodes.compensate(operator.address, digest("lease"), 1, owner.address),
      () => nodes.slash(operator.address, digest("lease"), 1, false, stranger.address),
    ];
    for (const call of inNodes) {
      await expect(call())
        .to.be.revertedWithCustomError(market.nodes, "OnlyTaskRegistry")
        .withArgs(stranger.address);
    }
  });

  it("give no lease to a node that is not Active, whatever a registry asks", async () => {
    const market = await loadFixture(busyLocalMarket);
    const request = {
      capacity: { gpus: 1, vCpus: 1, memoryMiB: 1 },
      storageMiB: 0,
      isolation: 0,
      gpuModelHash: ethers.id(""),
      ratePerHour: 1,
      lock: 0,
    };
    await expect(
      market.nodes.connect(await as(market.tasks)).takeLease(stranger.address, digest("lease"), request),
    )
      .to.be.revertedWithCustomError(market.nodes, "WrongNodeStatus")
      .withArgs(stranger.address, 0);
  });

  it("pay no more than a task has reserved, whatever a registry asks", async () => {
    const market = await loadFixture(busyLocalMarket);
    const escrow = market.escrow.connect(await as(market.tasks));
    await escrow.reserve(consumer.address, digest("task"), DOLLAR);
    await expect(escrow.pay(payment(DOLLAR + 1n)))
      .to.be.revertedWithCustomError(market.escrow, "ReservationTooSmall")
      .withArgs(digest("task"), DOLLAR + 1n, DOLLAR);
    await escrow.pay(payment(DOLLAR));
    expect(await market.escrow.earningsOf(owner.address)).to.equal(DOLLAR);
    expect(await market.escrow.reservedOf(consumer.address)).to.equal(0n);
    await expect(escrow.pay(payment(1n)))
      .to.be.revertedWithCustomError(market.escrow, "ReservationTooSmall")
      .withArgs(digest("task"), 1, 0);
    await expect(escrow.reserve(consumer.address, digest("vast"), 2n ** 96n)).to.be.revertedWithCustomError(
      market.escrow,
      "InsufficientFree",
    );
  });

  it("give back what a run leaves over, to the last base unit, and say nothing of nothing", async () => {
    const market = await loadFixture(busyLocalMarket);
    const escrow = market.escrow.connect(await as(market.tasks));
    await escrow.reserve(consumer.address, digest("task"), 11n);
    const free = await market.escrow.freeOf(consumer.address);
    const aRun = { ...payment(6n), ranSeconds: 1n, ratePerHour: 5n * HOUR };
    await expect(escrow.pay(aRun))
      .to.emit(market.escrow, "Released")
      .withArgs(consumer.address, digest("task"), 1);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(free + 1n);
    await expect(escrow.pay({ ...aRun, reserved: 5n })).not.to.emit(market.escrow, "Released");
    expect(await market.escrow.freeOf(consumer.address)).to.equal(free + 1n);
  });

  it("return all the stake that there is", async () => {
    const market = await loadFixture(busyLocalMarket);
    const before = await market.escrow.freeOf(owner.address);
    const escrow = market.escrow.connect(await as(market.nodes));
    await escrow.returnStake(owner.address, operator.address, 1000n * DOLLAR);
    expect(await market.escrow.stakeOf(operator.address)).to.equal(0n);
    expect(await market.escrow.freeOf(owner.address)).to.equal(before + 1000n * DOLLAR);
  });

  it("return and forfeit no more stake than there is, and reward at most a fifth", async () => {
    const market = await loadFixture(busyLocalMarket);
    const escrow = market.escrow.connect(await as(market.nodes));
    await expect(escrow.returnStake(owner.address, operator.address, 1000n * DOLLAR + 1n))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientStake")
      .withArgs(operator.address, 1000n * DOLLAR + 1n, 1000n * DOLLAR);
    await escrow.forfeitStake(operator.address, 2000n * DOLLAR, 2000n * DOLLAR, stranger.address);
    expect(await market.escrow.freeOf(stranger.address)).to.equal(200n * DOLLAR);
    const { stake, forfeited } = await market.escrow.totals();
    expect([await market.escrow.stakeOf(operator.address), stake, forfeited]).to.deep.equal([
      0n,
      0n,
      800n * DOLLAR,
    ]);
    await expect(market.escrow.burnForfeited())
      .to.emit(market.escrow, "ForfeitedBurned")
      .withArgs(800n * DOLLAR);
    expect(await market.token.balanceOf(DEAD)).to.equal(800n * DOLLAR);
  });
});

describe("Hostile tokens", () => {
  async function marketOf<Token extends BaseContract>(deployment: Promise<Token>) {
    const token = await deployment;
    const market = await deployMarket(await readParameters("local"), await token.getAddress());
    return { token, market, escrow: market.escrow, at: await market.escrow.getAddress() };
  }
  const feeOnTransfer = () => marketOf(ethers.deployContract("FeeOnTransferToken", [], people.deployer));
  const noReturn = () => marketOf(ethers.deployContract("NoReturnToken", [], people.deployer));
  const falseReturning = () => marketOf(ethers.deployContract("FalseReturningToken", [], people.deployer));
  const reentrant = () => marketOf(ethers.deployContract("ReentrantToken", [], people.deployer));

  it("credit what arrives, not what was sent", async () => {
    const { token, escrow, at } = await loadFixture(feeOnTransfer);
    await token.mint(consumer.address, 1000);
    await token.connect(consumer).approve(at, 1000);
    await escrow.connect(consumer).deposit(500);
    expect(await escrow.freeOf(consumer.address)).to.equal(495n);
    await token.setFeeBps(10_000);
    await expect(escrow.connect(consumer).deposit(500)).to.be.revertedWithCustomError(escrow, "ZeroAmount");
  });

  it("may return nothing", async () => {
    const { token, escrow, at } = await loadFixture(noReturn);
    await token.mint(consumer.address, 1000);
    await token.connect(consumer).approve(at, 1000);
    await escrow.connect(consumer).deposit(1000);
    await escrow.connect(consumer).withdraw(stranger.address, 400);
    expect(await token.balanceOf(stranger.address)).to.equal(400n);
  });

  it("may serve no permit: the allowance decides", async () => {
    const { token, escrow, at } = await loadFixture(noReturn);
    await token.mint(consumer.address, 1000);
    await token.connect(consumer).approve(at, 1000);
    await escrow.connect(consumer).depositWithPermit(1000, 0, 27, ethers.ZeroHash, ethers.ZeroHash);
    expect(await escrow.freeOf(consumer.address)).to.equal(1000n);
  });

  it("change nothing when they answer false", async () => {
    const { token, escrow, at } = await loadFixture(falseReturning);
    await token.mint(consumer.address, 1000);
    await token.connect(consumer).approve(at, 1000);
    await escrow.connect(consumer).deposit(600);
    await token.setLying(true);
    await expect(escrow.connect(consumer).deposit(400)).to.be.revertedWithCustomError(
      escrow,
      "SafeERC20FailedOperation",
    );
    await expect(escrow.connect(consumer).withdraw(consumer.address, 600)).to.be.revertedWithCustomError(
      escrow,
      "SafeERC20FailedOperation",
    );
    expect(await escrow.freeOf(consumer.address)).to.equal(600n);
  });

  it("cannot come back in during a transfer", async () => {
    const { token, escrow, at } = await loadFixture(reentrant);
    const self = await token.getAddress();
    const encode = escrow.interface;
    await token.mint(self, 1000);
    await token.act(self, token.interface.encodeFunctionData("approve", [at, 1000]));
    await token.act(at, encode.encodeFunctionData("deposit", [500]));
    const callbacks = [
      encode.encodeFunctionData("deposit", [1]),
      encode.encodeFunctionData("depositFor", [self, 1]),
      encode.encodeFunctionData("depositWithPermit", [1, 0, 0, ethers.ZeroHash, ethers.ZeroHash]),
      encode.encodeFunctionData("withdraw", [self, 500]),
      encode.encodeFunctionData("withdrawEarnings", [self, 0]),
      encode.encodeFunctionData("withdrawFees"),
      encode.encodeFunctionData("burnForfeited"),
    ];
    for (const callback of callbacks) {
      await token.arm(at, callback);
      for (const call of [
        encode.encodeFunctionData("deposit", [100]),
        encode.encodeFunctionData("withdraw", [self, 100]),
      ]) {
        await expect(token.act(at, call)).to.be.revertedWithCustomError(
          escrow,
          "ReentrancyGuardReentrantCall",
        );
      }
    }
    expect(await escrow.freeOf(self)).to.equal(500n);
  });
});
