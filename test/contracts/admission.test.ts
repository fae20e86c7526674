import { expect } from "chai";
import { readParameters } from "../../ignition/parameters.ts";
import {
  account,
  DOLLAR,
  deployMarket,
  ethers,
  loadFixture,
  networkHelpers,
  nextBlockAt,
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
      await nextBlockAt(admittedAt - 1n);
      await expect(market.tasks.connect(operator).acceptTask(ref.taskId))
        .to.be.revertedWithCustomError(market.tasks, "NotAdmitted")
        .withArgs(ref.taskId, operator.address, admittedAt);
      await nextBlockAt(admittedAt);
      await market.tasks.connect(operator).acceptTask(ref.taskId);
      expect((await market.tasks.getLease(ref.leaseId)).node).to.equal(operator.address);
      return;
    }
    expect.fail("ten nodes drew a ticket of the first share: a chance of 1 in 10^10");
  });
});
