import { expect } from "chai";
import { addNode } from "./committee.ts";
import {
  account,
  busyLocalMarket,
  DAY,
  DOLLAR,
  digest,
  ethers,
  type LeaseRef,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import { conserving, everything } from "./providers.ts";

const { operator, otherOperator, owner, stranger } = people;
const WEEK = 7n * DAY;
const next = otherOperator; // the owner's new operator

/** The market with a second, unstaked node of the same owner. */
async function rotating(): Promise<Market> {
  const market = await busyLocalMarket();
  await market.register({ encryptionKey: digest("new key") }, next);
  return market;
}

async function prove(market: Market, ref: LeaseRef) {
  const one = await market.attestation(ref, { outputDigest: digest("one") });
  const two = { ...one, outputDigest: digest("two") };
  return market.tasks
    .connect(stranger)
    .proveEquivocation(one, await market.sign(one), two, await market.sign(two));
}

const migrate = (market: Market, from: { address: string }, to: { address: string }, by = owner) =>
  market.nodes.connect(by).migrate(from.address, to.address);

describe("Migrating to a new operator (rule 4)", () => {
  it("moves all stake, what unbonds included, and no token leaves the escrow", async () => {
    const market = await loadFixture(rotating);
    await market.nodes.connect(owner).unstake(operator.address, 100n * DOLLAR);
    const { releasableAt } = await market.nodes.stakeOf(operator.address);
    await conserving(market, () =>
      expect(migrate(market, operator, next))
        .to.emit(market.nodes, "StakeMigrated")
        .withArgs(operator.address, next.address, 900n * DOLLAR, 100n * DOLLAR)
        .to.emit(market.escrow, "StakeMigrated")
        .withArgs(operator.address, next.address, 1000n * DOLLAR),
    );
    expect(await market.nodes.stakeOf(operator.address)).to.deep.equal([0n, 0n, 0n, 0n]);
    expect(await market.nodes.stakeOf(next.address)).to.deep.equal([
      900n * DOLLAR,
      0n,
      100n * DOLLAR,
      releasableAt,
    ]);
    expect(await market.escrow.stakeOf(operator.address)).to.equal(0n);
    expect(await market.escrow.stakeOf(next.address)).to.equal(1000n * DOLLAR);
    await nextBlockAt(releasableAt + 1n);
    await market.nodes.releaseUnbonded(next.address);
    expect(await market.escrow.freeOf(owner.address)).to.equal(100n * DOLLAR);
    expect(await everything(market)).to.equal(11_000n * DOLLAR);
  });

  it("gives the new node leases with the stake of the old, after its own ticket age (rule 9)", async () => {
    const market = await loadFixture(rotating);
    await migrate(market, operator, next);
    expect((await market.nodes.getNode(next.address)).activeSince).to.equal(await now());
    const ref = await market.createTask();
    await market.tasks.connect(next).acceptTask(ref.taskId);
    const other = await market.createTask();
    await expect(market.tasks.connect(operator).acceptTask(other.taskId)).to.be.revertedWithCustomError(
      market.nodes,
      "StakeTooLow",
    );
  });

  it("waits for every lease and every seat", async () => {
    const market = await loadFixture(rotating);
    const ref = await market.leaseIn("Completed");
    await expect(migrate(market, operator, next))
      .to.be.revertedWithCustomError(market.nodes, "StakeNotFree")
      .withArgs(operator.address, 1000n * DOLLAR, 990n * DOLLAR);
    await market.tasks.connect(people.consumer).approve(ref.leaseId);
    await market.liveness.connect(owner).bid(operator.address, 100n * DOLLAR);
    await expect(migrate(market, operator, next))
      .to.be.revertedWithCustomError(market.nodes, "StakeNotFree")
      .withArgs(operator.address, 1000n * DOLLAR, 900n * DOLLAR);
  });

  it("is the owner's of both nodes alone, and goes somewhere else", async () => {
    const market = await loadFixture(rotating);
    await addNode(market, { owner: stranger, operator: account(80) });
    await expect(migrate(market, operator, operator))
      .to.be.revertedWithCustomError(market.nodes, "SameNode")
      .withArgs(operator.address);
    await expect(migrate(market, operator, account(80)))
      .to.be.revertedWithCustomError(market.nodes, "NotOwner")
      .withArgs(account(80).address, owner.address);
    for (const by of [stranger, operator]) {
      await expect(migrate(market, operator, next, by))
        .to.be.revertedWithCustomError(market.nodes, "NotOwner")
        .withArgs(operator.address, by.address);
    }
    await expect(
      market.nodes.connect(owner).migrate(operator.address, ethers.ZeroAddress),
    ).to.be.revertedWithCustomError(market.nodes, "NotOwner");
  });

  it("works for a revoked node: its stake is not lost with its key", async () => {
    const market = await loadFixture(rotating);
    await market.nodes.connect(owner).revokeOperator(operator.address);
    await migrate(market, operator, next);
    expect((await market.nodes.stakeOf(next.address)).staked).to.equal(1000n * DOLLAR);
  });

  it("does not outrun evidence: what the old node signed is slashed from the new one's stake (rule 3)", async () => {
    const market = await loadFixture(rotating);
    const ref = await market.leaseIn("Settled", { ratePerHour: 100n * DOLLAR }); // lock 20
    await migrate(market, operator, next);
    await conserving(market, () =>
      expect(prove(market, ref))
        .to.emit(market.nodes, "StakeSlashed")
        .withArgs(next.address, ref.leaseId, 20n * DOLLAR, 4n * DOLLAR, stranger.address),
    );
    expect((await market.nodes.stakeOf(next.address)).staked).to.equal(980n * DOLLAR);
    await expect(prove(market, ref)).to.be.revertedWithCustomError(market.tasks, "AlreadyProven");
  });

  it("leaves what was staked anew on the old node to answer first, and the rest owed", async () => {
    const market = await loadFixture(rotating);
    const ref = await market.leaseIn("Settled", { ratePerHour: 100n * DOLLAR });
    await migrate(market, operator, next);
    await market.fund(owner, 5n * DOLLAR);
    await market.nodes.connect(owner).stake(operator.address, 5n * DOLLAR);
    await prove(market, ref);
    expect((await market.nodes.stakeOf(operator.address)).staked).to.equal(0n);
    expect((await market.nodes.stakeOf(next.address)).staked).to.equal(985n * DOLLAR);
  });

  it("answers to the last base unit, and by nothing where nothing is left", async () => {
    const market = await loadFixture(rotating);
    await migrate(market, operator, next);
    const tasks = await market.tasks.getAddress();
    await networkHelpers.setBalance(tasks, 10n ** 18n);
    const nodes = market.nodes.connect(await ethers.getImpersonatedSigner(tasks));
    const slash = (amount: bigint) =>
      nodes.slash(operator.address, digest("lease"), amount, false, stranger.address);
    await slash(1000n * DOLLAR - 1n);
    await expect(slash(5n))
      .to.emit(market.nodes, "StakeSlashed")
      .withArgs(next.address, digest("lease"), 1, 0, stranger.address);
    expect((await market.nodes.stakeOf(next.address)).staked).to.equal(0n);
    await expect(slash(5n)).not.to.emit(market.nodes, "StakeSlashed");
    expect(await market.escrow.stakeOf(next.address)).to.equal(0n);
  });

  it("happens once in an evidence period, so that stake cannot be moved on and away", async () => {
    const market = await loadFixture(rotating);
    const last = account(81);
    await market.register({}, last);
    await migrate(market, operator, next);
    const movedAt = await now();
    for (const from of [next, operator]) {
      await nextBlockAt((await now()) + WEEK / 4n);
      await expect(migrate(market, from, last))
        .to.be.revertedWithCustomError(market.nodes, "MigratedLately")
        .withArgs(from.address, movedAt + WEEK);
    }
    await nextBlockAt(movedAt + WEEK);
    await expect(migrate(market, next, last)).to.be.revertedWithCustomError(market.nodes, "MigratedLately");
    await nextBlockAt(movedAt + WEEK + 1n);
    await migrate(market, next, last);
    expect((await market.nodes.stakeOf(last.address)).staked).to.equal(1000n * DOLLAR);
  });
});

describe("Liveness alone", () => {
  it("locks and unlocks stake for seats", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (const call of ["lockSeat", "unlockSeat"] as const) {
      await expect(market.nodes.connect(stranger)[call](operator.address, 1))
        .to.be.revertedWithCustomError(market.nodes, "OnlyLiveness")
        .withArgs(stranger.address);
    }
  });
});
