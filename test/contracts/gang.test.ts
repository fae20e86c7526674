import { expect } from "chai";
import {
  as,
  CENT,
  complete,
  earned,
  fail,
  leaseOf,
  lostOne,
  order,
  RATE,
  stakeOf,
  three,
  two,
  waiting,
} from "./gang.ts";
import { DOLLAR, digest, loadFixture, type Market, nextBlockAt, now, people } from "./market.ts";
import {
  conserving,
  first,
  fourth,
  marketWithCommittee,
  marketWithProviders,
  member,
  productionWithProviders,
  report,
  runningGang,
  second,
  third,
} from "./providers.ts";

const { consumer, stranger } = people;

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

  it("is paid by the first of its members like by any other", async () => {
    const market = await loadFixture(marketWithProviders);
    const task = await market.award(order, [first.operator, second.operator]);
    const assigned = await now();
    await nextBlockAt(assigned + 100n);
    await as(market, second).startLease(member(task, 1).leaseId, 1);
    await nextBlockAt(assigned + 901n);
    await market.tasks.connect(stranger).expire(member(task, 0).leaseId);
    expect(await earned(market, second)).to.equal((801n * CENT) / 2n);
    expect((await stakeOf(market, first))[0]).to.equal(1000n * DOLLAR - (801n * CENT) / 2n);
  });

  /** The first has started, the second and third have `windows` from the award: the second is the first to be late. */
  async function late(market: Market, windows: readonly [number, number]) {
    const terms = await market.order({ ...order, leases: 3 });
    const offers = await Promise.all(
      three.map(({ operator }, index) =>
        market.quote(terms, index, { startWindow: windows[index === 2 ? 1 : 0] }, operator),
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
    return { assigned, leaseId: leaseIds[1] as string };
  }

  for (const [when, window] of [
    ["later", 900],
    ["now", 301],
  ] as const) {
    it(`blames only whose own window has passed, where another's ends ${when}`, async () => {
      const market = await loadFixture(marketWithProviders);
      const { assigned, leaseId } = await late(market, [300, window]);
      await nextBlockAt(assigned + 301n);
      await market.tasks.connect(stranger).expire(leaseId);
      expect(await earned(market, first)).to.equal((300n * CENT) / 2n);
      expect((await stakeOf(market, second))[0]).to.equal(1000n * DOLLAR - (300n * CENT) / 2n);
      expect((await stakeOf(market, third))[0]).to.equal(1000n * DOLLAR);
    });
  }

  it("blames nobody before the outage grace after its own window is over", async () => {
    const market = await loadFixture(productionWithProviders);
    const grace = BigInt(market.terms.outageGrace);
    const { assigned, leaseId } = await late(market, [300, 300 + Number(grace) / 2]);
    await nextBlockAt(assigned + 300n + grace + 1n);
    await market.tasks.connect(stranger).expire(leaseId);
    const waited = ((300n + grace) * CENT) / 2n;
    expect(await earned(market, first)).to.equal(waited);
    expect((await stakeOf(market, second))[0]).to.equal(1000n * DOLLAR - waited);
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
      expect((await market.tasks.getGang(task.taskId)).replaceUntil).to.equal(0n);
      for (const by of two) expect(await earned(market, by)).to.equal((80n * CENT) / 2n);
      expect(await stakeOf(market, third)).to.deep.equal([1000n * DOLLAR - 80n * CENT, 0n]);
      // What is left of an hour after 300 seconds, from the second start, and the grace of the last claim.
      expect(await market.tasks.deadlineOf(member(task, 0).leaseId)).to.equal(lostAt + 80n + 3300n + 30n);

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

  it("goes on with those that are left, where another had completed before", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, clockStart } = await runningGang(market, three, order);
    await nextBlockAt(clockStart + 200n);
    await complete(market, task, 0, first, { ended: clockStart + 200n });
    await nextBlockAt(clockStart + 300n);
    await fail(market, task, 2, third);
    await as(market, fourth).takeOver(member(task, 2).leaseId);
    await nextBlockAt(clockStart + 320n);
    await expect(as(market, fourth).startLease(member(task, 2).leaseId, 2))
      .to.emit(market.tasks, "GangStarted")
      .withArgs(task.taskId, clockStart + 320n);
  });

  it("pays for waiting to the last base unit", async () => {
    const market = await loadFixture(marketWithProviders);
    const { task, lostAt } = await lostOne(market, { ratePerHour: 720n });
    await nextBlockAt(lostAt + 5n);
    await as(market, fourth).takeOver(member(task, 2).leaseId);
    await nextBlockAt(lostAt + 10n);
    await as(market, fourth).startLease(member(task, 2).leaseId, 2);
    // Half of 720 base units an hour, for ten seconds.
    for (const by of two) expect(await earned(market, by)).to.equal(1n);
  });

  it("unlocks what its waiting leaves of the lock, were it one base unit", async () => {
    const market = await loadFixture(marketWithProviders);
    const odd = { ratePerHour: 599_999_940n, maxDuration: 300, fundedSeconds: 300, maxAttempts: 2 };
    const { task, clockStart } = await runningGang(market, two, odd);
    await nextBlockAt(clockStart + 100n);
    await fail(market, task, 1, second);
    await as(market, third).takeOver(member(task, 1).leaseId);
    await nextBlockAt(clockStart + 220n);
    await as(market, third).startLease(member(task, 1).leaseId, 2);
    expect(await earned(market, first)).to.equal(9_999_999n); // of a lock of ten dollars
    expect(await stakeOf(market, second)).to.deep.equal([990n * DOLLAR + 1n, 0n]);
    const past = await market.tasks.getPastAttempt(member(task, 1).leaseId, 1);
    expect([past.lock, past.isLocked]).to.deep.equal([1n, false]); // a proof takes it from what is free
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
      const grace = BigInt(market.terms.completionGrace); // to deliver what there is
      for (const [index, by] of two.entries()) {
        expect(await market.tasks.deadlineOf(member(task, index).leaseId)).to.equal(lostAt + 200n + grace);
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
    const { task: enough } = await lostOne(market, { maxDuration: 310, startWindow: 200 });
    expect((await leaseOf(market, enough, 2)).status).to.equal(1n);
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
