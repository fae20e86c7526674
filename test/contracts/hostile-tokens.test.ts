/** The whole life of a task in a token that is not what it seems (rules 14, 23, 29). */
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { readParameters } from "../../ignition/parameters.ts";
import {
  DOLLAR,
  deployMarket,
  ethers,
  HOUR,
  type LeaseRef,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
  profile,
  publicKey,
} from "./market.ts";
import { everything } from "./providers.ts";

const { consumer, owner, operator, stranger, feeRecipient } = people;
const DEAD = "0x000000000000000000000000000000000000dEaD";
const PAID = 100n * DOLLAR;

async function marketOf<Token extends BaseContract>(deployment: Promise<Token>) {
  const token = await deployment;
  const market = await deployMarket(await readParameters("local"), await token.getAddress());
  // More than the stake, for a token that keeps some of it.
  await market.register();
  await market.fund(owner, 1100n * DOLLAR);
  await market.nodes.connect(owner).stake(operator.address, 1000n * DOLLAR);
  await market.fund(consumer, 10_000n * DOLLAR);
  await networkHelpers.time.increase(BigInt(market.terms.ticketAge) + 1n);
  return { token, market, escrow: market.escrow, at: await market.escrow.getAddress() };
}
const deploy = {
  taxed: () => marketOf(ethers.deployContract("FeeOnTransferToken", [], people.deployer)),
  silent: () => marketOf(ethers.deployContract("NoReturnToken", [], people.deployer)),
  lying: () => marketOf(ethers.deployContract("FalseReturningToken", [], people.deployer)),
  rebasing: () => marketOf(ethers.deployContract("RebasingToken", [], people.deployer)),
  freezing: () => marketOf(ethers.deployContract("FreezingToken", [], people.deployer)),
  reentrant: () => marketOf(ethers.deployContract("ReentrantToken", [], people.deployer)),
};

/** A lease that ran for 100 seconds at a dollar each, and waits for its window. */
async function completed(market: Market): Promise<LeaseRef> {
  const ref = await market.leaseIn("Running", { ratePerHour: 3600n * DOLLAR });
  const { startedAt } = await market.tasks.getLease(ref.leaseId);
  await nextBlockAt(startedAt + 100n);
  await market.complete(ref, { ended: startedAt + 100n });
  return ref;
}

/** Anyone settles when the window and the outage grace are over. */
async function settle(market: Market, { leaseId }: LeaseRef): Promise<void> {
  const { deadline } = await market.tasks.getLease(leaseId);
  await nextBlockAt(deadline + BigInt(market.terms.outageGrace) + 1n);
  await market.tasks.connect(stranger).settle(leaseId);
}

/** Part of the node's stake, as an equivocation would, for nobody's reward. */
async function forfeit(market: Market, amount: bigint): Promise<void> {
  const nodes = await market.nodes.getAddress();
  await networkHelpers.setBalance(nodes, 10n ** 18n);
  const registry = await ethers.getImpersonatedSigner(nodes);
  await market.escrow.connect(registry).forfeitStake(operator.address, amount, 0, stranger.address);
}

const fee = (market: Market) => (PAID * BigInt(market.terms.feeBps)) / 10_000n;

describe("A task paid in a hostile token", () => {
  for (const kind of ["taxed", "silent", "lying", "rebasing", "freezing", "reentrant"] as const) {
    it(`is paid to the base unit while the token behaves, and the balance covers every claim: ${kind}`, async () => {
      const { market, escrow, at } = await loadFixture<Awaited<ReturnType<(typeof deploy)["taxed"]>>>(
        deploy[kind] as never,
      );
      const before = await everything(market);
      expect(await market.token.balanceOf(at)).to.equal(before);
      await settle(market, await completed(market));
      expect(await escrow.earningsOf(owner.address)).to.equal(PAID - fee(market));
      expect((await escrow.totals()).fees).to.equal(fee(market));
      expect(await escrow.reservedOf(consumer.address)).to.equal(0n);
      expect(await everything(market)).to.equal(before);
      await escrow.connect(owner).withdrawEarnings(owner.address, PAID - fee(market));
      await escrow.withdrawFees();
      await escrow.connect(consumer).withdraw(consumer.address, await escrow.freeOf(consumer.address));
      expect(await market.token.balanceOf(at)).to.equal(await everything(market));
    });
  }
});

