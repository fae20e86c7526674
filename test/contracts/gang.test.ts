import { expect } from "chai";
import {
  DOLLAR,
  digest,
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
  member,
  report,
  runningGang,
  second,
  third,
} from "./providers.ts";

const { consumer, stranger } = people;
const RATE = 36n * DOLLAR;
const CENT = DOLLAR / 100n; // a second's pay; waiting earns half of it
const order = { ratePerHour: RATE };
const two = [first, second];
const three = [first, second, third];

const as = (market: Market, by: typeof first) => market.tasks.connect(by.operator);
const earned = (market: Market, by: typeof first) => market.escrow.earningsOf(by.owner.address);
const stakeOf = async (market: Market, by: typeof first) =>
  (await market.nodes.stakeOf(by.operator.address)).slice(0, 2);
const complete = (market: Market, task: TaskRef, index: number, by: typeof first, changes = {}) =>
  market.complete(member(task, index), changes, stranger, by.operator);
const leaseOf = (market: Market, task: TaskRef, index: number) =>
  market.tasks.getLease(member(task, index).leaseId);
const fail = (market: Market, task: TaskRef, index: number, by: typeof first, attempt = 1) =>
  as(market, by).failLease(member(task, index).leaseId, attempt, digest("lost"));

/** The market with providers in which a cancelled run is paid for a minute at least. */
async function marketWithTrial(): Promise<Market> {
  const market = await marketWithProviders();
  const parameters = structuredClone(market.parameters.task.initial);
  parameters.terms.minBilled = 60;
  await market.tasks.connect(people.governor).setParameters(parameters);
  return market;
}

/** Three members of which the first has started at `assigned + 100`, the second at `assigned + 200`, the third not. */
async function waiting(market: Market, changes = {}): Promise<{ task: TaskRef; assigned: bigint }> {
  const task = await market.award(
    { ...order, ...changes },
    three.map(({ operator }) => operator),
  );
  const assigned = await now();
  await nextBlockAt(assigned + 100n);
  await as(market, first).startLease(member(task, 0).leaseId, 1);
  await nextBlockAt(assigned + 200n);
  await as(market, second).startLease(member(task, 1).leaseId, 1);
  return { task, assigned };
}

/** Three members that ran together for 300 seconds, of which the third is lost then. */
async function lostOne(market: Market, changes = {}) {
  const { task, clockStart } = await runningGang(market, three, { ...order, ...changes });
  await nextBlockAt(clockStart + 300n);
  await fail(market, task, 2, third);
  return { task, clockStart, lostAt: clockStart + 300n };
}

