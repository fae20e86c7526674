import { expect } from "chai";
import {
  busyLocalMarket,
  busyProductionMarket,
  DAY,
  DOLLAR,
  errorsOf,
  ethers,
  HOUR,
  loadFixture,
  nextBlockAt,
  now,
  type OrderInput,
  orderHash,
  people,
  profile,
} from "./market.ts";

const { operator, owner, consumer, stranger } = people;
const AbiCoder = ethers.AbiCoder.defaultAbiCoder();

describe("An order", () => {
  it("reserves rate x maximum duration, rounded up", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.createTask({ ratePerHour: 1n, maxDuration: 3601 });
    expect((await market.escrow.reservedFor(ref.taskId)).amount).to.equal(2n);
    expect(await market.escrow.reservedOf(consumer.address)).to.equal(2n);
  });

  it("gets ids that nobody can know from a sequence", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const { chainId } = await ethers.provider.getNetwork();
    const taskId = ethers.keccak256(
      AbiCoder.encode(
        ["uint256", "address", "address", "uint256", "bytes32"],
        [chainId, await market.tasks.getAddress(), consumer.address, 0, orderHash(order)],
      ),
    );
    const leaseId = ethers.keccak256(AbiCoder.encode(["bytes32", "uint32"], [taskId, 0]));
    await expect(market.tasks.connect(consumer).createTask(order)).to.emit(market.tasks, "TaskCreated");
    const task = await market.tasks.getTask(taskId);
    const block = await ethers.provider.getBlock("latest");
    expect(task.seed).to.equal(
      ethers.keccak256(AbiCoder.encode(["bytes32", "bytes32"], [block?.parentHash, taskId])),
    );
    expect((await market.tasks.getLease(leaseId)).taskId).to.equal(taskId);
    expect(await market.tasks.nonces(consumer.address)).to.equal(1n);
  });

  it("is kept as it was ordered", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order({
      isolation: 1,
      maxAttempts: 3,
      isPrivate: true,
      fundedSeconds: 1800,
      gpuModel: "NVIDIA-H100-80GB-HBM3",
    });
    const taskId = await market.nextTaskId(order, consumer.address);
    await market.tasks.connect(consumer).createTask(order);
    const task = await market.tasks.getTask(taskId);
    const { gpus, vCpus, memoryMiB, gpuModel, leases, ...rest } = order;
    for (const [name, value] of Object.entries(rest))
      expect(task[name as keyof typeof rest], name).to.equal(value);
    expect([...task.capacity]).to.deep.equal([gpus, vCpus, memoryMiB].map(BigInt));
    expect([task.consumer, task.leaseCount, task.gpuModelHash]).to.deep.equal([
      consumer.address,
      BigInt(leases),
      ethers.id(gpuModel),
    ]);
  });

  it("keeps the terms of the day it was created", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.createTask();
    const before = await market.tasks.termsOf(ref.taskId);
    const changed = structuredClone(market.parameters.task.initial);
    changed.terms.feeBps = 500;
    changed.terms.challengeWindow = 3600;
    await expect(
      market.governance
        .connect(people.governor)
        .execute(
          await market.tasks.getAddress(),
          market.tasks.interface.encodeFunctionData("setParameters", [changed]),
        ),
    ).to.emit(market.tasks, "ParametersChanged");
    expect(await market.tasks.termsOf(ref.taskId)).to.deep.equal(before);
    expect((await market.tasks.terms()).feeBps).to.equal(500n);
    const later = await market.createTask();
    expect((await market.tasks.termsOf(later.taskId)).feeBps).to.equal(500n);
  });

  it("cannot reserve more than the consumer has free", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    await expect(market.tasks.connect(stranger).createTask(order))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientFree")
      .withArgs(stranger.address, 10n * DOLLAR, 0);
    const absurd = await market.order({ ratePerHour: 2n ** 128n - 1n, maxDuration: 7200 });
    const errors = await errorsOf("Awards", market);
    await expect(market.tasks.connect(consumer).createTask(absurd)).to.be.revertedWithCustomError(
      errors,
      "SafeCastOverflowedUintDowncast",
    );
  });

  const malformed: readonly [string, Partial<OrderInput>, string, readonly unknown[]][] = [
    ["Quorum", { verification: 1 }, "UnsupportedVerification", [1]],
    ["Checkpointed", { verification: 2 }, "UnsupportedVerification", [2]],
    ["Attested", { verification: 3 }, "UnsupportedVerification", [3]],
    ["no spec", { specDigest: ethers.ZeroHash }, "SpecDigestMissing", []],
    ["no vCPU", { vCpus: 0 }, "NothingOrdered", [0, 65_536n, 10n * DOLLAR]],
    ["no memory", { memoryMiB: 0n }, "NothingOrdered", [8, 0, 10n * DOLLAR]],
    ["no rate", { ratePerHour: 0n }, "NothingOrdered", [8, 65_536n, 0]],
    ["a GPU model without GPUs", { gpus: 0, gpuModel: "T4" }, "GpuModelWithoutGpus", ["T4"]],
    ["too long a GPU model", { gpuModel: "x".repeat(65) }, "TextTooLong", [65, 64]],
    ["a threshold without a quorum", { threshold: 1 }, "ThresholdWithoutQuorum", [1]],
    ["several leases on the open path", { leases: 2 }, "OpenPathTakesOne", [2]],
    ["no attempt", { maxAttempts: 0 }, "AttemptsOutOfRange", [0, 3]],
    ["too many attempts", { maxAttempts: 4 }, "AttemptsOutOfRange", [4, 3]],
    ["nothing funded", { fundedSeconds: 0 }, "FundedOutOfRange", [0, 3600]],
    ["more funded than its duration", { fundedSeconds: 3601 }, "FundedOutOfRange", [3601, 3600]],
    ["no duration", { maxDuration: 0 }, "DurationOutOfRange", [0, 2_592_000]],
    ["too long a duration", { maxDuration: 2_592_001 }, "DurationOutOfRange", [2_592_001, 2_592_000]],
    ["no start window", { startWindow: 0 }, "StartWindowOutOfRange", [0, 1800]],
    ["too long a start window", { startWindow: 1801 }, "StartWindowOutOfRange", [1801, 1800]],
  ];
  for (const [what, change, error, values] of malformed) {
    it(`is refused with ${what}`, async () => {
      const market = await loadFixture(busyLocalMarket);
      await expect(market.tasks.connect(consumer).createTask(await market.order(change)))
        .to.be.revertedWithCustomError(market.tasks, error)
        .withArgs(...values);
    });
  }

  it("may be as long, and wait as long for its start, as the market allows", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { taskId } = await market.createTask({ maxDuration: 2_592_000, startWindow: 1800 });
    const { maxDuration, startWindow } = await market.tasks.getTask(taskId);
    expect([maxDuration, startWindow]).to.deep.equal([2_592_000n, 1800n]);
  });

  it("may name a GPU model of 64 bytes", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { taskId } = await market.createTask({ gpuModel: "x".repeat(64) });
    const { gpuModelHash, ratePerHour } = await market.tasks.getTask(taskId);
    expect([gpuModelHash, ratePerHour]).to.deep.equal([ethers.id("x".repeat(64)), 10n * DOLLAR]);
  });

  it("stays open no longer than the maximum, and not into the past", async () => {
    const market = await loadFixture(busyLocalMarket);
    const at = (await now()) + 100n;
    const latest = at + 7n * DAY;
    for (const openUntil of [at - 1n, latest + 1n]) {
      await nextBlockAt(at);
      await expect(market.tasks.connect(consumer).createTask(await market.order({ openUntil })))
        .to.be.revertedWithCustomError(market.tasks, "OpenUntilOutOfRange")
        .withArgs(openUntil, at, latest);
    }
    for (const openUntil of [at, latest + 1n]) {
      await nextBlockAt(openUntil === at ? at : at + 1n);
      await market.tasks.connect(consumer).createTask(await market.order({ openUntil }));
    }
    expect(await market.tasks.nonces(consumer.address)).to.equal(2n);
  });
});