describe("A token that keeps part of each transfer", () => {
  it("reserves and stakes no more than what has arrived", async () => {
    const { market, escrow } = await loadFixture(deploy.taxed);
    expect(await escrow.freeOf(consumer.address)).to.equal(9900n * DOLLAR);
    await expect(market.createTask({ ratePerHour: 9901n * DOLLAR }))
      .to.be.revertedWithCustomError(escrow, "InsufficientFree")
      .withArgs(consumer.address, 9901n * DOLLAR, 9900n * DOLLAR);
    await expect(market.nodes.connect(owner).stake(operator.address, 100n * DOLLAR))
      .to.be.revertedWithCustomError(escrow, "InsufficientFree")
      .withArgs(owner.address, 100n * DOLLAR, 89n * DOLLAR);
  });
});

describe("A token that changes balances by itself", () => {
  it("upwards gives nobody more than is theirs: the surplus is no one's claim", async () => {
    const { token, market, escrow, at } = await loadFixture(deploy.rebasing);
    const ref = await completed(market);
    const before = await everything(market);
    await token.rebase(200);
    await settle(market, ref);
    expect(await everything(market)).to.equal(before);
    expect(await token.balanceOf(at)).to.equal(2n * before);
    await expect(escrow.connect(owner).withdrawEarnings(owner.address, PAID)).to.be.revertedWithCustomError(
      escrow,
      "InsufficientEarnings",
    );
    await token.mint(stranger.address, DOLLAR);
    await token.connect(stranger).approve(at, DOLLAR);
    await escrow.connect(stranger).deposit(DOLLAR);
    expect(await escrow.freeOf(stranger.address), "the surplus is credited to no depositor").to.equal(DOLLAR);
  });

  it("downwards stops no settlement; withdrawals are whole or not at all, and go on when it is made good", async () => {
    const { token, market, escrow, at } = await loadFixture(deploy.rebasing);
    const ref = await completed(market);
    const before = await everything(market);
    await token.rebase(50);
    await settle(market, ref);
    expect(await everything(market)).to.equal(before);
    const free = await escrow.freeOf(consumer.address);
    await expect(escrow.connect(consumer).withdraw(consumer.address, free)).to.be.revertedWithCustomError(
      token,
      "TooFewShares",
    );
    expect(await escrow.freeOf(consumer.address)).to.equal(free);
    await escrow.connect(owner).withdrawEarnings(owner.address, PAID - fee(market));
    expect(await token.balanceOf(owner.address)).to.equal(PAID - fee(market));
    await token.mint(at, before);
    await escrow.connect(consumer).withdraw(consumer.address, free);
    expect(await escrow.freeOf(consumer.address)).to.equal(0n);
  });
});

