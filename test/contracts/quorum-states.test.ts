import { type OutputAttestation, resultCommitment } from "@dekuper/protocol";
import { expect } from "chai";
import type { Address, Hex } from "viem";
import { addNode } from "./committee.ts";
import {
  type AttestationInput,
  busyLocalMarket,
  busyProductionMarket,
  digest,
  ethers,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
  type TaskRef,
} from "./market.ts";
import { everything, first, member, providers, second, startAll, third } from "./providers.ts";
import { type QuorumCall, type QuorumRow, quorumRows, votings } from "./quorum-table.ts";

const { consumer, stranger } = people;
const three = [first, second, third];
const QUORUM = 1;

interface Vote {
  readonly attestation: AttestationInput;
  readonly signature: string;
  readonly salt: string;
}

/** A task of three replicas, and what each has to reveal. */
interface Scene {
  readonly task: TaskRef;
  readonly votes: readonly Vote[];
}

const OUTPUTS: Readonly<Partial<Record<QuorumRow["voting"], readonly string[]>>> = {
  "all are open, none alike": ["one", "two", "three"],
};

async function voteOf(market: Market, task: TaskRef, index: number, output: string): Promise<Vote> {
  const attestation = await market.attestation(member(task, index), { outputDigest: digest(output) });
  const signature = await market.sign(attestation, three[index]?.operator);
  return { attestation, signature, salt: digest(`salt ${index}`) };
}

async function commit(market: Market, { task, votes }: Scene, index: number) {
  const { operator } = three[index] as typeof first;
  const { attestation, salt } = votes[index] as Vote;
  const { chainId } = await ethers.provider.getNetwork();
  const commitment = resultCommitment({
    chainId: Number(chainId),
    registry: (await market.tasks.getAddress()) as Address,
    node: operator.address as Address,
    attestation: attestation as OutputAttestation,
    salt: salt as Hex,
  });
  return market.tasks.connect(operator).commitResult(member(task, index).leaseId, 1, commitment);
}

const reveal = (market: Market, { votes }: Scene, index: number) => {
  const { attestation, signature, salt } = votes[index] as Vote;
  return market.tasks.connect(stranger).revealResult(attestation, signature, salt);
};

const send: Record<QuorumCall, (market: Market, scene: Scene) => Promise<unknown>> = {
  commitResult: (market, scene) => commit(market, scene, 0),
  revealResult: (market, scene) => reveal(market, scene, 0),
  tallyResults: (market, { task }) => market.tasks.connect(stranger).tallyResults(task.taskId),
  failLease: (market, { task }) =>
    market.tasks.connect(first.operator).failLease(member(task, 0).leaseId, 1, digest("given up")),
  expire: (market, { task }) => market.tasks.connect(stranger).expire(member(task, 0).leaseId),
  cancelTask: (market, { task }) => market.tasks.connect(consumer).cancelTask(task.taskId),
};

async function arrange(market: Market, { voting }: QuorumRow): Promise<Scene> {
  const order = { leases: 3, threshold: 2, maxAttempts: 1, verification: QUORUM };
  const task = await market.award(
    order,
    three.map(({ operator }) => operator),
  );
  await startAll(market, task, three);
  await nextBlockAt((await now()) + 60n);
  const outputs = OUTPUTS[voting] ?? ["same", "same", "other"];
  const votes = await Promise.all(outputs.map((output, index) => voteOf(market, task, index, output)));
  const scene = { task, votes };
  if (voting === "all run") return scene;
  await commit(market, scene, 0);
  if (voting === "one has committed") return scene;
  for (const index of [1, 2]) await commit(market, scene, index);
  const open = voting === "all have committed" ? 0 : voting === "two are open and alike" ? 2 : 3;
  for (let index = 0; index < open; index++) await reveal(market, scene, index);
  return scene;
}

async function withProviders(fixture: () => Promise<Market>): Promise<Market> {
  const market = await fixture();
  for (const provider of providers) await addNode(market, provider);
  await networkHelpers.time.increase(BigInt(market.terms.ticketAge) + 1n);
  return market;
}
const localMarket = () => withProviders(busyLocalMarket);
const productionMarket = () => withProviders(busyProductionMarket);

