import { expect } from "chai";
import { addNode, attester } from "./committee.ts";
import {
  busyLocalMarket,
  busyProductionMarket,
  DOLLAR,
  digest,
  type LeaseRef,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import {
  type Call,
  calls,
  type Deadline,
  type Row,
  refusal,
  rows,
  type Scene,
  scenes,
  statusOf,
} from "./state-table.ts";

const RATE = 36n * DOLLAR; // a cent of a dollar each second
const ORDER = { ratePerHour: RATE, maxDuration: 3600, fundedSeconds: 3500 };
const other = attester(0);

type Send = (market: Market, ref: LeaseRef) => Promise<unknown>;

/** Each call by its right actor. */
const send: Record<Call, Send> = {
  acceptTask: (market, ref) => market.tasks.connect(people.operator).acceptTask(ref.taskId),
  takeOver: (market, ref) => market.tasks.connect(other.operator).takeOver(ref.leaseId),
  grantKeys: async (market, ref) => {
    const wrap = { node: people.operator.address, keyVersion: 1, wrap: digest("key") };
    return market.tasks.connect(people.consumer).grantKeys(ref.taskId, [wrap]);
  },
  failover: (market, ref) => market.tasks.connect(people.stranger).failover(ref.leaseId),
  topUp: async ({ tasks }, { taskId }) =>
    tasks.connect(people.consumer).topUp(taskId, (await tasks.getTask(taskId)).fundedSeconds + 100n),
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
  const plus = {
    maxSeconds: lease.maxSeconds,
    completionGrace: (await market.tasks.termsOf(ref.taskId)).completionGrace,
    evidencePeriod: await market.nodes.evidencePeriod(),
  };
  return deadline.plus.reduce((sum, term) => sum + plus[term], lease[deadline.from]);
}

/** A second node, for what the first one loses. */
async function withOther(fixture: () => Promise<Market>): Promise<Market> {
  const market = await fixture();
  await addNode(market, other);
  await networkHelpers.time.increase(BigInt(market.terms.ticketAge) + 1n);
  return market;
}
const localMarket = () => withOther(busyLocalMarket);
const productionMarket = () => withOther(busyProductionMarket);

/** The lease in this state. A run has a checkpoint at 120 seconds to be paid to. */
async function arrange(market: Market, scene: Scene, maxAttempts = 1): Promise<LeaseRef> {
  const order = { ...ORDER, maxAttempts, isPrivate: scene === "Assigned, no key" };
  const state = statusOf(scene);
  if (scene === "Open again") {
    const ref = await market.leaseIn("Assigned", { ...order, maxAttempts: 2 });
    await send.failLease(market, ref);
    return ref;
  }
  if (!["Running", "Stopping", "Completed"].includes(state)) return market.leaseIn(state, order);
  const ref = await market.leaseIn("Running", order);
  const { startedAt } = await market.tasks.getLease(ref.leaseId);
  await nextBlockAt(startedAt + 120n);
  await market.tasks.connect(people.operator).checkpoint(ref.leaseId, 1, 1, digest("first"));
  await nextBlockAt(startedAt + 300n);
  if (state === "Stopping") await send.cancelTask(market, ref);
  if (state === "Completed") await market.complete(ref, { ended: startedAt + 200n });
  return ref;
}

/** What a row needs besides the state: a node that had accepted, or one that is revoked. */
async function arrangeRow(market: Market, row: Row): Promise<LeaseRef> {
  if (row.scene === "Cancelled") {
    const ref = await market.leaseIn("Assigned", ORDER);
    await send.cancelTask(market, ref);
    return ref;
  }
  const ref = await arrange(market, row.scene, row.attempts === "left" ? 2 : 1);
  if (row.call === "failover") {
    await market.nodes.connect(people.owner).revokeOperator(people.operator.address);
  }
  return ref;
}

/** Seconds that the call pays for. */
const paidSeconds = (row: Row) => (row.paid === "toLastClaim" ? 120n : row.paid === "attested" ? 200n : 0n);

/** Base units that stay reserved for the task. */
function reservedAfter(row: Row, before: bigint): bigint {
  if (row.call === "topUp") return before + (RATE * 100n) / 3600n;
  if (["Settled", "Cancelled", "Failed", "Expired"].includes(row.becomes)) return 0n;
  return before - (row.becomes === "Open again" ? (RATE * paidSeconds(row)) / 3600n : 0n);
}

const title = (row: Row) => {
  const state = row.attempts ? `${row.scene}, attempts ${row.attempts}` : row.scene;
  return `${state}: ${row.actor} may ${row.call}`;
};

for (const [name, fixture] of [
  ["without an outage grace (local)", localMarket],
  ["with production's outage grace", productionMarket],
] as const) {
  describe(`States and deadlines ${name} (rules 12 and 27)`, () => {
    for (const row of rows) {
      const when = row.deadline === "none" ? "at any time" : row.enforces ? "one second after" : "up to";
      it(`${title(row)} ${when}${row.deadline === "none" ? "" : " the deadline"} -> ${row.becomes}`, async () => {
        const market = await loadFixture(fixture);
        const ref = await arrangeRow(market, row);
        const { amount: reserved } = await market.escrow.reservedFor(ref.taskId);
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

        expect(await market.statusOf(ref)).to.equal(statusOf(row.becomes));
        const gross = (RATE * paidSeconds(row)) / 3600n;
        const fee = (gross * BigInt(market.terms.feeBps)) / 10_000n;
        expect((await market.escrow.earningsOf(people.owner.address)) - earned).to.equal(gross - fee);
        const { amount } = await market.escrow.reservedFor(ref.taskId);
        expect(amount).to.equal(reservedAfter(row, reserved));

        const after = await market.tasks.getLease(ref.leaseId);
        const runs = ["Assigned", "Running", "Stopping"].includes(statusOf(row.becomes));
        const node = row.call === "takeOver" ? other.operator.address : people.operator.address;
        expect((await market.nodes.getNode(node)).used.gpus).to.equal(runs ? 2n : 0n);
        const holds = (runs || row.becomes === "Completed") && row.call !== "proveEquivocation";
        expect((await market.nodes.stakeOf(node)).locked).to.equal(holds ? after.lock : 0n);
      });

      if (row.deadline !== "none" && !row.enforces) {
        it(`${title(row).replace(" may ", " may not ")} one second after the deadline`, async () => {
          const market = await loadFixture(fixture);
          const ref = await arrangeRow(market, row);
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
  for (const scene of scenes) {
    for (const call of calls) {
      if (rows.some((row) => row.scene === scene && row.call === call)) continue;
      it(`${scene}: ${call} is refused`, async () => {
        const market = await loadFixture(localMarket);
        const ref = await arrange(market, scene);
        await expect(send[call](market, ref)).to.be.revertedWithCustomError(
          market.tasks,
          refusal(scene, call),
        );
        expect(await market.statusOf(ref)).to.equal(statusOf(scene));
      });
    }
  }

  it("knows every state and every call", () => {
    expect(new Set(rows.map((row) => row.scene)).size).to.equal(scenes.length);
    expect(new Set(rows.map((row) => row.call)).size).to.equal(calls.length);
  });
});
