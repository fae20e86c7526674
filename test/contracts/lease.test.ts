import { expect } from "chai";
import {
  type AttestationInput,
  busyLocalMarket,
  busyProductionMarket,
  DOLLAR,
  digest,
  errorsOf,
  ethers,
  loadFixture,
  nextBlockAt,
  now,
  people,
} from "./market.ts";

const { operator, owner, consumer, stranger, otherOperator } = people;

describe("A lease's calls", () => {
  it("are the operator's or the consumer's alone", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const done = await market.leaseIn("Completed");
    const tasks = market.tasks.connect(stranger);
    // One after another: what was begun and not awaited would fail in some later test.
    const byOperator = [
      () => tasks.startLease(ref.leaseId, 1),
      () => tasks.checkpoint(ref.leaseId, 1, 1, digest("checkpoint")),
      () => tasks.failLease(ref.leaseId, 1, digest("reason")),
    ];
    for (const call of byOperator) {
      await expect(call())
        .to.be.revertedWithCustomError(market.tasks, "NotOperator")
        .withArgs(ref.leaseId, operator.address, stranger.address);
    }
    await expect(tasks.cancelTask(ref.taskId))
      .to.be.revertedWithCustomError(market.tasks, "NotConsumer")
      .withArgs(ref.taskId, consumer.address, stranger.address);
    await expect(tasks.approve(done.leaseId))
      .to.be.revertedWithCustomError(market.tasks, "NotConsumer")
      .withArgs(done.taskId, consumer.address, stranger.address);
  });

  it("name the current attempt", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const tasks = market.tasks.connect(operator);
    const stale = [
      () => tasks.startLease(ref.leaseId, 2),
      () => tasks.checkpoint(ref.leaseId, 2, 1, digest("checkpoint")),
      () => tasks.failLease(ref.leaseId, 2, digest("reason")),
      () => market.complete(ref, { attempt: 2 }),
    ];
    for (const call of stale) {
      await expect(call())
        .to.be.revertedWithCustomError(market.tasks, "WrongAttempt")
        .withArgs(ref.leaseId, 2, 1);
    }
  });

  it("mean nothing for leases that do not exist", async () => {
    const market = await loadFixture(busyLocalMarket);
    const none = digest("no such lease");
    await expect(market.tasks.expire(none))
      .to.be.revertedWithCustomError(market.tasks, "WrongStatus")
      .withArgs(none, 0);
    await expect(market.tasks.settle(none)).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
    await expect(market.tasks.acceptTask(none)).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
    await expect(market.tasks.cancelTask(none)).to.be.revertedWithCustomError(market.tasks, "NotConsumer");
  });
});

describe("Checkpoints", () => {
  it("rise strictly", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const tasks = market.tasks.connect(operator);
    await expect(tasks.checkpoint(ref.leaseId, 1, 0, digest("zero")))
      .to.be.revertedWithCustomError(market.tasks, "StepNotRising")
      .withArgs(ref.leaseId, 0, 0);
    await tasks.checkpoint(ref.leaseId, 1, 7, digest("seven"));
    await expect(tasks.checkpoint(ref.leaseId, 1, 7, digest("seven again")))
      .to.be.revertedWithCustomError(market.tasks, "StepNotRising")
      .withArgs(ref.leaseId, 7, 7);
    const lease = await market.tasks.getLease(ref.leaseId);
    expect([lease.lastStep, lease.checkpointDigest]).to.deep.equal([7n, digest("seven")]);
  });

  it("keep the interval from the last claim, the start included", async () => {
    const market = await loadFixture(busyProductionMarket);
    const ref = await market.leaseIn("Running");
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    const tasks = market.tasks.connect(operator);
    await nextBlockAt(startedAt + 59n);
    await expect(tasks.checkpoint(ref.leaseId, 1, 1, digest("early")))
      .to.be.revertedWithCustomError(market.tasks, "CheckpointTooSoon")
      .withArgs(ref.leaseId, startedAt + 60n, startedAt + 59n);
    await nextBlockAt(startedAt + 60n);
    await tasks.checkpoint(ref.leaseId, 1, 1, digest("in time"));
    expect((await market.tasks.getLease(ref.leaseId)).lastClaimAt).to.equal(startedAt + 60n);
  });

  it("never pay seconds after the maximum", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", { maxDuration: 60, ratePerHour: 3600n * DOLLAR });
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + 80n);
    await market.tasks.connect(operator).checkpoint(ref.leaseId, 1, 1, digest("late"));
    await market.tasks.connect(operator).failLease(ref.leaseId, 1, digest("broken"));
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(60n);
  });
});

