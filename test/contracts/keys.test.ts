import { expect } from "chai";
import {
  busyLocalMarket,
  DOLLAR,
  digest,
  ethers,
  type LeaseRef,
  loadFixture,
  type Market,
  nextBlockAt,
  now,
  people,
  profile,
} from "./market.ts";
import { first, marketWithProviders, second, third } from "./providers.ts";

const { consumer, operator, owner, stranger } = people;
const GRANT_WINDOW = 600n;

/** A private order that a node has taken by its ticket, and for which it has no key yet. */
async function accepted(market: Market, changes = {}): Promise<LeaseRef & { acceptedAt: bigint }> {
  const ref = await market.createTask({ isPrivate: true, ...changes });
  await market.tasks.connect(operator).acceptTask(ref.taskId);
  return { ...ref, acceptedAt: await now() };
}

describe("A private order on the quoted path (rule 11)", () => {
  it("hands the key to the awarded node, and to standbys, in the same transaction", async () => {
    const market = await loadFixture(marketWithProviders);
    const wraps = [await market.wrap(first.operator.address), await market.wrap(second.operator.address)];
    const { taskId, leaseId } = await market.award({ isPrivate: true }, [first.operator], consumer, wraps);
    const assignedAt = await now();
    const [granted] = await market.tasks.queryFilter(market.tasks.filters.KeyGranted(taskId), -1);
    expect(granted?.args.wrap).to.equal(wraps[0]?.wrap);
    expect(await market.tasks.keyVersionGranted(taskId, first.operator.address)).to.equal(1n);
    expect(await market.tasks.keyVersionGranted(taskId, second.operator.address)).to.equal(1n);
    expect(await market.tasks.keyVersionGranted(taskId, third.operator.address)).to.equal(0n);
    const lease = await market.tasks.getLease(leaseId);
    expect([lease.hasKey, lease.deadline]).to.deep.equal([true, assignedAt + 900n]);
    await market.tasks.connect(first.operator).startLease(leaseId, 1);
    expect((await market.tasks.getLease(leaseId)).startedAt).to.equal(await now());
  });

  it("is not awarded without a key for every node", async () => {
    const market = await loadFixture(marketWithProviders);
    const wraps = [await market.wrap(first.operator.address)];
    await expect(
      market.award({ isPrivate: true }, [first.operator, second.operator], consumer, wraps),
    ).to.be.revertedWithCustomError(market.tasks, "KeyMissing");
  });

  it("wraps the key for the node's current encryption key only", async () => {
    const market = await loadFixture(marketWithProviders);
    const node = first.operator.address;
    await market.nodes
      .connect(first.operator)
      .updateProfile(node, profile({ encryptionKey: digest("a new key") }));
    const old = await market.wrap(node, { keyVersion: 1n });
    await expect(market.award({ isPrivate: true }, [first.operator], consumer, [old]))
      .to.be.revertedWithCustomError(market.tasks, "WrongKeyVersion")
      .withArgs(node, 1, 2);
    const none = await market.wrap(stranger.address, { keyVersion: 0n });
    await expect(market.award({ isPrivate: true }, [first.operator], consumer, [none]))
      .to.be.revertedWithCustomError(market.tasks, "WrongKeyVersion")
      .withArgs(stranger.address, 0, 0);
    const { taskId } = await market.award({ isPrivate: true }, [first.operator], consumer, [
      await market.wrap(node),
    ]);
    expect(await market.tasks.keyVersionGranted(taskId, node)).to.equal(2n);
  });

  it("bounds what a wrap and all of them hold", async () => {
    const market = await loadFixture(marketWithProviders);
    const node = first.operator.address;
    for (const [bytes, length] of [
      ["0x", 0],
      [`0x${"00".repeat(513)}`, 513],
    ] as const) {
      const wrap = await market.wrap(node, { wrap: bytes });
      await expect(market.award({ isPrivate: true }, [first.operator], consumer, [wrap]))
        .to.be.revertedWithCustomError(market.tasks, "WrapLength")
        .withArgs(length, 512);
    }
    const wrap = await market.wrap(node, { wrap: "0x01" });
    const many = Array.from({ length: 129 }, () => wrap);
    await expect(market.award({ isPrivate: true }, [first.operator], consumer, many))
      .to.be.revertedWithCustomError(market.tasks, "TooManyWraps")
      .withArgs(129, 128);
    await market.award({ isPrivate: true }, [first.operator], consumer, many.slice(1));
    const longest = await market.wrap(node, { wrap: `0x${"01".repeat(512)}` });
    const { taskId } = await market.award({ isPrivate: true }, [first.operator], consumer, [
      longest,
      ...many.slice(2),
    ]);
    expect(await market.tasks.keyVersionGranted(taskId, node)).to.equal(1n);
  });

  it("needs no key where the order is public, and takes none", async () => {
    const market = await loadFixture(marketWithProviders);
    const wrap = await market.wrap(first.operator.address);
    await expect(market.award({}, [first.operator], consumer, [wrap])).to.be.revertedWithCustomError(
      market.tasks,
      "NoKeyNeeded",
    );
    const { taskId } = await market.award({}, [first.operator]);
    await expect(market.tasks.connect(consumer).grantKeys(taskId, [wrap]))
      .to.be.revertedWithCustomError(market.tasks, "NoKeyNeeded")
      .withArgs(taskId);
  });
});