describe("A node that accepts", () => {
  const unfit: readonly [string, Partial<OrderInput>, string, readonly unknown[]][] = [
    ["GPUs", { gpus: 9 }, "CapacityExceeded", [operator.address, [9, 8, 65_536n], [8, 64, 524_288n]]],
    ["vCPUs", { vCpus: 65 }, "CapacityExceeded", [operator.address, [2, 65, 65_536n], [8, 64, 524_288n]]],
    [
      "memory",
      { memoryMiB: 524_289n },
      "CapacityExceeded",
      [operator.address, [2, 8, 524_289n], [8, 64, 524_288n]],
    ],
    ["storage", { storageMiB: 1_048_577n }, "StorageTooSmall", [1_048_577n, 1_048_576n]],
    ["isolation", { isolation: 2 }, "IsolationTooWeak", [2, 1]],
    [
      "the GPU model",
      { gpuModel: "NVIDIA-A100" },
      "WrongGpuModel",
      [ethers.id("NVIDIA-A100"), ethers.id("NVIDIA-H100-80GB-HBM3")],
    ],
  ];
  for (const [what, change, error, values] of unfit) {
    it(`must have ${what} as ordered`, async () => {
      const market = await loadFixture(busyLocalMarket);
      const ref = await market.createTask(change);
      await expect(market.tasks.connect(operator).acceptTask(ref.taskId))
        .to.be.revertedWithCustomError(market.nodes, error)
        .withArgs(...values);
    });
  }

  it("counts what its other leases use, and may use everything", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.leaseIn("Running", { gpus: 6, gpuModel: "NVIDIA-H100-80GB-HBM3" });
    const tooMuch = await market.createTask({ gpus: 3 });
    await expect(market.tasks.connect(operator).acceptTask(tooMuch.taskId)).to.be.revertedWithCustomError(
      market.nodes,
      "CapacityExceeded",
    );
    const left = { gpus: 2, vCpus: 56, memoryMiB: 458_752n };
    const rest = await market.createTask({ ...left, storageMiB: 1_048_576n, isolation: 1 });
    await market.tasks.connect(operator).acceptTask(rest.taskId);
    expect([...(await market.nodes.available(operator.address))]).to.deep.equal([0n, 0n, 0n]);
  });

  it("has all of it again when the lease has ended", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.leaseIn("Settled", { gpus: 6, gpuModel: "NVIDIA-H100-80GB-HBM3" });
    const { gpus, vCpus, memoryMiB } = profile();
    expect([...(await market.nodes.available(operator.address))]).to.deep.equal([gpus, vCpus, memoryMiB]);
  });

  it("is bound by the floor that its owner has set", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.nodes
      .connect(owner)
      .setFloor(operator.address, { perGpuHour: 4n * DOLLAR, perVCpuHour: DOLLAR / 4n });
    const low = await market.createTask({ ratePerHour: 10n * DOLLAR - 1n });
    await expect(market.tasks.connect(operator).acceptTask(low.taskId))
      .to.be.revertedWithCustomError(market.nodes, "RateBelowFloor")
      .withArgs(10n * DOLLAR - 1n, 10n * DOLLAR);
    const fair = await market.createTask({ ratePerHour: 10n * DOLLAR });
    await market.tasks.connect(operator).acceptTask(fair.taskId);
    expect(await market.statusOf(fair)).to.equal("Assigned");
  });

  it("has a ticket only if it was active for the ticket age before the order", async () => {
    const market = await loadFixture(busyProductionMarket);
    await market.activeNode({}, people.otherOperator);
    const { activeSince } = await market.nodes.getNode(people.otherOperator.address);
    await nextBlockAt(activeSince + HOUR - 1n);
    const early = await market.createTask({ openUntil: activeSince + 2n * HOUR });
    await nextBlockAt(activeSince + HOUR);
    const inTime = await market.createTask();
    expect(await market.tasks.admittedAt(early.taskId, people.otherOperator.address)).to.equal(
      2n ** 64n - 1n,
    );
    const { createdAt } = await market.tasks.getTask(inTime.taskId);
    expect(await market.tasks.admittedAt(inTime.taskId, people.otherOperator.address)).to.equal(createdAt);
    await expect(
      market.tasks.connect(people.otherOperator).acceptTask(early.taskId),
    ).to.be.revertedWithCustomError(market.tasks, "NotAdmitted");
  });

  it("must be registered", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.createTask();
    await expect(market.tasks.connect(stranger).acceptTask(ref.taskId)).to.be.revertedWithCustomError(
      market.tasks,
      "NotAdmitted",
    );
  });
});
