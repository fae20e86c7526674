import { expect } from "chai";
import { type GangCall, type GangRow, gangRows, situations } from "./gang-table.ts";
import { digest, loadFixture, type Market, nextBlockAt, now, people, type TaskRef } from "./market.ts";
import {
  everything,
  first,
  fourth,
  marketWithProviders,
  member,
  productionWithProviders,
  second,
  startAll,
  third,
} from "./providers.ts";

const { consumer, stranger } = people;
const three = [first, second, third];

/** Who is a member's node in this situation. */
const nodeOf = (row: GangRow) => {
  const hasReplacement = row.situation === "taken over" || row.situation === "running again";
  return row.member === 2 && hasReplacement ? fourth : (three[row.member] as typeof first);
};

const send: Record<GangCall, (market: Market, task: TaskRef, row: GangRow) => Promise<unknown>> = {
  startLease: (market, task, row) => {
    const attempt = row.situation === "taken over" ? 2 : 1;
    const { leaseId } = member(task, row.member);
    return market.tasks.connect(nodeOf(row).operator).startLease(leaseId, attempt);
  },
  completeLease: (market, task, row) =>
    market.complete(member(task, row.member), {}, stranger, nodeOf(row).operator),
  failLease: (market, task, row) =>
    market.tasks
      .connect(nodeOf(row).operator)
      .failLease(member(task, row.member).leaseId, 1, digest("given up")),
  failover: (market, task, row) => market.tasks.failover(member(task, row.member).leaseId),
  takeOver: (market, task, row) =>
    market.tasks.connect(fourth.operator).takeOver(member(task, row.member).leaseId),
  expire: (market, task, row) => market.tasks.connect(stranger).expire(member(task, row.member).leaseId),
  cancelTask: (market, task) => market.tasks.connect(consumer).cancelTask(task.taskId),
};

async function arrange(market: Market, row: GangRow): Promise<TaskRef> {
  const task = await market.award(
    { maxAttempts: 3 },
    three.map(({ operator }) => operator),
  );
  if (row.situation === "starting") {
    await startAll(market, { ...task, leaseIds: task.leaseIds.slice(0, 2) }, three);
  } else {
    await startAll(market, task, three);
  }
  await nextBlockAt((await now()) + 60n);
  const lost = member(task, 2).leaseId;
  if (["waiting", "taken over", "running again"].includes(row.situation)) {
    await market.tasks.connect(third.operator).failLease(lost, 1, digest("lost"));
  }
  if (["taken over", "running again"].includes(row.situation)) {
    await market.tasks.connect(fourth.operator).takeOver(lost);
  }
  if (row.situation === "running again") await market.tasks.connect(fourth.operator).startLease(lost, 2);
  if (row.call === "failover") await market.nodes.connect(third.owner).revokeOperator(third.operator.address);
  return task;
}

/** When the member's deadline is; of a survivor that waits there is none. */
const deadlineOf = (market: Market, task: TaskRef, row: GangRow) =>
  market.tasks.deadlineOf(member(task, row.member).leaseId);

for (const [name, fixture] of [
  ["without an outage grace (local)", marketWithProviders],
  ["with production's outage grace", productionWithProviders],
] as const) {
  describe(`A gang's situations and deadlines ${name} (rules 12, 13 and 27)`, () => {
    for (const row of gangRows) {
      it(`${row.situation}: ${row.actor} may ${row.call} -> ${row.becomes.join(", ")}`, async () => {
        const market = await loadFixture(fixture);
        const task = await arrange(market, row);
        const before = await everything(market);
        const grace = BigInt(market.terms.outageGrace);
        if (row.deadline !== "none") {
          const deadline = await deadlineOf(market, task, row);
          if (row.enforces) {
            await nextBlockAt(deadline + grace);
            await expect(send[row.call](market, task, row)).to.be.revertedWithCustomError(
              market.tasks,
              "DeadlineNotPassed",
            );
            await nextBlockAt(deadline + grace + 1n);
          } else await nextBlockAt(deadline);
        }
        const at = await market.escrow.runner?.provider?.getBlockNumber();
        await send[row.call](market, task, row);

        const leases = await Promise.all(
          task.leaseIds.map((leaseId) => market.statusOf({ ...task, leaseId })),
        );
        expect(leases).to.deep.equal(row.becomes);
        const waited = await market.tasks.queryFilter(market.tasks.filters.WaitingPaid(), (at ?? 0) + 1);
        expect(waited.length > 0, "waiting is paid").to.equal(row.paysWaiting);
        expect(await everything(market)).to.equal(before);
        const ended = row.becomes.filter((status) => ["Failed", "Cancelled", "Expired"].includes(status));
        const { amount } = await market.escrow.reservedFor(task.taskId);
        if (ended.length === 3) expect(amount).to.equal(0n);
        else expect(amount).to.be.greaterThan(0n);
      });

      if (row.deadline !== "none" && !row.enforces) {
        it(`${row.situation}: ${row.actor} may not ${row.call} one second after the deadline`, async () => {
          const market = await loadFixture(fixture);
          const task = await arrange(market, row);
          const deadline = await deadlineOf(market, task, row);
          await nextBlockAt(deadline + 1n);
          await expect(send[row.call](market, task, row))
            .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
            .withArgs(member(task, row.member).leaseId, deadline, deadline + 1n);
        });
      }
    }
  });
}

describe("The gang's table", () => {
  it("knows every situation", () => {
    expect(new Set(gangRows.map(({ situation }) => situation)).size).to.equal(situations.length);
  });
});