describe("A gang's clock (rule 13)", () => {
  it("starts with the last member: nobody is paid for waiting by the consumer", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, assigned } = await waiting(market);
    expect(await market.tasks.deadlineOf(member(task, 0).leaseId)).to.equal(2n ** 64n - 1n);
    await nextBlockAt(assigned + 300n);
    await expect(as(market, third).startLease(member(task, 2).leaseId, 1))
      .to.emit(market.tasks, "GangStarted")
      .withArgs(task.taskId, assigned + 300n);
    for (const [index, by] of three.entries()) {
      expect(await market.tasks.deadlineOf(member(task, index).leaseId)).to.equal(assigned + 300n + 3630n);
      await nextBlockAt(assigned + 400n + BigInt(index));
      await complete(market, task, index, by, { ended: assigned + 400n });
      expect((await leaseOf(market, task, index)).billedSeconds).to.equal(100n);
    }
  });

  it("is not stopped by a member that has completed", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, clockStart } = await runningGang(market, two, order);
    await nextBlockAt(clockStart + 100n);
    await complete(market, task, 0, first, { ended: clockStart + 100n });
    await nextBlockAt(clockStart + 500n);
    await complete(market, task, 1, second, { ended: clockStart + 500n });
    expect((await leaseOf(market, task, 0)).billedSeconds).to.equal(100n);
    expect((await leaseOf(market, task, 1)).billedSeconds).to.equal(500n);
    await expect(market.tasks.connect(consumer).cancelTask(task.taskId))
      .to.be.revertedWithCustomError(market.tasks, "TaskIsOver")
      .withArgs(task.taskId);
  });

  it("settles each lease for itself", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, clockStart } = await runningGang(market, two, order);
    await nextBlockAt(clockStart + 100n);
    await complete(market, task, 0, first, { ended: clockStart + 100n });
    await market.tasks.connect(consumer).approve(member(task, 0).leaseId);
    expect(await earned(market, first)).to.equal(99n * CENT);
    expect((await market.escrow.reservedFor(task.taskId)).amount).to.equal(RATE);
    expect((await leaseOf(market, task, 1)).status).to.equal(3n);
  });

  it("stops at the moment from which a member is offline, not at the call that says so", async () => {
    const market = await loadFixture(marketWithCommittee);
    const { task, clockStart } = await runningGang(market, two, order);
    const { since } = await report(market, second.operator.address);
    await nextBlockAt(since + 121n);
    await expect(market.tasks.connect(stranger).failover(member(task, 1).leaseId))
      .to.emit(market.tasks, "GangStopped")
      .withArgs(task.taskId, member(task, 1).leaseId, since, since + 121n + 120n);
    await nextBlockAt(since + 130n);
    await complete(market, task, 0, first, { ended: since + 130n });
    expect((await leaseOf(market, task, 0)).billedSeconds).to.equal(since - clockStart);
  });

  it("never started where a member was offline before it could: nobody pays, nobody is blamed (rule 26)", async () => {
    const market = await loadFixture(marketWithCommittee);
    await conserving(market, async () => {
      const task = await market.award(order, [first.operator, second.operator]);
      await as(market, first).startLease(task.leaseId, 1);
      const { since } = await report(market, second.operator.address);
      await nextBlockAt(since + 121n);
      await market.tasks.failover(member(task, 1).leaseId);
      for (const [index, by] of two.entries()) {
        expect((await leaseOf(market, task, index)).status).to.equal(8n);
        expect(await stakeOf(market, by)).to.deep.equal([1000n * DOLLAR, 0n]);
        expect(await earned(market, by)).to.equal(0n);
      }
      expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
    });
  });
});