describe("An attestation", () => {
  const wrong: readonly [string, Partial<AttestationInput>, string][] = [
    ["another task", { taskId: digest("other") }, "WrongTask"],
    ["another spec", { specDigest: digest("other") }, "WrongSpecDigest"],
    ["an unknown outcome", { outcome: 7 }, "UnknownOutcome"],
  ];
  for (const [what, change, error] of wrong) {
    it(`is refused with ${what}`, async () => {
      const market = await loadFixture(busyLocalMarket);
      const ref = await market.leaseIn("Running");
      await expect(market.complete(ref, change)).to.be.revertedWithCustomError(market.tasks, error);
    });
  }

  it("is taken with every known outcome alike", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (let outcome = 0; outcome <= 6; outcome++) {
      const ref = await market.leaseIn("Running");
      const { startedAt } = await market.tasks.getLease(ref.leaseId);
      await nextBlockAt(startedAt + 100n);
      await market.complete(ref, { outcome, exitCode: outcome - 3, ended: startedAt + 90n });
      expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(90n);
    }
  });

  it("does not end before it starts, nor further in the future than the drift", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const at = (await now()) + 10n;
    await nextBlockAt(at);
    await expect(market.complete(ref, { started: at, ended: at - 1n }))
      .to.be.revertedWithCustomError(market.tasks, "EndsBeforeStart")
      .withArgs(at, at - 1n);
    await nextBlockAt(at);
    await expect(market.complete(ref, { ended: at + 61n }))
      .to.be.revertedWithCustomError(market.tasks, "EndsInFuture")
      .withArgs(at + 61n, at + 60n);
    await nextBlockAt(at);
    await market.complete(ref, { ended: at + 60n });
    const lease = await market.tasks.getLease(ref.leaseId);
    expect(lease.billedSeconds).to.equal(at - lease.startedAt);
  });

  it("promises the result for the window and the retention after it", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const at = (await now()) + 10n;
    await nextBlockAt(at);
    await expect(market.complete(ref, { retainUntil: at + 79n }))
      .to.be.revertedWithCustomError(market.tasks, "RetentionTooShort")
      .withArgs(at + 79n, at + 80n);
    await nextBlockAt(at);
    await market.complete(ref, { retainUntil: at + 80n });
    const { deadline, endedAt, lastClaimAt } = await market.tasks.getLease(ref.leaseId);
    expect([deadline, endedAt, lastClaimAt]).to.deep.equal([at + 20n, at, at]);
  });

  it("carries the signature of the lease's node", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const attestation = await market.attestation(ref);
    const signature = await market.sign(attestation, otherOperator);
    await expect(market.tasks.completeLease(attestation, signature))
      .to.be.revertedWithCustomError(market.tasks, "WrongSigner")
      .withArgs(ref.leaseId, otherOperator.address, operator.address);
    const errors = await errorsOf("Leases", market);
    await expect(market.tasks.completeLease(attestation, "0x")).to.be.revertedWithCustomError(
      errors,
      "ECDSAInvalidSignatureLength",
    );
  });

  it("is recorded by its struct hash", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const attestation = await market.attestation(ref);
    await expect(market.tasks.completeLease(attestation, await market.sign(attestation))).to.emit(
      market.tasks,
      "LeaseCompleted",
    );
    const lease = await market.tasks.getLease(ref.leaseId);
    const typed = ethers.keccak256(
      ethers.concat(["0x1901", await market.tasks.domainSeparator(), lease.attestationDigest]),
    );
    expect(await market.tasks.attestationHash(attestation)).to.equal(typed);
  });
});

describe("Billed seconds", () => {
  it("are the overlap of the blocks' clock and the operator's", async () => {
    const market = await loadFixture(busyLocalMarket);
    const cases = [
      { started: -50n, ended: 100n, billed: 100n }, // the operator's clock started before the block
      { started: 30n, ended: 100n, billed: 70n }, // the container started after the block
      { started: -50n, ended: -10n, billed: 0n }, // a run before the start is not paid
      { started: 0n, ended: 0n, billed: 0n },
    ];
    for (const { started, ended, billed } of cases) {
      const ref = await market.leaseIn("Running");
      const { startedAt } = await market.tasks.getLease(ref.leaseId);
      await nextBlockAt(startedAt + 200n);
      await market.complete(ref, { started: startedAt + started, ended: startedAt + ended });
      expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(billed);
    }
  });

  it("stop at the maximum, and a late block takes nothing from the node", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running", { maxDuration: 600 });
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + 630n);
    await market.complete(ref, { ended: startedAt + 630n });
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(600n);
  });

  it("stop at the consumer's cancel", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + 40n);
    await market.tasks.connect(consumer).cancelTask(ref.taskId);
    await nextBlockAt(startedAt + 60n);
    await market.complete(ref, { ended: startedAt + 60n, outcome: 5 });
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(40n);
  });

  it("are at least minBilled after a cancel, yet never more than the order's maximum", async () => {
    const market = await loadFixture(busyProductionMarket);
    for (const [maxDuration, billed] of [
      [3600, 60n],
      [30, 30n],
    ] as const) {
      const ref = await market.leaseIn("Stopping", { maxDuration });
      await market.complete(ref);
      expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(billed);
    }
  });

  it("are none where a cancelled run is never attested and had no checkpoint", async () => {
    const market = await loadFixture(busyProductionMarket);
    const ref = await market.leaseIn("Stopping");
    await market.tasks.connect(operator).failLease(ref.leaseId, 1, digest("lost"));
    expect((await market.tasks.getLease(ref.leaseId)).billedSeconds).to.equal(0n);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(0n);
  });
});
