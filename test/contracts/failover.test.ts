import { expect } from "chai";
import { type Attester, addNode, attester } from "./committee.ts";
import {
  account,
  DOLLAR,
  digest,
  ethers,
  type LeaseRef,
  loadFixture,
  type Market,
  nextBlockAt,
  now,
  people,
  type TaskRef,
} from "./market.ts";
import {
  conserving,
  first,
  fourth,
  marketWithCommittee,
  marketWithProviders,
  offlineFor,
  report,
  second,
  third,
} from "./providers.ts";

const { consumer, stranger } = people;
const RATE = 36n * DOLLAR; // a cent of a dollar each second
const CENT = DOLLAR / 100n;

/** The first provider's run of an hour at most, with a checkpoint at 120 seconds. */
async function running(market: Market, changes = {}): Promise<TaskRef & { startedAt: bigint }> {
  const task = await market.award({ ratePerHour: RATE, maxAttempts: 3, ...changes }, [first.operator]);
  const tasks = market.tasks.connect(first.operator);
  await tasks.startLease(task.leaseId, 1);
  const startedAt = await now();
  await nextBlockAt(startedAt + 120n);
  await tasks.checkpoint(task.leaseId, 1, 7, digest("step 7"));
  return { ...task, startedAt };
}

/** The same, given up at 200 seconds. */
async function reopened(market: Market, changes = {}): Promise<TaskRef & { lostAt: bigint }> {
  const task = await running(market, changes);
  await nextBlockAt(task.startedAt + 200n);
  await market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("disk"));
  return { ...task, lostAt: task.startedAt + 200n };
}

const acceptedAt = async (market: Market, { leaseId }: LeaseRef) =>
  (await market.tasks.getLease(leaseId)).acceptedAt;

const takeOver = (market: Market, { leaseId }: LeaseRef, by = second) =>
  market.tasks.connect(by.operator).takeOver(leaseId);

