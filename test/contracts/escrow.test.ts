import { expect } from "chai";
import type { BaseContract, HDNodeWallet } from "ethers";
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
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";

const { consumer, owner, stranger, feeRecipient, operator } = people;
const DEAD = "0x000000000000000000000000000000000000dEaD";

async function permit(market: Market, who: HDNodeWallet, value: bigint, deadline: bigint) {
  const domain = {
    name: "Demo Dollar",
    version: "1",
    chainId: (await ethers.provider.getNetwork()).chainId,
    verifyingContract: await market.token.getAddress(),
  };
  const types = {
    Permit: ["owner address", "spender address", "value uint256", "nonce uint256", "deadline uint256"].map(
      (field) => {
        const [name, type] = field.split(" ") as [string, string];
        return { name, type };
      },
    ),
  };
  const nonce = await market.token.nonces(who.address);
  const spender = await market.escrow.getAddress();
  return ethers.Signature.from(
    await who.signTypedData(domain, types, { owner: who.address, spender, value, nonce, deadline }),
  );
}

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

describe("The escrow's inner calls", () => {
  it("answer TaskRegistry and NodeRegistry only", async () => {
    const market = await loadFixture(localMarket);
    const escrow = market.escrow.connect(stranger);
    const forTasks = [
      escrow.reserve(consumer.address, digest("task"), digest("lease"), 1),
      escrow.settleLease(digest("lease"), owner.address, 1, 1, 1),
    ];
    for (const call of forTasks) {
      await expect(call)
        .to.be.revertedWithCustomError(market.escrow, "OnlyTaskRegistry")
        .withArgs(stranger.address);
    }
    const forNodes = [
      escrow.moveToStake(owner.address, operator.address, 1),
      escrow.returnStake(owner.address, operator.address, 1),
      escrow.forfeitStake(operator.address, 1, 1, stranger.address),
    ];
    for (const call of forNodes) {
      await expect(call)
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
      nodes.takeLease(operator.address, digest("lease"), request),
      nodes.releaseCapacity(operator.address, digest("lease"), capacity),
      nodes.unlockStake(operator.address, digest("lease"), 0),
      nodes.slash(operator.address, digest("lease"), 1, false, stranger.address),
    ];
    for (const call of inNodes) {
      await expect(call)
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

  it("reserve once and settle once, whatever a registry asks", async () => {
    const market = await loadFixture(busyLocalMarket);
    const escrow = market.escrow.connect(await as(market.tasks));
    await escrow.reserve(consumer.address, digest("task"), digest("lease"), DOLLAR);
    await expect(escrow.reserve(consumer.address, digest("task"), digest("lease"), DOLLAR))
      .to.be.revertedWithCustomError(market.escrow, "AlreadyReserved")
      .withArgs(digest("lease"));
    await escrow.settleLease(digest("lease"), owner.address, 2n ** 63n, 2n ** 127n, 0);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(DOLLAR);
    await expect(escrow.settleLease(digest("lease"), owner.address, 1, 1, 0))
      .to.be.revertedWithCustomError(market.escrow, "NothingReserved")
      .withArgs(digest("lease"));
  });

  it("return and forfeit no more stake than there is, and reward at most a fifth", async () => {
    const market = await loadFixture(busyLocalMarket);
    const escrow = market.escrow.connect(await as(market.nodes));
    await expect(escrow.returnStake(owner.address, operator.address, 1000n * DOLLAR + 1n))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientStake")
      .withArgs(operator.address, 1000n * DOLLAR + 1n, 1000n * DOLLAR);
    await escrow.forfeitStake(operator.address, 2000n * DOLLAR, 2000n * DOLLAR, stranger.address);
    expect(await market.escrow.freeOf(stranger.address)).to.equal(200n * DOLLAR);
    expect((await market.escrow.totals()).forfeited).to.equal(800n * DOLLAR);
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