describe("A private order on the open path (rule 11)", () => {
  it("opens the start window with the key, not with the assignment", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { taskId, leaseId, acceptedAt } = await accepted(market);
    expect((await market.tasks.getLease(leaseId)).deadline).to.equal(acceptedAt + GRANT_WINDOW);
    await expect(market.tasks.connect(operator).startLease(leaseId, 1))
      .to.be.revertedWithCustomError(market.tasks, "KeyMissing")
      .withArgs(leaseId, operator.address);
    const at = acceptedAt + GRANT_WINDOW; // the last second for it
    await nextBlockAt(at);
    const wrap = await market.wrap(operator.address);
    await expect(market.tasks.connect(consumer).grantKeys(taskId, [wrap]))
      .to.emit(market.tasks, "StartWindowOpened")
      .withArgs(leaseId, operator.address, 1, at + 900n);
    await nextBlockAt(at + 900n);
    await market.tasks.connect(operator).startLease(leaseId, 1);
    expect(await market.statusOf({ taskId, leaseId })).to.equal("Running");
  });

  it("takes no key one second after the grant window", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { taskId, leaseId, acceptedAt } = await accepted(market);
    const wrap = await market.wrap(operator.address);
    await nextBlockAt(acceptedAt + GRANT_WINDOW + 1n);
    await expect(market.tasks.connect(consumer).grantKeys(taskId, [wrap]))
      .to.be.revertedWithCustomError(market.tasks, "DeadlinePassed")
      .withArgs(leaseId, acceptedAt + GRANT_WINDOW, acceptedAt + GRANT_WINDOW + 1n);
  });

  it("takes keys from its consumer alone, and for other nodes without a word to this one's window", async () => {
    const market = await loadFixture(marketWithProviders);
    const { taskId, leaseId, acceptedAt } = await accepted(market);
    const wrap = await market.wrap(operator.address);
    await expect(market.tasks.connect(stranger).grantKeys(taskId, [wrap]))
      .to.be.revertedWithCustomError(market.tasks, "NotConsumer")
      .withArgs(taskId, consumer.address, stranger.address);
    const standby = await market.wrap(first.operator.address);
    await market.tasks.connect(consumer).grantKeys(taskId, [standby]);
    const lease = await market.tasks.getLease(leaseId);
    expect([lease.hasKey, lease.deadline]).to.deep.equal([false, acceptedAt + GRANT_WINDOW]);
  });

  it("gives a second key without a second start window", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { taskId, leaseId } = await accepted(market);
    const wrap = await market.wrap(operator.address);
    await market.tasks.connect(consumer).grantKeys(taskId, [wrap]);
    const { deadline } = await market.tasks.getLease(leaseId);
    await nextBlockAt((await now()) + 60n);
    await market.tasks.connect(consumer).grantKeys(taskId, [wrap]);
    expect((await market.tasks.getLease(leaseId)).deadline).to.equal(deadline);
  });

  it("is ended by anyone where no key came, and its node is blameless and not replaced", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { taskId, leaseId, acceptedAt } = await accepted(market, { maxAttempts: 3 });
    await nextBlockAt(acceptedAt + GRANT_WINDOW);
    await expect(market.tasks.connect(stranger).expire(leaseId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    await nextBlockAt(acceptedAt + GRANT_WINDOW + 1n);
    await expect(market.tasks.connect(stranger).expire(leaseId))
      .to.emit(market.tasks, "LeaseEnded")
      .withArgs(leaseId, taskId, operator.address, 2, 9, 0, 0);
    const [staked, locked] = await market.nodes.stakeOf(operator.address);
    expect([staked, locked]).to.deep.equal([1000n * DOLLAR, 0n]);
    expect((await market.nodes.getNode(operator.address)).used.gpus).to.equal(0n);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(10_000n * DOLLAR);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(0n);
  });

  it("is not ended by a node that takes it and gives it up: another may have it (rule 17)", async () => {
    const market = await loadFixture(marketWithProviders);
    const { leaseId, taskId } = await accepted(market, { maxAttempts: 2 });
    await expect(market.tasks.connect(operator).failLease(leaseId, 1, digest("squatting"))).to.emit(
      market.tasks,
      "LeaseReopened",
    );
    await market.tasks.connect(first.operator).takeOver(leaseId);
    const lease = await market.tasks.getLease(leaseId);
    expect([lease.node, lease.attempt, lease.hasKey]).to.deep.equal([first.operator.address, 2n, false]);
    const wrap = await market.wrap(first.operator.address);
    await market.tasks.connect(consumer).grantKeys(taskId, [wrap]);
    await market.tasks.connect(first.operator).startLease(leaseId, 2);
    expect(await market.statusOf({ taskId, leaseId })).to.equal("Running");
  });

  it("lets a standby that holds the key go on without waiting for a ticket or for the consumer", async () => {
    const market = await loadFixture(marketWithProviders);
    const wraps = [await market.wrap(first.operator.address), await market.wrap(second.operator.address)];
    const { taskId, leaseId } = await market.award(
      { isPrivate: true, maxAttempts: 2 },
      [first.operator],
      consumer,
      wraps,
    );
    await market.tasks.connect(first.operator).startLease(leaseId, 1);
    await market.tasks.connect(first.operator).failLease(leaseId, 1, digest("disk"));
    const { acceptedAt } = await market.tasks.getLease(leaseId);
    expect(await market.tasks.takeOverFrom(leaseId, second.operator.address)).to.equal(acceptedAt);
    await market.tasks.connect(second.operator).takeOver(leaseId);
    const takenAt = await now();
    const lease = await market.tasks.getLease(leaseId);
    expect([lease.hasKey, lease.deadline]).to.deep.equal([true, takenAt + 900n]);
    await market.tasks.connect(second.operator).startLease(leaseId, 2);
    expect(await market.statusOf({ taskId, leaseId })).to.equal("Running");
    expect(ethers.isHexString(taskId, 32)).to.equal(true);
  });
});
