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

const { operator, owner, consumer, stranger, otherOperator } = people;

async function prove(
  market: Market,
  ref: LeaseRef,
  changes: {
    first?: object;
    second?: object;
    firstSigner?: typeof operator;
    secondSigner?: typeof operator;
  } = {},
) {
  const first = await market.attestation(ref, { outputDigest: digest("one"), ...changes.first });
  const second = { ...first, outputDigest: digest("two"), ...changes.second };
  return market.tasks
    .connect(stranger)
    .proveEquivocation(
      first,
      await market.sign(first, changes.firstSigner ?? operator),
      second,
      await market.sign(second, changes.secondSigner ?? operator),
    );
}

describe("Equivocation", () => {
  it("takes the lease's lock: a fifth to the reporter, the rest to nobody", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Completed", { ratePerHour: 100n * DOLLAR });
    await expect(prove(market, ref))
      .to.emit(market.tasks, "EquivocationProven")
      .withArgs(ref.leaseId, operator.address, 1, stranger.address, 20n * DOLLAR);
    expect(await market.escrow.freeOf(stranger.address)).to.equal(4n * DOLLAR);
    expect((await market.escrow.totals()).forfeited).to.equal(16n * DOLLAR);
    expect((await market.nodes.stakeOf(operator.address)).slice(0, 2)).to.deep.equal([980n * DOLLAR, 0n]);
    await market.tasks.connect(consumer).approve(ref.leaseId);
    expect(await market.statusOf(ref)).to.equal("Settled");
  });

  it("is punished once for what the lease locks", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    await prove(market, ref);
    await expect(prove(market, ref, { second: { outputDigest: digest("three") } }))
      .to.be.revertedWithCustomError(market.tasks, "AlreadyProven")
      .withArgs(ref.leaseId);
  });

  it("is nothing without two different attestations of one lease and attempt by its node", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const other = await market.leaseIn("Running");
    await expect(
      prove(market, ref, { second: { outputDigest: digest("one") } }),
    ).to.be.revertedWithCustomError(market.tasks, "SameAttestation");
    await expect(prove(market, ref, { second: { leaseId: other.leaseId } }))
      .to.be.revertedWithCustomError(market.tasks, "DifferentLeases")
      .withArgs(ref.leaseId, other.leaseId);
    for (const changes of [{ first: { attempt: 2 } }, { second: { attempt: 2 } }]) {
      await expect(prove(market, ref, changes))
        .to.be.revertedWithCustomError(market.tasks, "WrongAttempt")
        .withArgs(ref.leaseId, 2, 1);
    }
    for (const forged of [{ firstSigner: otherOperator }, { secondSigner: otherOperator }]) {
      await expect(prove(market, ref, forged))
        .to.be.revertedWithCustomError(market.tasks, "WrongSigner")
        .withArgs(ref.leaseId, otherOperator.address, operator.address);
    }
  });

  it("is still punished after settling, from what is unbonding first", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Settled", { ratePerHour: 100n * DOLLAR });
    await market.nodes.connect(owner).unstake(operator.address, 15n * DOLLAR);
    await prove(market, ref);
    const [staked, locked, unbonding] = await market.nodes.stakeOf(operator.address);
    expect([staked, locked, unbonding]).to.deep.equal([980n * DOLLAR, 0n, 0n]);
  });

  it("never touches what other leases have locked, and takes what is there", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Settled", { ratePerHour: 2500n * DOLLAR }); // lock 500
    await market.leaseIn("Running", { ratePerHour: 4000n * DOLLAR }); // lock 800
    await expect(prove(market, ref))
      .to.emit(market.nodes, "StakeSlashed")
      .withArgs(operator.address, ref.leaseId, 200n * DOLLAR, 40n * DOLLAR, stranger.address);
    expect((await market.nodes.stakeOf(operator.address)).slice(0, 2)).to.deep.equal([
      800n * DOLLAR,
      800n * DOLLAR,
    ]);
  });

  it("never reverts for lack of stake", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Settled");
    await market.nodes.connect(owner).unstake(operator.address, 1000n * DOLLAR);
    const settled = await market.leaseIn("Open");
    await market.tasks.connect(consumer).cancelTask(settled.taskId);
    const { endedAt } = await market.tasks.getLease(ref.leaseId);
    const { releasableAt } = await market.nodes.stakeOf(operator.address);
    expect(releasableAt).to.be.at.least(endedAt + 604_800n);
    await prove(market, ref);
    expect((await market.nodes.stakeOf(operator.address)).unbonding).to.equal(990n * DOLLAR);
  });

  it("cannot be made cheap by proving oneself while other leases hold all stake: the rest stays owed", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Settled"); // lock 10
    const shelter = await market.leaseIn("Assigned", { ratePerHour: 5000n * DOLLAR }); // lock 1000
    await expect(prove(market, ref))
      .to.emit(market.tasks, "EquivocationProven")
      .withArgs(ref.leaseId, operator.address, 1, stranger.address, 0);
    const { endedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(endedAt + 2n * 604_800n); // what is proven has no deadline
    await market.tasks.connect(consumer).cancelTask(shelter.taskId);
    await expect(prove(market, ref))
      .to.emit(market.tasks, "EquivocationProven")
      .withArgs(ref.leaseId, operator.address, 1, stranger.address, 10n * DOLLAR);
    expect((await market.nodes.stakeOf(operator.address)).staked).to.equal(990n * DOLLAR);
    expect(await market.escrow.freeOf(stranger.address)).to.equal(2n * DOLLAR);
    await expect(prove(market, ref)).to.be.revertedWithCustomError(market.tasks, "AlreadyProven");
  });

  it("of a revoked operator is punished too: revoking does not outrun a proof", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Settled");
    await market.nodes.connect(owner).revokeOperator(operator.address);
    await prove(market, ref);
    expect((await market.nodes.stakeOf(operator.address)).staked).to.equal(990n * DOLLAR);
  });

  it("is proven up to the end of the evidence period", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Settled");
    const { endedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(endedAt + 604_801n);
    await expect(prove(market, ref)).to.be.revertedWithCustomError(market.tasks, "DeadlinePassed");
  });
});
