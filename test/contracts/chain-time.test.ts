/** Clocks that are a minute off, and a sequencer that stands still for an hour (rules 14, 19 and 27). */
import { expect } from "chai";
import {
  busyLocalMarket,
  busyProductionMarket,
  DOLLAR,
  digest,
  HOUR,
  loadFixture,
  nextBlockAt,
  now,
  people,
} from "./market.ts";

const { operator, consumer, stranger } = people;
const MINUTE = 60n;

describe("A block's time a minute off", () => {
  for (const [which, drift] of [
    ["ahead of", MINUTE],
    ["behind", -MINUTE],
  ] as const) {
    it(`pays no second more than both clocks saw, with the start's block ${which} the operator's clock (rule 14)`, async () => {
      const market = await loadFixture(busyLocalMarket);
      const ref = await market.leaseIn("Running", { ratePerHour: 3600n * DOLLAR });
      const { startedAt } = await market.tasks.getLease(ref.leaseId);
      const started = startedAt - drift; // by the operator's clock
      await nextBlockAt(startedAt + 300n);
      await market.complete(ref, { started, ended: started + 200n });
      const { billedSeconds } = await market.tasks.getLease(ref.leaseId);
      expect(billedSeconds).to.equal(drift > 0n ? 200n - drift : 200n);
    });
  }

  it("costs the node at most that minute where the last block is behind, and nothing where it is ahead (rule 14)", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (const [late, billed] of [
      [-MINUTE, 140n],
      [MINUTE, 200n],
    ] as const) {
      const ref = await market.leaseIn("Running");
      const { startedAt } = await market.tasks.getLease(ref.leaseId);
      await nextBlockAt(startedAt + 200n + late);
      await market.complete(ref, { started: startedAt, ended: startedAt + 200n });
      expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(billed);
    }
  });

  it("ahead lets nobody enforce a deadline that has not passed: the grace is longer than a minute (rule 27)", async () => {
    const market = await loadFixture(busyProductionMarket);
    expect(BigInt(market.terms.outageGrace)).to.be.greaterThan(MINUTE);
    const assigned = await market.leaseIn("Assigned");
    const { deadline } = await market.tasks.getLease(assigned.leaseId);
    await nextBlockAt(deadline + MINUTE);
    await expect(market.tasks.connect(stranger).expire(assigned.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    const done = await market.leaseIn("Completed");
    const { deadline: end } = await market.tasks.getLease(done.leaseId);
    await nextBlockAt(end + MINUTE);
    await expect(market.tasks.connect(stranger).settle(done.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
  });

  it("ends a quote that has less than a minute left, and opens none beyond maxQuoteLife (rule 8)", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const signedAt = await now();
    const award = async (life: bigint, at: bigint) => {
      const { quote, signature } = await market.quote(order, 0, { expiry: signedAt + life });
      await nextBlockAt(at);
      return market.tasks.connect(consumer).createAndAward(order, [quote], [signature], []);
    };
    await expect(award(59n, signedAt + MINUTE)).to.be.revertedWithCustomError(market.tasks, "QuoteExpired");
    await award(120n, signedAt + MINUTE + 1n);
    expect(await market.tasks.nonces(consumer.address)).to.equal(1n);
  });
});

describe("An hour without blocks (rules 19 and 27)", () => {
  it("in the middle of a run costs the node nothing: what ran is paid, whatever block takes the claim", async () => {
    const market = await loadFixture(busyProductionMarket);
    const ref = await market.leaseIn("Running", { maxDuration: 7200, ratePerHour: 36n * DOLLAR });
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + 600n + HOUR);
    await market.complete(ref, { started: startedAt, ended: startedAt + 600n });
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(600n);
  });

  it("that ends within the completion grace takes no claim away, and no second beyond the maximum is paid", async () => {
    const market = await loadFixture(busyProductionMarket);
    const maxDuration = 3600;
    const ref = await market.leaseIn("Running", { maxDuration });
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    const last = startedAt + HOUR + BigInt(market.terms.completionGrace);
    await nextBlockAt(last);
    await market.complete(ref, { started: startedAt, ended: last });
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(3600n);
  });

  it("lets nobody expire, fail over or settle in the first block after it: the actor has the grace to itself", async () => {
    const market = await loadFixture(busyProductionMarket);
    const grace = BigInt(market.terms.outageGrace);
    const running = await market.leaseIn("Running", { maxDuration: 3600 });
    const { startedAt } = await market.tasks.getLease(running.leaseId);
    const end = startedAt + HOUR + BigInt(market.terms.completionGrace);
    await nextBlockAt(end + grace);
    await expect(market.tasks.connect(stranger).expire(running.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    await expect(market.tasks.connect(stranger).failover(running.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "NodeNotLost",
    );
    await nextBlockAt(end + grace + 1n);
    await market.tasks.connect(stranger).expire(running.leaseId);
    expect(await market.statusOf(running)).to.equal("Expired");
  });

  it("alone makes nobody offline: without a report of the committee there is no failover", async () => {
    const market = await loadFixture(busyProductionMarket);
    const ref = await market.leaseIn("Running", { maxDuration: 14_400, maxAttempts: 3 });
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + HOUR);
    await expect(market.tasks.connect(stranger).failover(ref.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "NodeNotLost",
    );
    await market.tasks.connect(operator).checkpoint(ref.leaseId, 1, 1, digest("after the outage"));
    expect(await market.statusOf(ref)).to.equal("Running");
  });
});