describe("A lost lease (rule 17)", () => {
  it("is paid to its last checkpoint and opens with what is left of seconds and reservation", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    const at = task.startedAt + 200n;
    await nextBlockAt(at);
    const { openUntil } = await market.tasks.getTask(task.taskId);
    const call = market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("disk"));
    await expect(call)
      .to.emit(market.tasks, "AttemptLost")
      .withArgs(task.leaseId, task.taskId, first.operator.address, 1, 120, 120n * CENT);
    await expect(call)
      .to.emit(market.tasks, "LeaseReopened")
      .withArgs(task.leaseId, task.taskId, 1, 3480, openUntil, 7, digest("step 7"));
    const lease = await market.tasks.getLease(task.leaseId);
    expect([lease.status, lease.attempt, lease.maxSeconds]).to.deep.equal([1n, 1n, 3480n]);
    expect([lease.reserved, lease.acceptedAt]).to.deep.equal([3480n * CENT, at]);
    expect([lease.node, lease.hasKey, lease.isProven]).to.deep.equal([ethers.ZeroAddress, false, false]);
    expect([lease.startedAt, lease.lastClaimAt, lease.stoppedAt, lease.lock]).to.deep.equal([0n, 0n, 0n, 0n]);
    expect([lease.billedSeconds, lease.downSeconds]).to.deep.equal([0n, 0n]);
    expect([lease.offlineAtStart, lease.offlineAtClaim]).to.deep.equal([0n, 0n]);
    expect((await market.escrow.reservedFor(task.taskId)).amount).to.equal(3480n * CENT);
    expect((await market.nodes.stakeOf(first.operator.address)).locked).to.equal(0n);
    expect((await market.nodes.getNode(first.operator.address)).used.gpus).to.equal(0n);
    const past = await market.tasks.getPastAttempt(task.leaseId, 1);
    expect([past.node, past.endedAt, past.isLocked]).to.deep.equal([first.operator.address, at, false]);
  });

  it("is paid for a single second, where that is all that it has shown", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award({ ratePerHour: RATE, maxAttempts: 2 }, [first.operator]);
    const tasks = market.tasks.connect(first.operator);
    await tasks.startLease(task.leaseId, 1);
    await nextBlockAt((await now()) + 1n);
    await tasks.checkpoint(task.leaseId, 1, 7, digest("step 7"));
    await tasks.failLease(task.leaseId, 1, digest("disk"));
    expect(await market.escrow.earningsOf(first.owner.address)).to.equal(CENT - CENT / 100n);
  });

  it("opens with no more seconds than are left, where what is reserved would pay for more", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await reopened(market, { ratePerHour: 1n }); // of a base unit an hour, two minutes cost nothing
    const { maxSeconds, reserved } = await market.tasks.getLease(task.leaseId);
    expect([maxSeconds, reserved]).to.deep.equal([3480n, 1n]);
  });

  it("opens with all the seconds that are left, however many", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await reopened(market, { maxDuration: 36_000 });
    const { maxSeconds, reserved } = await market.tasks.getLease(task.leaseId);
    expect([maxSeconds, reserved]).to.deep.equal([35_880n, 35_880n * CENT]);
  });

  it("goes on with another node, from the last checkpoint, for the seconds left", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await reopened(market);
    await takeOver(market, task);
    const tasks = market.tasks.connect(second.operator);
    await tasks.startLease(task.leaseId, 2);
    const startedAt = await now();
    await nextBlockAt(startedAt + 60n);
    await expect(tasks.checkpoint(task.leaseId, 2, 7, digest("again")))
      .to.be.revertedWithCustomError(market.tasks, "StepNotRising")
      .withArgs(task.leaseId, 7, 7);
    await nextBlockAt(startedAt + 61n);
    await tasks.checkpoint(task.leaseId, 2, 8, digest("step 8"));
    expect(await market.tasks.deadlineOf(task.leaseId)).to.equal(startedAt + 3480n + 30n);
    await nextBlockAt(startedAt + 3510n);
    await market.complete(task, { ended: startedAt + 3510n }, stranger, second.operator);
    expect((await market.tasks.getLease(task.leaseId)).billedSeconds).to.equal(3480n);
  });

  it("hears nothing any more from the node that lost it", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    const claim = await market.attestation(task);
    const signature = await market.sign(claim, first.operator);
    await market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("disk"));
    const complete = () => market.tasks.completeLease(claim, signature);
    await expect(complete()).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
    await takeOver(market, task);
    await market.tasks.connect(second.operator).startLease(task.leaseId, 2);
    await expect(complete())
      .to.be.revertedWithCustomError(market.tasks, "WrongAttempt")
      .withArgs(task.leaseId, 1, 2);
    await expect(market.complete(task, {}, stranger, first.operator))
      .to.be.revertedWithCustomError(market.tasks, "WrongSigner")
      .withArgs(task.leaseId, first.operator.address, second.operator.address);
    const old = market.tasks.connect(first.operator);
    for (const call of [
      old.startLease(task.leaseId, 1),
      old.checkpoint(task.leaseId, 1, 99, digest("late")),
      old.failLease(task.leaseId, 1, digest("late")),
    ]) {
      await expect(call).to.be.revertedWithCustomError(market.tasks, "NotOperator");
    }
  });

  it("is refused to every node of an owner that lost it", async () => {
    const market = await loadFixture(marketWithProviders);
    const sibling = { owner: first.owner, operator: account(90) };
    await addNode(market, sibling);
    const task = await reopened(market);
    for (const operator of [first.operator, sibling.operator]) {
      await expect(market.tasks.connect(operator).takeOver(task.leaseId))
        .to.be.revertedWithCustomError(market.tasks, "OwnerExcluded")
        .withArgs(task.leaseId, first.owner.address);
    }
    await takeOver(market, task);
    await market.tasks.connect(second.operator).failLease(task.leaseId, 2, digest("me too"));
    await expect(takeOver(market, task)).to.be.revertedWithCustomError(market.tasks, "OwnerExcluded");
    await takeOver(market, task, third);
    expect((await market.tasks.getLease(task.leaseId)).attempt).to.equal(3n);
  });

  it("ends with its last attempt", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await reopened(market, { maxAttempts: 2 });
    await takeOver(market, task);
    await expect(market.tasks.connect(second.operator).failLease(task.leaseId, 2, digest("lost")))
      .to.emit(market.tasks, "LeaseEnded")
      .withArgs(task.leaseId, task.taskId, second.operator.address, 2, 8, 0, 0);
    expect((await market.escrow.reservedFor(task.taskId)).amount).to.equal(0n);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR - 120n * CENT);
  });

  it("is not given on with less than minRun left: the rest goes back", async () => {
    const market = await loadFixture(marketWithProviders);
    for (const [maxDuration, status] of [
      [129, "Failed"],
      [130, "Open"],
    ] as const) {
      const task = await reopened(market, { maxDuration, startWindow: 60 });
      expect(await market.statusOf(task), `${maxDuration} seconds`).to.equal(status);
    }
  });

  it("waits for a taker for replaceWindow at least, else until openUntil, and then ends", async () => {
    const market = await loadFixture(marketWithProviders);
    const openUntil = (await now()) + 150n;
    const task = await reopened(market, { openUntil });
    const deadline = task.lostAt + 120n;
    expect((await market.tasks.getLease(task.leaseId)).deadline).to.equal(deadline);
    await nextBlockAt(deadline);
    await expect(market.tasks.expire(task.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    await nextBlockAt(deadline + 1n);
    await expect(takeOver(market, task))
      .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
      .withArgs(task.leaseId, deadline, deadline + 1n);
    await nextBlockAt(deadline + 2n);
    await market.tasks.connect(stranger).expire(task.leaseId);
    expect(await market.statusOf(task)).to.equal("Expired");
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR - 120n * CENT);
  });

  it("is taken over only where it was lost, and by who is admitted", async () => {
    const market = await loadFixture(marketWithProviders);
    const open = await market.createTask();
    await expect(takeOver(market, open))
      .to.be.revertedWithCustomError(market.tasks, "WrongStatus")
      .withArgs(open.leaseId, 1);
    const task = await reopened(market);
    await expect(market.tasks.connect(second.operator).acceptTask(task.taskId))
      .to.be.revertedWithCustomError(market.tasks, "WrongStatus")
      .withArgs(task.leaseId, 1);
    await expect(market.tasks.connect(stranger).takeOver(task.leaseId))
      .to.be.revertedWithCustomError(market.tasks, "NotAdmitted")
      .withArgs(task.taskId, stranger.address, 2n ** 64n - 1n);
    await addNode(market, attester(50));
    await expect(takeOver(market, task, attester(50))).to.be.revertedWithCustomError(
      market.tasks,
      "NotAdmitted",
    );
  });

  it("may be cancelled by its consumer while it waits: nothing more is paid", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await reopened(market);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    expect(await market.statusOf(task)).to.equal("Cancelled");
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR - 120n * CENT);
  });

  it("is never paid more than it reserved, over all its attempts, and what it was not paid is free again", async () => {
    const market = await loadFixture(marketWithProviders);
    const ratePerHour = 7_777_777n; // no whole number of base units a second
    await conserving(market, async () => {
      const task = await market.award({ ratePerHour, maxAttempts: 3, maxDuration: 1000 }, [first.operator]);
      const { reserved } = await market.tasks.getLease(task.leaseId);
      const by = [first, second, third];
      for (const [index, { operator }] of by.entries()) {
        const tasks = market.tasks.connect(operator);
        if (index > 0) await tasks.takeOver(task.leaseId);
        await tasks.startLease(task.leaseId, index + 1);
        const startedAt = await now();
        await nextBlockAt(startedAt + 331n);
        await tasks.checkpoint(task.leaseId, index + 1, index + 1, digest("claim"));
        if (index < 2) await tasks.failLease(task.leaseId, index + 1, digest("lost"));
        else {
          await nextBlockAt(startedAt + 338n);
          await market.complete(task, { ended: startedAt + 338n }, stranger, operator);
        }
      }
      await market.tasks.connect(consumer).approve(task.leaseId);
      const paid = await market.escrow.queryFilter(market.escrow.filters.Paid(task.leaseId));
      const seconds = paid.map(({ args }) => args.ranSeconds);
      const gross = paid.reduce((sum, { args }) => sum + args.gross, 0n);
      expect(seconds).to.deep.equal([331n, 331n, 338n]);
      expect(gross).to.be.at.most(reserved);
      expect(reserved - gross).to.be.at.most(3n); // each attempt rounds down once
      expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR - gross);
      expect((await market.escrow.reservedFor(task.taskId)).amount).to.equal(0n);
    });
  });

  it("answers for the equivocation of a lost attempt with that attempt's lock (rule 3)", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    const one = await market.attestation(task, { outputDigest: digest("one") });
    const two = { ...one, outputDigest: digest("two") };
    await market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("disk"));
    const [a, b] = [await market.sign(one, first.operator), await market.sign(two, first.operator)];
    const prove = () => market.tasks.connect(stranger).proveEquivocation(one, a, two, b);
    await takeOver(market, task);
    await expect(prove())
      .to.emit(market.tasks, "EquivocationProven")
      .withArgs(task.leaseId, first.operator.address, 1, stranger.address, 10n * DOLLAR);
    expect((await market.nodes.stakeOf(first.operator.address)).staked).to.equal(990n * DOLLAR);
    expect((await market.nodes.stakeOf(second.operator.address)).staked).to.equal(1000n * DOLLAR);
    expect((await market.tasks.getPastAttempt(task.leaseId, 1)).isProven).to.equal(true);
    await expect(prove()).to.be.revertedWithCustomError(market.tasks, "AlreadyProven");
    await market.tasks.connect(second.operator).startLease(task.leaseId, 2);
    expect(await market.statusOf(task)).to.equal("Running");
  });

  it("leaves the next attempt its own evidence period: what the first was proven of does not open it for good", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    const proof = async (attempt: number, by: Attester) => {
      const one = { ...(await market.attestation(task, { outputDigest: digest("one") })), attempt };
      const two = { ...one, outputDigest: digest("two") };
      const [a, b] = [await market.sign(one, by.operator), await market.sign(two, by.operator)];
      return market.tasks.connect(stranger).proveEquivocation(one, a, two, b);
    };
    await proof(1, first);
    await market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("disk"));
    await takeOver(market, task);
    await market.tasks.connect(second.operator).startLease(task.leaseId, 2);
    await market.complete(task, {}, stranger, second.operator);
    await market.tasks.connect(consumer).approve(task.leaseId);
    const { endedAt, isProven } = await market.tasks.getLease(task.leaseId);
    expect(isProven).to.equal(false);
    await nextBlockAt(endedAt + 604_801n);
    await expect(proof(2, second)).to.be.revertedWithCustomError(market.tasks, "DeadlinePassed");
  });

  it("answers for it no longer once the evidence period of that attempt is over", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    const one = await market.attestation(task, { outputDigest: digest("one") });
    const two = { ...one, outputDigest: digest("two") };
    await market.tasks.connect(first.operator).failLease(task.leaseId, 1, digest("disk"));
    const lostAt = await now();
    await nextBlockAt(lostAt + 604_801n);
    await expect(
      market.tasks.proveEquivocation(
        one,
        await market.sign(one, first.operator),
        two,
        await market.sign(two, first.operator),
      ),
    ).to.be.revertedWithCustomError(market.tasks, "DeadlinePassed");
  });
});

