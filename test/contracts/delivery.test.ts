import { expect } from "chai";
import { attesters, claimed, receipt, verdicts, withCommittee } from "./claims.ts";
import { DOLLAR, loadFixture, nextBlockAt, people } from "./market.ts";

const { consumer, owner, stranger } = people;
const committeeMarket = () => withCommittee();

const BOND = DOLLAR; // the local network's claimBond

describe("A delivery claim (rules 20 and 23)", () => {
  it("is the consumer's, inside the window, with a bond, and freezes that lease alone", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await market.leaseIn("Completed");
    const other = await market.leaseIn("Completed");
    await expect(market.tasks.connect(stranger).claimUndelivered(ref.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "NotConsumer",
    );
    const running = await market.leaseIn("Running");
    await expect(
      market.tasks.connect(consumer).claimUndelivered(running.leaseId),
    ).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
    const free = await market.escrow.freeOf(consumer.address);
    await market.tasks.connect(consumer).claimUndelivered(ref.leaseId);
    expect(free - (await market.escrow.freeOf(consumer.address))).to.equal(BOND);
    expect(await market.escrow.totalBonds()).to.equal(BOND);
    for (const call of [
      market.tasks.connect(consumer).approve(ref.leaseId),
      market.tasks.settle(ref.leaseId),
    ]) {
      await expect(call).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
    }
    await market.tasks.connect(consumer).approve(other.leaseId);
    expect(await market.statusOf(other)).to.equal("Settled");
  });

  it("comes too late one second after the window", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await market.leaseIn("Completed");
    const { deadline } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(deadline + 1n);
    await expect(market.tasks.connect(consumer).claimUndelivered(ref.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlinePassed",
    );
  });

  it("is answered by the consumer's own receipt: the bond is the owner's, the lease settles", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await claimed(market);
    await expect(
      market.tasks.answerWithReceipt(ref.leaseId, await receipt(market, ref, stranger)),
    ).to.be.revertedWithCustomError(market.tasks, "WrongReceipt");
    await market.tasks.connect(stranger).answerWithReceipt(ref.leaseId, await receipt(market, ref));
    expect(await market.escrow.earningsOf(owner.address)).to.equal(BOND);
    expect(await market.escrow.totalBonds()).to.equal(0n);
    await market.tasks.connect(consumer).approve(ref.leaseId);
    expect(await market.statusOf(ref)).to.equal("Settled");
  });

  it("is answered by more than two thirds of the attesters that fetched, and by no fewer", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await claimed(market);
    const few = await verdicts(market, ref, true, attesters.slice(0, 2));
    await expect(market.tasks.answerWithAttesters(ref.leaseId, true, few))
      .to.be.revertedWithCustomError(market.tasks, "NoQuorumOfAttesters")
      .withArgs(ref.leaseId, 2);
    const enough = await verdicts(market, ref, true, attesters.slice(0, 3));
    await expect(market.tasks.answerWithAttesters(ref.leaseId, false, enough)).to.be.revertedWithCustomError(
      market.tasks,
      "NoQuorumOfAttesters",
    );
    await market.tasks.answerWithAttesters(ref.leaseId, true, enough);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(BOND);
    expect(await market.statusOf(ref)).to.equal("Completed");
  });

  it("leaves the lease unpaid and gives the bond back where as many could not fetch; no stake is slashed", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await claimed(market);
    const no = await verdicts(market, ref, false, attesters);
    await market.tasks.answerWithAttesters(ref.leaseId, false, no);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(0n);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
    const [staked, locked] = await market.nodes.stakeOf(people.operator.address);
    expect(staked).to.equal(1000n * DOLLAR);
    expect(locked).to.equal(0n);
    expect(await market.statusOf(ref)).to.equal("Failed");
  });

  it("without a verdict lapses as if never raised: a silent committee takes nothing from the node", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await claimed(market);
    const { answerUntil } = await market.tasks.getClaim(ref.leaseId);
    await nextBlockAt(answerUntil);
    await expect(market.tasks.lapseClaim(ref.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    await nextBlockAt(answerUntil + 1n);
    await market.tasks.connect(stranger).lapseClaim(ref.leaseId);
    expect(await market.escrow.totalBonds()).to.equal(0n);
    await market.tasks.connect(stranger).settle(ref.leaseId);
    expect(await market.escrow.earningsOf(owner.address)).to.be.greaterThan(0n);
  });

  it("takes no answer after its deadline, and no verdict of another claim", async () => {
    const market = await loadFixture(committeeMarket);
    const ref = await claimed(market);
    const old = await verdicts(market, ref, false, attesters);
    await market.tasks.answerWithReceipt(ref.leaseId, await receipt(market, ref));
    await market.tasks.connect(consumer).claimUndelivered(ref.leaseId);
    await expect(market.tasks.answerWithAttesters(ref.leaseId, false, old)).to.be.revertedWithCustomError(
      market.tasks,
      "NoQuorumOfAttesters",
    );
    const { answerUntil } = await market.tasks.getClaim(ref.leaseId);
    await nextBlockAt(answerUntil + 1n);
    await expect(
      market.tasks.answerWithReceipt(ref.leaseId, await receipt(market, ref)),
    ).to.be.revertedWithCustomError(market.tasks, "DeadlinePassed");
  });
});