describe("A token whose issuer freezes accounts", () => {
  it("stops no settlement and no one else: what a frozen party owns goes where it says", async () => {
    const { token, market, escrow } = await loadFixture(deploy.freezing);
    const ref = await completed(market);
    for (const { address } of [consumer, owner, operator, feeRecipient]) await token.setFrozen(address, true);
    await settle(market, ref);
    const earned = PAID - fee(market);
    await expect(escrow.connect(owner).withdrawEarnings(owner.address, earned))
      .to.be.revertedWithCustomError(token, "AccountFrozen")
      .withArgs(owner.address);
    expect(await escrow.earningsOf(owner.address)).to.equal(earned);
    await escrow.connect(owner).withdrawEarnings(stranger.address, earned);
    await escrow.connect(consumer).withdraw(stranger.address, 500n * DOLLAR);
    expect(await token.balanceOf(stranger.address)).to.equal(earned + 500n * DOLLAR);
    await escrow.connect(consumer).transferFree(stranger.address, DOLLAR);
    await market.tasks.connect(consumer).cancelTask((await market.createTask()).taskId);
  });

  it("locks fees and forfeited stake only, where it freezes their recipients", async () => {
    const { token, market, escrow } = await loadFixture(deploy.freezing);
    await settle(market, await completed(market));
    await token.setFrozen(feeRecipient.address, true);
    await token.setFrozen(DEAD, true);
    await forfeit(market, 100n * DOLLAR);
    await expect(escrow.withdrawFees()).to.be.revertedWithCustomError(token, "AccountFrozen");
    await expect(escrow.burnForfeited()).to.be.revertedWithCustomError(token, "AccountFrozen");
    expect((await escrow.totals()).forfeited).to.equal(100n * DOLLAR);
    expect((await escrow.totals()).fees).to.equal(fee(market));
    await escrow.connect(owner).withdrawEarnings(owner.address, PAID - fee(market));
    await settle(market, await completed(market));
    await token.setFrozen(feeRecipient.address, false);
    await escrow.withdrawFees();
    expect(await token.balanceOf(feeRecipient.address)).to.equal(2n * fee(market));
  });

  it("locks what is in the escrow where it freezes that, changes no account, and every life goes on inside", async () => {
    const { token, market, escrow, at } = await loadFixture(deploy.freezing);
    const ref = await completed(market);
    const before = await everything(market);
    await token.setFrozen(at, true);
    await settle(market, ref);
    await market.tasks.connect(consumer).approve((await completed(market)).leaseId);
    const free = await escrow.freeOf(consumer.address);
    await expect(escrow.connect(consumer).withdraw(stranger.address, free)).to.be.revertedWithCustomError(
      token,
      "AccountFrozen",
    );
    expect(await everything(market)).to.equal(before);
    await token.setFrozen(at, false);
    await escrow.connect(consumer).withdraw(stranger.address, free);
    await escrow.connect(owner).withdrawEarnings(owner.address, 2n * (PAID - fee(market)));
  });

  it("may refuse every permit: with an allowance the deposit goes on, without one nothing moves", async () => {
    const { token, escrow, at } = await loadFixture(deploy.freezing);
    await token.mint(stranger.address, 2n * DOLLAR);
    const deposit = () =>
      escrow.connect(stranger).depositWithPermit(DOLLAR, 0, 27, ethers.ZeroHash, ethers.ZeroHash);
    await expect(deposit()).to.be.revertedWithCustomError(token, "ERC20InsufficientAllowance");
    await token.connect(stranger).approve(at, DOLLAR);
    await deposit();
    expect(await escrow.freeOf(stranger.address)).to.equal(DOLLAR);
  });
});

describe("A token that answers false", () => {
  it("stops no settlement, and what it did not send stays whose it was", async () => {
    const { token, market, escrow } = await loadFixture(deploy.lying);
    const ref = await completed(market);
    await token.setLying(true);
    await settle(market, ref);
    const earned = PAID - fee(market);
    await expect(escrow.connect(owner).withdrawEarnings(owner.address, earned)).to.be.revertedWithCustomError(
      escrow,
      "SafeERC20FailedOperation",
    );
    await expect(escrow.withdrawFees()).to.be.revertedWithCustomError(escrow, "SafeERC20FailedOperation");
    await token.setLying(false);
    await escrow.connect(owner).withdrawEarnings(owner.address, earned);
    expect(await token.balanceOf(owner.address)).to.equal(earned);
  });
});