describe("A lease is lost (rules 12 and 17)", () => {
  it("when its node misses the start", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award({ maxAttempts: 2 }, [first.operator]);
    const { deadline } = await market.tasks.getLease(task.leaseId);
    await nextBlockAt(deadline + 1n);
    await expect(market.tasks.connect(stranger).expire(task.leaseId)).to.emit(market.tasks, "LeaseReopened");
    expect((await market.tasks.getLease(task.leaseId)).maxSeconds).to.equal(3600n);
  });

  it("when its node misses the end: paid to the last checkpoint", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    await nextBlockAt(task.startedAt + 3630n);
    await expect(market.tasks.expire(task.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    await nextBlockAt(task.startedAt + 3631n);
    await market.tasks.connect(stranger).expire(task.leaseId);
    const lease = await market.tasks.getLease(task.leaseId);
    expect([lease.status, lease.maxSeconds]).to.deep.equal([1n, 3480n]);
    expect(await market.escrow.earningsOf(first.owner.address)).to.equal(120n * CENT - (120n * CENT) / 100n);
  });

  it("when its owner revokes the operator, at once and by anyone's call (rule 4)", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    await expect(market.tasks.failover(task.leaseId))
      .to.be.revertedWithCustomError(market.tasks, "NodeNotLost")
      .withArgs(task.leaseId, first.operator.address, 0, (await acceptedAt(market, task)) + 120n);
    await market.nodes.connect(first.owner).revokeOperator(first.operator.address);
    await market.tasks.connect(stranger).failover(task.leaseId);
    expect(await market.statusOf(task)).to.equal("Open");
    expect((await market.nodes.stakeOf(first.operator.address)).slice(0, 2)).to.deep.equal([
      1000n * DOLLAR,
      0n,
    ]);
  });

  it("not before an awarded node has had its time, however long it was offline before", async () => {
    const market = await loadFixture(marketWithCommittee);
    await offlineFor(market, first.operator.address, 600n);
    const task = await market.award({ ratePerHour: RATE, maxAttempts: 2 }, [first.operator]);
    const allowedAfter = (await acceptedAt(market, task)) + 120n;
    await nextBlockAt(allowedAfter);
    await expect(market.tasks.failover(task.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "NodeNotLost",
    );
    await nextBlockAt(allowedAfter + 1n);
    await market.tasks.failover(task.leaseId);
    expect(await market.statusOf(task)).to.equal("Open");
  });

  it("when its node has been offline for longer than the order allows, by the committee's word (rule 26)", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const node = first.operator.address;
    const { since, final } = await report(market, node);
    await nextBlockAt(final - 1n);
    await expect(market.tasks.failover(task.leaseId)) // pending: nothing has been said yet
      .to.be.revertedWithCustomError(market.tasks, "NodeNotLost")
      .withArgs(task.leaseId, node, 0, (await acceptedAt(market, task)) + 120n);
    await nextBlockAt(since + 120n);
    await expect(market.tasks.failover(task.leaseId))
      .to.be.revertedWithCustomError(market.tasks, "NodeNotLost")
      .withArgs(task.leaseId, node, since, since + 120n);
    await nextBlockAt(since + 121n);
    await market.tasks.connect(stranger).failover(task.leaseId);
    expect(await market.statusOf(task)).to.equal("Open");
    expect((await market.nodes.stakeOf(node)).staked).to.equal(1000n * DOLLAR);
    await takeOver(market, task, fourth);
    await market.tasks.connect(fourth.operator).startLease(task.leaseId, 2);
    expect(await market.statusOf(task)).to.equal("Running");
  });

  it("not when its node has shown itself in the meantime", async () => {
    const market = await loadFixture(marketWithCommittee);
    const task = await running(market);
    const since = await offlineFor(market, first.operator.address, 110n);
    await market.liveness.connect(first.operator).stillAlive();
    await nextBlockAt(since + 200n);
    await expect(market.tasks.failover(task.leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "NodeNotLost",
    );
  });

  it("not where it runs no more: its last claim has a deadline of its own", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await running(market);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    await market.nodes.connect(first.owner).revokeOperator(first.operator.address);
    await expect(market.tasks.failover(task.leaseId))
      .to.be.revertedWithCustomError(market.tasks, "WrongStatus")
      .withArgs(task.leaseId, 4);
    await expect(market.tasks.failover(digest("none"))).to.be.revertedWithCustomError(
      market.tasks,
      "WrongStatus",
    );
  });
});