describe("A gang that does not start (rule 13)", () => {
  it("is failed by anyone after the window; who is late pays those who waited, in proportion", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, assigned } = await waiting(market);
      const late = member(task, 2).leaseId;
      await nextBlockAt(assigned + 900n);
      await expect(market.tasks.expire(late))
        .to.be.revertedWithCustomError(market.tasks, "DeadlineNotPassed")
        .withArgs(late, assigned + 900n, assigned + 900n);
      await nextBlockAt(assigned + 901n);
      await expect(market.tasks.connect(stranger).expire(late))
        .to.emit(market.tasks, "WaitingPaid")
        .withArgs(late, member(task, 0).leaseId, (801n * CENT) / 2n);
      // Half the rate for 801 and 701 seconds: 7.51 dollars, within the lock of 10.
      expect(await earned(market, first)).to.equal((801n * CENT) / 2n);
      expect(await earned(market, second)).to.equal((701n * CENT) / 2n);
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR - (1502n * CENT) / 2n, 0n]);
      expect(await stakeOf(market, first)).to.deep.equal([1000n * DOLLAR, 0n]);
      expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
      for (const index of [0, 1, 2]) expect((await leaseOf(market, task, index)).status).to.equal(8n);
    });
  });

  it("takes of who is late no more than the lock, shared in proportion", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, assigned } = await waiting(market, { ratePerHour: 72n * DOLLAR });
      const { lock } = await leaseOf(market, task, 2);
      expect(lock).to.equal((72n * DOLLAR) / 5n);
      await nextBlockAt(assigned + 901n);
      await market.tasks.connect(stranger).expire(member(task, 2).leaseId);
      const [a, b] = [await earned(market, first), await earned(market, second)];
      expect(a).to.equal((lock * 801n) / 1502n);
      expect(b).to.equal((lock * 701n) / 1502n);
      const [staked, locked] = await stakeOf(market, third);
      expect([staked, locked]).to.deep.equal([1000n * DOLLAR - a - b, 0n]);
    });
  });

  it("is paid in equal parts by all who are late, each within its own lock", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const four = [first, second, third, fourth];
      const task = await market.award(
        order,
        four.map(({ operator }) => operator),
      );
      const assigned = await now();
      for (const [index, by] of two.entries()) {
        await nextBlockAt(assigned + 100n + BigInt(index));
        await as(market, by).startLease(member(task, index).leaseId, 1);
      }
      await nextBlockAt(assigned + 901n);
      await market.tasks.connect(stranger).expire(member(task, 3).leaseId);
      const owed = [(801n * CENT) / 2n, (800n * CENT) / 2n];
      const total = (owed[0] as bigint) + (owed[1] as bigint);
      for (const [index, by] of two.entries()) expect(await earned(market, by)).to.equal(owed[index]);
      for (const by of [third, fourth]) {
        expect((await stakeOf(market, by))[0]).to.equal(1000n * DOLLAR - total / 2n);
      }
    });
  });

  it("blames only whose own window has passed", async () => {
    const market = await loadFixture(marketWithProviders);
    const terms = await market.order({ ...order, leases: 3 });
    const offers = await Promise.all(
      three.map(({ operator }, index) =>
        market.quote(terms, index, { startWindow: index === 2 ? 900 : 300 }, operator),
      ),
    );
    const taskId = await market.nextTaskId(terms, consumer.address);
    await market.tasks.connect(consumer).createAndAward(
      terms,
      offers.map(({ quote }) => quote),
      offers.map(({ signature }) => signature),
      [],
    );
    const assigned = await now();
    const leaseIds = await Promise.all(three.map((_, index) => market.tasks.leaseIdOf(taskId, index)));
    await nextBlockAt(assigned + 1n);
    await as(market, first).startLease(leaseIds[0] as string, 1);
    await nextBlockAt(assigned + 301n);
    await market.tasks.connect(stranger).expire(leaseIds[1] as string);
    expect(await earned(market, first)).to.equal((300n * CENT) / 2n);
    expect((await stakeOf(market, second))[0]).to.equal(1000n * DOLLAR - (300n * CENT) / 2n);
    expect((await stakeOf(market, third))[0]).to.equal(1000n * DOLLAR);
  });

  it("is failed by a member that gives up, which pays the others' waiting so far", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, assigned } = await waiting(market);
      await nextBlockAt(assigned + 300n);
      await fail(market, task, 2, third);
      expect(await earned(market, first)).to.equal((200n * CENT) / 2n);
      expect(await earned(market, second)).to.equal((100n * CENT) / 2n);
      expect((await stakeOf(market, third))[0]).to.equal(1000n * DOLLAR - (300n * CENT) / 2n);
      expect((await market.tasks.getGang(task.taskId)).isOver).to.equal(true);
    });
  });

  it("costs a member nothing where nobody had started", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award(order, [first.operator, second.operator]);
    await fail(market, task, 0, first);
    for (const by of two) expect(await stakeOf(market, by)).to.deep.equal([1000n * DOLLAR, 0n]);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
  });

  it("pays nobody for waiting beyond the stake that a proof has taken", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, assigned } = await waiting(market);
    const one = await market.attestation(member(task, 2), { outputDigest: digest("one") });
    const other = { ...one, outputDigest: digest("two") };
    await market.tasks.proveEquivocation(
      one,
      await market.sign(one, third.operator),
      other,
      await market.sign(other, third.operator),
    );
    await nextBlockAt(assigned + 901n);
    await market.tasks.connect(stranger).expire(member(task, 2).leaseId);
    expect(await earned(market, first)).to.equal(0n);
    expect(await stakeOf(market, third)).to.deep.equal([990n * DOLLAR, 0n]);
  });
});

