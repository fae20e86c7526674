import { expect } from "chai";
import { busyLocalMarket, DOLLAR, loadFixture, nextBlockAt, now, people } from "./market.ts";

describe("A task from order to pay", () => {
  it("reserves the maximum, pays what ran less the fee, and gives the rest back", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", { maxDuration: 3600, ratePerHour: 10n * DOLLAR });
    expect((await market.escrow.reservedFor(ref.taskId)).amount).to.equal(10n * DOLLAR);
    const { startedAt } = await market.tasks.getLease(ref.leaseId);

    await nextBlockAt(startedAt + 1800n);
    await market.complete(ref, { ended: startedAt + 1800n });
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(1800n);
    expect(await market.escrow.earningsOf(people.owner.address)).to.equal(0n);

    await market.tasks.connect(people.consumer).approve(ref.leaseId);
    expect(await market.statusOf(ref)).to.equal("Settled");
    expect(await market.escrow.earningsOf(people.owner.address)).to.equal(4_950_000n);
    expect((await market.escrow.totals()).fees).to.equal(50_000n);
    expect(await market.escrow.freeOf(people.consumer.address)).to.equal(9_995n * DOLLAR);
    expect((await market.nodes.stakeOf(people.operator.address)).locked).to.equal(0n);
    expect(await now()).to.be.greaterThan(startedAt);
  });
});