/** When the run's, or the revealing's, deadline is. */
async function deadlineOf(market: Market, { task }: Scene): Promise<bigint> {
  const { revealUntil } = await market.tasks.getBallot(task.taskId);
  return revealUntil === 0n ? market.tasks.deadlineOf(member(task, 0).leaseId) : revealUntil;
}

/** Of each replica: what its owner has earned, and its node's stake. */
const balances = (market: Market) =>
  Promise.all(
    three.map(async ({ owner, operator }) => {
      const [staked, locked] = await market.nodes.stakeOf(operator.address);
      return { earned: await market.escrow.earningsOf(owner.address), staked, locked };
    }),
  );

for (const [name, fixture] of [
  ["without an outage grace (local)", localMarket],
  ["with production's outage grace", productionMarket],
] as const) {
  describe(`A quorum's situations and deadlines ${name} (rules 12, 21 and 27)`, () => {
    for (const row of quorumRows) {
      const becomes = typeof row.becomes === "string" ? row.becomes : row.becomes.join(", ");
      it(`${row.voting}: ${row.actor} calls ${row.call} -> ${becomes}`, async () => {
        const market = await loadFixture(fixture);
        const scene = await arrange(market, row);
        const [total, before] = await Promise.all([everything(market), balances(market)]);
        const grace = BigInt(market.terms.outageGrace);
        if (row.deadline !== "none") {
          const deadline = await deadlineOf(market, scene);
          if (row.enforces) {
            await nextBlockAt(deadline + grace);
            await expect(send[row.call](market, scene)).to.be.revertedWithCustomError(
              market.tasks,
              "DeadlineNotPassed",
            );
            await nextBlockAt(deadline + grace + 1n);
          } else await nextBlockAt(deadline);
        }
        if (typeof row.becomes === "string") {
          await expect(send[row.call](market, scene)).to.be.revertedWithCustomError(
            market.tasks,
            row.becomes,
          );
          return;
        }
        await send[row.call](market, scene);

        const { leaseIds } = scene.task;
        const leases = await Promise.all(
          leaseIds.map((leaseId) => market.statusOf({ ...scene.task, leaseId })),
        );
        expect(leases).to.deep.equal(row.becomes);
        expect(await everything(market)).to.equal(total);
        const after = await balances(market);
        for (const [index, { earned, staked, locked }] of after.entries()) {
          const was = before[index] as (typeof before)[number];
          expect(earned > was.earned, `owner ${index} is paid`).to.equal(row.pays.includes(index));
          const lock = row.slashes.includes(index) ? was.locked : 0n;
          expect(was.staked - staked, `stake taken of ${index}`).to.equal(lock);
          const isOver = ["Failed", "Expired", "Settled"].includes(row.becomes[index] as string);
          expect(locked, `lock of ${index}`).to.equal(isOver ? 0n : was.locked);
        }
        const live = row.becomes.filter((status) => !["Failed", "Expired", "Settled"].includes(status));
        const { amount } = await market.escrow.reservedFor(scene.task.taskId);
        if (live.length === 0) expect(amount).to.equal(0n);
        else expect(amount).to.be.greaterThan(0n);
      });

      if (row.deadline !== "none" && !row.enforces) {
        it(`${row.voting}: ${row.actor} may not ${row.call} one second after the deadline`, async () => {
          const market = await loadFixture(fixture);
          const scene = await arrange(market, row);
          const deadline = await deadlineOf(market, scene);
          await nextBlockAt(deadline + 1n);
          await expect(send[row.call](market, scene))
            .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
            .withArgs(member(scene.task, 0).leaseId, deadline, deadline + 1n);
        });
      }
    }
  });
}

describe("The quorum's table", () => {
  it("knows every situation", () => {
    expect(new Set(quorumRows.map(({ voting }) => voting)).size).to.equal(votings.length);
  });
});
