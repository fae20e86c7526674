import { expect } from "chai";
import {
  busyLocalMarket,
  busyProductionMarket,
  DOLLAR,
  digest,
  type LeaseRef,
  loadFixture,
  type Market,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import { type Call, calls, type Deadline, liveStatuses, type Row, refusal, rows } from "./state-table.ts";

const RATE = 36n * DOLLAR; // a cent of a dollar each second
const MAX_DURATION = 3600;

type Send = (market: Market, ref: LeaseRef) => Promise<unknown>;

/** Each call by its right actor. */
const send: Record<Call, Send> = {
  acceptTask: (market, ref) => market.tasks.connect(people.operator).acceptTask(ref.taskId),
  startLease: (market, ref) => market.tasks.connect(people.operator).startLease(ref.leaseId, 1),
  checkpoint: (market, ref) =>
    market.tasks.connect(people.operator).checkpoint(ref.leaseId, 1, 10, digest("checkpoint")),
  completeLease: (market, ref) => market.complete(ref),
  failLease: (market, ref) =>
    market.tasks.connect(people.operator).failLease(ref.leaseId, 1, digest("disk broken")),
  cancelTask: (market, ref) => market.tasks.connect(people.consumer).cancelTask(ref.taskId),
  approve: (market, ref) => market.tasks.connect(people.consumer).approve(ref.leaseId),
  settle: (market, ref) => market.tasks.connect(people.stranger).settle(ref.leaseId),
  expire: (market, ref) => market.tasks.connect(people.stranger).expire(ref.leaseId),
  proveEquivocation: async (market, ref) => {
    const first = await market.attestation(ref, { outputDigest: digest("one result") });
    const second = { ...first, outputDigest: digest("another result") };
    return market.tasks
      .connect(people.stranger)
      .proveEquivocation(first, await market.sign(first), second, await market.sign(second));
  },
};

async function timeOf(market: Market, ref: LeaseRef, deadline: Deadline): Promise<bigint> {
  const lease = await market.tasks.getLease(ref.leaseId);
  const task = await market.tasks.getTask(ref.taskId);
  const from = deadline.from === "openUntil" ? task.openUntil : lease[deadline.from];
  const plus = {
    maxDuration: BigInt(task.maxDuration),
    completionGrace: task.terms.completionGrace,
    evidencePeriod: await market.nodes.evidencePeriod(),
  };
  return deadline.plus.reduce((sum, term) => sum + BigInt(plus[term]), from);
}

async function paidSeconds(market: Market, ref: LeaseRef, row: Row): Promise<bigint> {
  const lease = await market.tasks.getLease(ref.leaseId);
  if (row.paid === "toLastClaim") return lease.lastClaimAt - lease.startedAt;
  if (row.paid === "attested") return lease.billedSeconds;
  return 0n;
}

/** The lease in the row's state, with a run that has a checkpoint to be paid to. */
async function arrange(market: Market, row: Row): Promise<LeaseRef> {
  const order = { ratePerHour: RATE, maxDuration: MAX_DURATION };
  const afterAccept =
    row.call === "proveEquivocation" && (row.state === "Cancelled" || row.state === "Expired");
  if (row.state === "Cancelled" && afterAccept) {
    const ref = await market.leaseIn("Assigned", order);
    await send.cancelTask(market, ref);
    return ref;
  }
  if (!["Running", "Stopping", "Completed"].includes(row.state)) return market.leaseIn(row.state, order);
  const ref = await market.leaseIn("Running", order);
  const { startedAt } = await market.tasks.getLease(ref.leaseId);
  await nextBlockAt(startedAt + 120n);
  await market.tasks.connect(people.operator).checkpoint(ref.leaseId, 1, 1, digest("first"));
  await nextBlockAt(startedAt + 300n);
  if (row.state === "Stopping") await send.cancelTask(market, ref);
  if (row.state === "Completed") await market.complete(ref, { ended: startedAt + 200n });
  return ref;
}

for (const [name, fixture] of [
  ["without an outage grace (local)", busyLocalMarket],
  ["with production's outage grace", busyProductionMarket],
] as const) {
  describe(`States and deadlines ${name}`, () => {
    for (const row of rows) {
      const when = row.deadline === "none" ? "at any time" : row.enforces ? "one second after" : "up to";
      it(`${row.state}: ${row.actor} may ${row.call} ${when}${row.deadline === "none" ? "" : " the deadline"} -> ${row.becomes}`, async () => {
        const market = await loadFixture(fixture);
        const ref = await arrange(market, row);
        const before = await market.tasks.getLease(ref.leaseId);
        const earned = await market.escrow.earningsOf(people.owner.address);
        const grace = BigInt(market.terms.outageGrace);

        if (row.deadline === "none") {
          await nextBlockAt((await now()) + 60n);
        } else {
          const deadline = await timeOf(market, ref, row.deadline);
          if (row.enforces) {
            await nextBlockAt(deadline + grace);
            await expect(send[row.call](market, ref))
              .to.be.revertedWithCustomError(market.tasks, "DeadlineNotPassed")
              .withArgs(ref.leaseId, deadline + grace, deadline + grace);
            await nextBlockAt(deadline + grace + 1n);
          } else {
            await nextBlockAt(deadline);
          }
        }
        await send[row.call](market, ref);

        expect(await market.statusOf(ref)).to.equal(row.becomes);
        const seconds = await paidSeconds(market, ref, row);
        const gross = (RATE * seconds) / 3600n;
        const fee = (gross * BigInt(market.terms.feeBps)) / 10_000n;
        expect((await market.escrow.earningsOf(people.owner.address)) - earned).to.equal(gross - fee);
        const over = ["Settled", "Cancelled", "Failed", "Expired"].includes(row.becomes);
        expect((await market.escrow.reservedFor(ref.taskId)).amount).to.equal(over ? 0n : before.reserved);
        if (row.paid === "toLastClaim") expect(seconds).to.equal(120n);
        if (row.paid === "attested") expect(seconds).to.equal(200n);

        const { used } = await market.nodes.getNode(people.operator.address);
        const runs = ["Assigned", "Running", "Stopping"].includes(row.becomes);
        expect(used.gpus).to.equal(runs ? 2n : 0n);
        const { locked } = await market.nodes.stakeOf(people.operator.address);
        const holds = (runs || row.becomes === "Completed") && row.call !== "proveEquivocation";
        expect(locked).to.equal(holds ? (await market.tasks.getLease(ref.leaseId)).lock : 0n);
      });

      if (row.deadline !== "none" && !row.enforces) {
        it(`${row.state}: ${row.actor} may not ${row.call} one second after the deadline`, async () => {
          const market = await loadFixture(fixture);
          const ref = await arrange(market, row);
          const deadline = await timeOf(market, ref, row.deadline as Deadline);
          await nextBlockAt(deadline + 1n);
          await expect(send[row.call](market, ref))
            .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
            .withArgs(ref.leaseId, deadline, deadline + 1n);
        });
      }
    }
  });
}

describe("States and calls that do not meet", () => {
  for (const state of liveStatuses) {
    for (const call of calls) {
      if (rows.some((row) => row.state === state && row.call === call)) continue;
      it(`${state}: ${call} is refused`, async () => {
        const market = await loadFixture(busyLocalMarket);
        const ref = await market.leaseIn(state);
        await expect(send[call](market, ref)).to.be.revertedWithCustomError(
          market.tasks,
          refusal(state, call),
        );
        expect(await market.statusOf(ref)).to.equal(state);
      });
    }
  }

  it("knows every state and every call", () => {
    expect(rows.every((row) => calls.includes(row.call) && liveStatuses.includes(row.state))).to.equal(true);
    expect(new Set(rows.map((row) => row.state)).size).to.equal(liveStatuses.length);
    expect(new Set(rows.map((row) => row.call)).size).to.equal(calls.length);
  });
});