describe("A gang that loses a member (rules 13 and 17)", () => {
  it("stops, looks for a replacement, pays the survivors' waiting out of the lost lock, and goes on", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, clockStart, lostAt } = await lostOne(market);
      const gang = await market.tasks.getGang(task.taskId);
      expect([gang.firstTo, gang.stoppedAt, gang.replaceUntil]).to.deep.equal([
        lostAt,
        lostAt,
        lostAt + 120n,
      ]);
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR, 10n * DOLLAR]); // still to be paid from
      await nextBlockAt(lostAt + 50n);
      await as(market, fourth).takeOver(member(task, 2).leaseId);
      await nextBlockAt(lostAt + 80n);
      await as(market, fourth).startLease(member(task, 2).leaseId, 2);
      for (const by of two) expect(await earned(market, by)).to.equal((80n * CENT) / 2n);
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR - 80n * CENT, 0n]);

      const end = lostAt + 80n + 100n;
      await nextBlockAt(end);
      for (const [index, by] of [first, second, fourth].entries()) {
        if (index > 0) await nextBlockAt(end + BigInt(index));
        await complete(market, task, index, by, { started: clockStart, ended: end });
      }
      for (const leaseId of task.leaseIds) await market.tasks.connect(consumer).approve(leaseId);
      const seconds = await Promise.all([0, 1, 2].map((index) => leaseOf(market, task, index)));
      expect(seconds.map(({ billedSeconds }) => billedSeconds)).to.deep.equal([400n, 400n, 100n]);
      // The lost attempt had no checkpoint: unpaid. The consumer pays 900 seconds, and none of the waiting.
      expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR - 900n * CENT);
      expect(await earned(market, fourth)).to.equal(99n * CENT);
      expect(await earned(market, third)).to.equal(0n);
      expect((await market.escrow.reservedFor(task.taskId)).amount).to.equal(0n);
    });
  });

  it("winds up where nobody takes its place: the survivors keep what accrued and waited for replaceWindow", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, lostAt } = await lostOne(market);
      const open = member(task, 2).leaseId;
      await nextBlockAt(lostAt + 120n);
      await expect(market.tasks.expire(open)).to.be.revertedWithCustomError(
        market.tasks,
        "DeadlineNotPassed",
      );
      await nextBlockAt(lostAt + 200n);
      await market.tasks.connect(stranger).expire(open);
      expect((await leaseOf(market, task, 2)).status).to.equal(9n);
      for (const [index, by] of two.entries()) {
        expect(await earned(market, by)).to.equal((120n * CENT) / 2n); // not for the 80 seconds after it
        expect((await leaseOf(market, task, index)).status).to.equal(4n);
        await nextBlockAt(lostAt + 210n + BigInt(index));
        await complete(market, task, index, by, { ended: lostAt + 210n });
        expect((await leaseOf(market, task, index)).billedSeconds).to.equal(300n);
      }
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR - 120n * CENT, 0n]);
    });
  });

  it("lets a survivor leave blameless while it waits", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, lostAt } = await lostOne(market);
      await nextBlockAt(lostAt + 10n);
      await as(market, first).checkpoint(member(task, 0).leaseId, 1, 1, digest("all of it"));
      await nextBlockAt(lostAt + 121n);
      await fail(market, task, 0, first);
      expect((await leaseOf(market, task, 0)).billedSeconds).to.equal(300n);
      expect(await stakeOf(market, first)).to.deep.equal([1000n * DOLLAR, 0n]);
      expect(await earned(market, second)).to.equal((120n * CENT) / 2n);
      expect((await leaseOf(market, task, 1)).status).to.equal(4n);
      expect((await leaseOf(market, task, 2)).status).to.equal(9n);
    });
  });

  it("has one replacement round: a second loss ends it", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, lostAt } = await lostOne(market);
      await as(market, fourth).takeOver(member(task, 2).leaseId);
      await as(market, fourth).startLease(member(task, 2).leaseId, 2);
      await nextBlockAt(lostAt + 100n);
      await fail(market, task, 1, second);
      expect((await market.tasks.getGang(task.taskId)).isOver).to.equal(true);
      expect((await leaseOf(market, task, 1)).status).to.equal(8n);
      for (const index of [0, 2]) expect((await leaseOf(market, task, index)).status).to.equal(4n);
      await expect(market.tasks.connect(consumer).cancelTask(task.taskId)).to.be.revertedWithCustomError(
        market.tasks,
        "TaskIsOver",
      );
      await fail(market, task, 0, first);
      expect((await leaseOf(market, task, 0)).status).to.equal(8n);
    });
  });

  it("ends where the replacement does not start, or gets no key: it is blameless", async () => {
    const market = await loadFixture(marketWithProviders);
    const wraps = await Promise.all(two.map(({ operator }) => market.wrap(operator.address)));
    const task = await market.award(
      { ...order, isPrivate: true, maxAttempts: 2 },
      two.map(({ operator }) => operator),
      consumer,
      wraps,
    );
    for (const [index, by] of two.entries()) await as(market, by).startLease(member(task, index).leaseId, 1);
    await nextBlockAt((await now()) + 60n);
    await fail(market, task, 1, second);
    await as(market, third).takeOver(member(task, 1).leaseId);
    const taken = await now();
    expect((await leaseOf(market, task, 1)).deadline).to.equal(taken + 600n);
    await nextBlockAt(taken + 601n);
    await market.tasks.connect(stranger).expire(member(task, 1).leaseId);
    expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR, 0n]);
    expect((await leaseOf(market, task, 0)).status).to.equal(4n);
    expect(await earned(market, third)).to.equal(0n);
  });

  it("does not look for a replacement with less than minRun left on its clock", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task } = await lostOne(market, { maxDuration: 309, startWindow: 200 });
    expect((await leaseOf(market, task, 2)).status).to.equal(8n);
    expect((await leaseOf(market, task, 0)).status).to.equal(4n);
    expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR, 0n]);
  });

  it("pays a lost member to its last checkpoint on the common clock", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, clockStart } = await runningGang(market, two, order);
    await nextBlockAt(clockStart + 100n);
    await as(market, second).checkpoint(member(task, 1).leaseId, 1, 5, digest("five"));
    await nextBlockAt(clockStart + 150n);
    await expect(fail(market, task, 1, second))
      .to.emit(market.tasks, "AttemptLost")
      .withArgs(member(task, 1).leaseId, task.taskId, second.operator.address, 1, 100, 100n * CENT);
  });

  it("ends by anyone's call when nobody delivers: every member has a way out", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, clockStart } = await runningGang(market, two, order);
      await nextBlockAt(clockStart + 3631n);
      await market.tasks.connect(stranger).expire(member(task, 0).leaseId);
      await nextBlockAt(clockStart + 3800n);
      for (const index of [0, 1]) {
        const { status } = await leaseOf(market, task, index);
        if (status !== 1n && status !== 4n) continue;
        const deadline = await market.tasks.deadlineOf(member(task, index).leaseId);
        if ((await now()) <= deadline) await nextBlockAt(deadline + 1n);
        await market.tasks.connect(stranger).expire(member(task, index).leaseId);
      }
      const ends = await Promise.all([0, 1].map((index) => leaseOf(market, task, index)));
      expect(ends.map(({ status }) => status)).to.deep.equal([9n, 9n]);
      expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
      for (const by of two) expect(await stakeOf(market, by)).to.deep.equal([1000n * DOLLAR, 0n]);
    });
  });
});