describe("A token that calls back", () => {
  /** The token itself is a consumer with a lease in each state, and the owner of a node. */
  async function tokenInTheMarket() {
    const { token, market, escrow, at } = await deploy.reentrant();
    const self = await token.getAddress();
    const [nodesAt, tasksAt] = [await market.nodes.getAddress(), await market.tasks.getAddress()];
    const act = (to: string, data: string) => token.act(to, data);
    const { interface: tasks } = market.tasks;
    const { interface: nodes } = market.nodes;
    await token.mint(self, 50_000n * DOLLAR);
    await act(self, token.interface.encodeFunctionData("approve", [at, 50_000n * DOLLAR]));
    await act(at, escrow.interface.encodeFunctionData("deposit", [40_000n * DOLLAR]));
    const declared = profile();
    const deadline = (await now()) + HOUR;
    const signature = await market.signRegistration(declared, people.otherOperator, self, deadline);
    const key = publicKey(people.otherOperator);
    await act(nodesAt, nodes.encodeFunctionData("register", [declared, key, deadline, signature]));
    const node = people.otherOperator.address;
    await act(nodesAt, nodes.encodeFunctionData("stake", [node, 2000n * DOLLAR]));
    const create = async () => {
      const order = await market.order({ ratePerHour: 360n * DOLLAR, fundedSeconds: 1800 });
      const taskId = await market.nextTaskId(order, self);
      await act(tasksAt, tasks.encodeFunctionData("createTask", [order]));
      return { order, taskId, leaseId: await market.tasks.leaseIdOf(taskId, 0) };
    };
    const asNode = market.tasks.connect(operator);
    const open = await create();
    const running = await create();
    await asNode.acceptTask(running.taskId);
    await asNode.startLease(running.leaseId, 1);
    const done = await create();
    await asNode.acceptTask(done.taskId);
    await asNode.startLease(done.leaseId, 1);
    await networkHelpers.time.increase(100);
    await market.complete(done);
    return { token, market, escrow, at, self, nodesAt, tasksAt, node, open, running, done };
  }

  it("moves no money through any of the other contracts during a transfer", async () => {
    const all = await loadFixture(tokenInTheMarket);
    const { token, market, escrow, at, self, nodesAt, tasksAt, node, open, running, done } = all;
    const { interface: tasks } = market.tasks;
    const { interface: nodes } = market.nodes;
    const { interface: accounts } = escrow;
    const callbacks: readonly [string, string][] = [
      [at, accounts.encodeFunctionData("transferFree", [stranger.address, DOLLAR])],
      [tasksAt, tasks.encodeFunctionData("createTask", [await market.order()])],
      [tasksAt, tasks.encodeFunctionData("cancelTask", [open.taskId])],
      [tasksAt, tasks.encodeFunctionData("topUp", [running.taskId, 3600])],
      [tasksAt, tasks.encodeFunctionData("approve", [done.leaseId])],
      [nodesAt, nodes.encodeFunctionData("stake", [node, DOLLAR])],
    ];
    const before = await everything(market);
    for (const [to, data] of callbacks) {
      await token.arm(to, data);
      for (const call of [
        accounts.encodeFunctionData("deposit", [100]),
        accounts.encodeFunctionData("withdraw", [self, 100]),
      ]) {
        await expect(token.act(at, call), data.slice(0, 10)).to.be.revertedWithCustomError(
          escrow,
          "ReentrancyGuardReentrantCall",
        );
      }
    }
    expect(await everything(market)).to.equal(before);
    await token.arm(ethers.ZeroAddress, "0x");
    for (const [to, data] of callbacks) await token.act(to, data); // each by itself is good
    expect(await everything(market)).to.equal(before);
  });

  it("that moves only a lease on meanwhile finds the accounts as they will be, and changes none", async () => {
    const { token, market, escrow, at, self, tasksAt, running } = await loadFixture(tokenInTheMarket);
    const attestation = await market.attestation(running);
    const data = market.tasks.interface.encodeFunctionData("completeLease", [
      attestation,
      await market.sign(attestation),
    ]);
    await token.arm(tasksAt, data);
    const before = await everything(market);
    await token.act(at, escrow.interface.encodeFunctionData("withdraw", [self, 100]));
    expect(await market.statusOf(running)).to.equal("Completed");
    expect(await everything(market)).to.equal(before - 100n);
    expect(await token.balanceOf(at)).to.equal(before - 100n);
  });
});
