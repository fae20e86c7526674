import { expect } from "chai";
import { attesters, claimed, completed, receipt, verdicts, withCommittee } from "./claims.ts";
import {
  busyLocalMarket,
  busyProductionMarket,
  digest,
  type LeaseRef,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import { everything } from "./providers.ts";
import { commit, reveal, running, threeNodes, type Vote } from "./replicas.ts";
import {
  type RefusedCall,
  refusalOf,
  refusals,
  refusedCalls,
  type VerificationCall,
  type VerificationRow,
  type VerificationScene,
  verificationRows,
  verificationScenes,
} from "./verification-table.ts";

const { consumer, operator, owner, stranger } = people;
const RATE = 10_000_000n; // base units an hour, of every order here

/** A lease in its state; of a replica what it committed to. */
interface Scene {
  readonly ref: LeaseRef;
  readonly vote?: Vote;
}

async function withAll(fixture: () => Promise<Market>): Promise<Market> {
  const market = await threeNodes(() => withCommittee(fixture));
  await networkHelpers.time.increase(BigInt(market.terms.ticketAge) + 1n);
  return market;
}
const localMarket = () => withAll(busyLocalMarket);
const productionMarket = () => withAll(busyProductionMarket);

/** What the three replicas find; the lease that a row is about is the first. */
const OUTPUTS: Partial<Record<VerificationScene, readonly [string, string, string]>> = {
  "Revealed, a minority": ["other", "same", "same"],
  "Revealed, no k alike": ["one", "two", "three"],
};

async function arrange(market: Market, scene: VerificationScene): Promise<Scene> {
  if (scene === "Completed") return { ref: await completed(market) };
  if (scene === "Disputed") return { ref: await claimed(market) };
  const refs = (await running(market)) as [LeaseRef, LeaseRef, LeaseRef];
  const [ref] = refs;
  const { startedAt } = await market.tasks.getLease(ref.leaseId);
  await nextBlockAt(startedAt + 120n);
  await market.tasks.connect(operator).checkpoint(ref.leaseId, 1, 1, digest("first"));
  if (scene === "Running, a replica") return { ref };
  const outputs = OUTPUTS[scene] ?? ["same", "same", "same"];
  const votes: Vote[] = [];
  for (const [index, output] of outputs.entries()) {
    if (scene === "Committed, others run" && index === 2) continue;
    votes.push(await commit(market, refs[index] as LeaseRef, index, output));
  }
  const [vote, ...others] = votes as [Vote, ...Vote[]];
  if (scene === "Committed, others run") return { ref, vote };
  for (const other of others) await reveal(market, other);
  if (scene !== "Committed") await reveal(market, vote);
  return { ref, vote };
}

/** The two attestations of a node that says two things. */
async function prove(market: Market, ref: LeaseRef): Promise<unknown> {
  const [one, two] = [
    await market.attestation(ref, { outputDigest: digest("one thing") }),
    await market.attestation(ref, { outputDigest: digest("another") }),
  ];
  const signed = [await market.sign(one, operator), await market.sign(two, operator)] as const;
  return market.tasks.connect(stranger).proveEquivocation(one, signed[0], two, signed[1]);
}

async function answer(market: Market, ref: LeaseRef, fetched: boolean): Promise<unknown> {
  const signatures = await verdicts(market, ref, fetched, attesters);
  return market.tasks.connect(stranger).answerWithAttesters(ref.leaseId, fetched, signatures);
}

const send: Record<VerificationCall | RefusedCall, (market: Market, scene: Scene) => Promise<unknown>> = {
  commitResult: ({ tasks }, { ref }) =>
    tasks.connect(operator).commitResult(ref.leaseId, 1, digest("commitment")),
  revealResult: async (market, { ref, vote }) => {
    if (vote !== undefined) return reveal(market, vote);
    const attestation = await market.attestation(ref);
    const signature = await market.sign(attestation, operator);
    return market.tasks.connect(stranger).revealResult(attestation, signature, digest("salt"));
  },
  tallyResults: ({ tasks }, { ref }) => tasks.connect(stranger).tallyResults(ref.taskId),
  claimUndelivered: ({ tasks }, { ref }) => tasks.connect(consumer).claimUndelivered(ref.leaseId),
  answerWithReceipt: async (market, { ref }) =>
    market.tasks.connect(stranger).answerWithReceipt(ref.leaseId, await receipt(market, ref)),
  "answerWithAttesters, fetched": (market, { ref }) => answer(market, ref, true),
  "answerWithAttesters, not fetched": (market, { ref }) => answer(market, ref, false),
  lapseClaim: ({ tasks }, { ref }) => tasks.connect(stranger).lapseClaim(ref.leaseId),
  failLease: ({ tasks }, { ref }) => tasks.connect(operator).failLease(ref.leaseId, 1, digest("given up")),
  failover: ({ tasks }, { ref }) => tasks.connect(stranger).failover(ref.leaseId),
  expire: ({ tasks }, { ref }) => tasks.connect(stranger).expire(ref.leaseId),
  cancelTask: ({ tasks }, { ref }) => tasks.connect(consumer).cancelTask(ref.taskId),
  proveEquivocation: (market, { ref }) => prove(market, ref),
  acceptTask: ({ tasks }, { ref }) => tasks.connect(operator).acceptTask(ref.taskId),
  takeOver: ({ tasks }, { ref }) => tasks.connect(operator).takeOver(ref.leaseId),
  grantKeys: ({ tasks }, { ref }) =>
    tasks
      .connect(consumer)
      .grantKeys(ref.taskId, [{ node: operator.address, keyVersion: 1, wrap: digest("wrap") }]),
  startLease: ({ tasks }, { ref }) => tasks.connect(operator).startLease(ref.leaseId, 1),
  checkpoint: ({ tasks }, { ref }) => tasks.connect(operator).checkpoint(ref.leaseId, 1, 9, digest("late")),
  completeLease: (market, { ref }) => market.complete(ref),
  topUp: async ({ tasks }, { ref: { taskId } }) =>
    tasks.connect(consumer).topUp(taskId, (await tasks.getTask(taskId)).fundedSeconds + 60n),
  approve: ({ tasks }, { ref }) => tasks.connect(consumer).approve(ref.leaseId),
  settle: ({ tasks }, { ref }) => tasks.connect(stranger).settle(ref.leaseId),
};

async function timeOf(
  { tasks }: Market,
  { ref }: Scene,
  deadline: VerificationRow["deadline"],
): Promise<bigint> {
  if (deadline === "reveal") return (await tasks.getBallot(ref.taskId)).revealUntil;
  if (deadline === "answer") return (await tasks.getClaim(ref.leaseId)).answerUntil;
  if (deadline === "window") return (await tasks.getLease(ref.leaseId)).deadline;
  return tasks.deadlineOf(ref.leaseId);
}

/** Base units that the call moves to the consumer's free balance; a tally gives back what all three replicas leave. */
function backTo(row: VerificationRow, reserved: bigint, gross: bigint, bond: bigint): bigint {
  if (row.call === "topUp") return -((RATE * 60n + 3599n) / 3600n); // for the one replica that still runs
  const isOver = ["Settled", "Failed", "Expired"].includes(row.becomes);
  return (isOver ? reserved - gross : 0n) + { none: 0n, posted: -bond, owner: 0n, consumer: bond }[row.bond];
}

/** Base units that the call itself pays for the run, gross. */
async function grossOf(market: Market, row: VerificationRow, { ref }: Scene): Promise<bigint> {
  if (row.paid === "toLastClaim") return (RATE * 120n) / 3600n;
  if (row.paid === "nothing") return 0n;
  const { billedSeconds } = await market.tasks.getLease(ref.leaseId);
  return (((RATE * BigInt(market.terms.noQuorumBps)) / 10_000n) * billedSeconds) / 3600n;
}

const enforcedBy = (row: VerificationRow) =>
  row.deadline === "none"
    ? "at any time"
    : row.enforces
      ? "one second after the deadline"
      : "up to the deadline";
const title = (row: VerificationRow) =>
  `${row.scene}: ${row.actor} may ${row.call} ${enforcedBy(row)} -> ${row.becomes}`;

for (const [name, fixture] of [
  ["without an outage grace (local)", localMarket],
  ["with production's outage grace", productionMarket],
] as const) {
  describe(`A quorum's and a claim's states and deadlines ${name} (rules 20, 21, 23 and 27)`, () => {
    for (const row of verificationRows) {
      it(title(row), async () => {
        const market = await loadFixture(fixture);
        const scene = await arrange(market, row.scene);
        const { ref } = scene;
        if (row.call === "failover") await market.nodes.connect(owner).revokeOperator(operator.address);
        const all = await everything(market);
        const { lock, reserved } = await market.tasks.getLease(ref.leaseId);
        const [earned, free, bonds] = [
          await market.escrow.earningsOf(owner.address),
          await market.escrow.freeOf(consumer.address),
          await market.escrow.totalBonds(),
        ];
        const { staked } = await market.nodes.stakeOf(operator.address);
        const grace = BigInt(market.terms.outageGrace);
        if (row.deadline !== "none") {
          const deadline = await timeOf(market, scene, row.deadline);
          await nextBlockAt(deadline + (row.enforces ? grace : 0n));
          if (row.enforces) {
            await expect(send[row.call](market, scene)).to.be.revertedWithCustomError(
              market.tasks,
              "DeadlineNotPassed",
            );
            await nextBlockAt(deadline + grace + 1n);
          }
        }
        await send[row.call](market, scene);

        expect(await market.statusOf(ref)).to.equal(row.becomes);
        expect(await everything(market), "no base unit appears or vanishes").to.equal(all);
        const gross = await grossOf(market, row, scene);
        const fee = (gross * BigInt(market.terms.feeBps)) / 10_000n;
        const bond = BigInt(market.terms.claimBond);
        const toOwner = (await market.escrow.earningsOf(owner.address)) - earned;
        expect(toOwner, "earned").to.equal(gross - fee + (row.bond === "owner" ? bond : 0n));
        const moved = { none: 0n, posted: bond, owner: -bond, consumer: -bond }[row.bond];
        expect((await market.escrow.totalBonds()) - bonds, "bonds").to.equal(moved);
        const isOver = ["Settled", "Failed", "Expired"].includes(row.becomes);
        if (row.call !== "tallyResults") {
          const back = backTo(row, reserved, gross, bond);
          expect((await market.escrow.freeOf(consumer.address)) - free, "back to the consumer").to.equal(
            back,
          );
        }
        const stake = await market.nodes.stakeOf(operator.address);
        expect(staked - stake.staked, "slashed").to.equal(row.isSlashed ? lock : 0n);
        expect(stake.locked, "locked").to.equal(isOver || row.isSlashed ? 0n : lock);
        const { used } = await market.nodes.getNode(operator.address);
        expect(used.vCpus > 0n, "capacity in use").to.equal(row.becomes === "Stopping");
      });

      if (row.deadline === "none" || row.enforces) continue;
      it(`${row.scene}: ${row.actor} may not ${row.call} one second after the deadline`, async () => {
        const market = await loadFixture(fixture);
        const scene = await arrange(market, row.scene);
        const deadline = await timeOf(market, scene, row.deadline);
        await nextBlockAt(deadline + 1n);
        await expect(send[row.call](market, scene))
          .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
          .withArgs(scene.ref.leaseId, deadline, deadline + 1n);
      });
    }
  });
}

describe("States of a quorum or a claim, and calls that do not meet them", () => {
  for (const scene of Object.keys(refusals) as (keyof typeof refusals)[]) {
    for (const call of refusedCalls) {
      if (verificationRows.some((row) => row.scene === scene && row.call === call)) continue;
      it(`${scene}: ${call} is refused`, async () => {
        const market = await loadFixture(localMarket);
        const arranged = await arrange(market, scene);
        const before = await market.statusOf(arranged.ref);
        await nextBlockAt((await now()) + 1n);
        await expect(send[call](market, arranged)).to.be.revertedWithCustomError(
          market.tasks,
          refusalOf(scene, call),
        );
        expect(await market.statusOf(arranged.ref)).to.equal(before);
      });
    }
  }

  it("knows every state", () => {
    expect(new Set(verificationRows.map(({ scene }) => scene)).size).to.equal(verificationScenes.length);
  });
});