describe("A gang that is cancelled (rules 13 and 18)", () => {
  it("stops as one: who runs may still deliver, paid to the cancel", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, clockStart } = await runningGang(market, two, order);
      await nextBlockAt(clockStart + 100n);
      await market.tasks.connect(consumer).cancelTask(task.taskId);
      for (const [index, by] of two.entries()) {
        expect((await leaseOf(market, task, index)).status).to.equal(4n);
        await complete(market, task, index, by, { ended: clockStart + 100n, outcome: 5 });
        expect((await leaseOf(market, task, index)).billedSeconds).to.equal(100n);
      }
      await expect(market.tasks.connect(consumer).cancelTask(task.taskId)).to.be.revertedWithCustomError(
        market.tasks,
        "TaskIsOver",
      );
    });
  });

  it("is free for those that have not started, and unlocks what was kept for the waiting", async () => {
    const market = await loadFixture(marketWithProviders);
    await conserving(market, async () => {
      const { task, lostAt } = await lostOne(market);
      await nextBlockAt(lostAt + 40n);
      await market.tasks.connect(consumer).cancelTask(task.taskId);
      expect((await leaseOf(market, task, 2)).status).to.equal(7n);
      for (const by of two) expect(await earned(market, by)).to.equal((40n * CENT) / 2n);
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR - 40n * CENT, 0n]);
    });
  });

  it("pays no trial before the clock has started, whoever had started by then (rule 16)", async () => {
    const market = await loadFixture(marketWithTrial);
    const { task } = await waiting(market);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    await complete(market, task, 0, first);
    await market.tasks.connect(consumer).approve(member(task, 0).leaseId);
    expect((await leaseOf(market, task, 0)).billedSeconds).to.equal(0n);
    expect(await earned(market, first)).to.equal(0n);
  });

  it("costs nobody anything before anyone has started", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award(order, [first.operator, second.operator]);
    await market.tasks.connect(consumer).cancelTask(task.taskId);
    for (const index of [0, 1]) expect((await leaseOf(market, task, index)).status).to.equal(7n);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
  });
});
