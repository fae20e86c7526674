import { expect } from "chai";
import { readParameters } from "../../ignition/parameters.ts";
import { type Attester, addNode, attesters } from "./committee.ts";
import {
  account,
  DOLLAR,
  deployMarket,
  digest,
  ethers,
  type LeaseRef,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";

const operators = Array.from({ length: 10 }, (_, index) => account(10 + index));

/** Production's market with ten nodes of age. */
async function tenNodes() {
  const market = await deployMarket(await readParameters("production"));
  for (const operator of operators) await market.activeNode({ gpus: 0, gpuModel: "" }, operator);
  await market.fund(people.consumer, 1000n * DOLLAR);
  await networkHelpers.time.increase(3600n);
  return market;
}

/** The node is refused a second before, and has the lease then. */
async function expectAdmittedFrom(
  market: Market,
  { taskId, leaseId }: LeaseRef,
  node: string,
  from: bigint,
  take: () => Promise<unknown>,
): Promise<void> {
  await nextBlockAt(from - 1n);
  await expect(take())
    .to.be.revertedWithCustomError(market.tasks, "NotAdmitted")
    .withArgs(taskId, node, from);
  await nextBlockAt(from);
  await take();
  expect((await market.tasks.getLease(leaseId)).node).to.equal(node);
}

describe("Admission by ticket", () => {
  it("admits a node when uint64(ticket) < 2^64 x min(1, firstShare + elapsed / widenTime), to the second", async () => {
    const market = await loadFixture(tenNodes);
    const ref = await market.createTask({ gpus: 0 });
    const { seed, createdAt } = await market.tasks.getTask(ref.taskId);
    for (const operator of operators) {
      const encoded = ethers.AbiCoder.defaultAbiCoder().encode(
        ["bytes32", "address"],
        [seed, operator.address],
      );
      const draw = BigInt(ethers.keccak256(encoded)) & (2n ** 64n - 1n);
      const admitted = (elapsed: bigint) =>
        elapsed >= 60n || draw * 10_000n * 60n < 2n ** 64n * (1000n * 60n + elapsed * 10_000n);
      const admittedAt = await market.tasks.admittedAt(ref.taskId, operator.address);
      for (let elapsed = 0n; elapsed <= 61n; elapsed++) {
        expect(createdAt + elapsed >= admittedAt).to.equal(admitted(elapsed));
      }
      expect(admittedAt).to.be.at.most(createdAt + 60n);
    }
  });

  it("refuses a node one second before its ticket is admitted and takes it then", async () => {
    const market = await loadFixture(tenNodes);
    const ref = await market.createTask({ gpus: 0 });
    const { createdAt } = await market.tasks.getTask(ref.taskId);
    for (const operator of operators) {
      const admittedAt = await market.tasks.admittedAt(ref.taskId, operator.address);
      if (admittedAt < createdAt + 3n) continue;
      const take = () => market.tasks.connect(operator).acceptTask(ref.taskId);
      await expectAdmittedFrom(market, ref, operator.address, admittedAt, take);
      return;
    }
    expect.fail("ten nodes drew a ticket of the first share: a chance of 1 in 10^10");
  });

  it("counts anew from a loss for who takes the lease over, to the second", async () => {
    const market = await loadFixture(tenNodes);
    const others = attesters(6, 30); // of other owners than the node that loses it
    for (const other of others) await addNode(market, other);
    await networkHelpers.time.increase(3601n);
    const ref = await market.createTask({ gpus: 0, maxAttempts: 2 });
    const loser = operators[0] as (typeof operators)[number];
    await nextBlockAt((await market.tasks.getTask(ref.taskId)).createdAt + 60n);
    await market.tasks.connect(loser).acceptTask(ref.taskId);
    await market.tasks.connect(loser).failLease(ref.leaseId, 1, digest("disk"));
    const lostAt = await now();

    const admitted = await Promise.all(
      others.map(({ operator }) => market.tasks.takeOverFrom(ref.leaseId, operator.address)),
    );
    const last = admitted.toSorted((left, right) => Number(right - left))[0] as bigint;
    const { operator } = others[admitted.indexOf(last)] as Attester;
    expect(last, "six nodes drew a ticket of the first share: a chance of 1 in 10^6").to.be.greaterThan(
      lostAt + 1n,
    );
    const take = () => market.tasks.connect(operator).takeOver(ref.leaseId);
    await expectAdmittedFrom(market, ref, operator.address, last, take);
  });
});
