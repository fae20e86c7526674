import { expect } from "chai";
import {
  account,
  busyLocalMarket,
  DOLLAR,
  digest,
  ethers,
  HOUR,
  loadFixture,
  localMarket,
  nextBlockAt,
  now,
  type ProfileInput,
  people,
  profile,
  publicKey,
} from "./market.ts";

const { operator, owner, stranger } = people;

describe("Registration", () => {
  it("names the node by the operator's key and makes the sender its owner", async () => {
    const market = await loadFixture(localMarket);
    const transaction = await market.register();
    await expect(transaction).to.emit(market.nodes, "NodeRegistered");
    const node = await market.nodes.getNode(operator.address);
    expect(node.owner).to.equal(owner.address);
    expect(node.status).to.equal(1n);
    expect(node.activeSince).to.equal(await now());
    expect(node.encryptionKeyVersion).to.equal(1n);
    expect(node.profile.multiaddrs).to.deep.equal(profile().multiaddrs);
    expect(await market.nodes.operatorPublicKey(operator.address)).to.equal(publicKey(operator));
    expect(await market.nodes.ownerOf(operator.address)).to.equal(owner.address);
    expect(await market.nodes.activeSinceOf(operator.address)).to.equal(node.activeSince);
  });

  it("lists nodes in pages, in order of registration", async () => {
    const market = await loadFixture(localMarket);
    const operators = [account(10), account(11), account(12)];
    for (const one of operators) await market.register({}, one);
    const names = operators.map((one) => one.address);
    expect(await market.nodes.nodeCount()).to.equal(3n);
    expect(await market.nodes.nodesPaged(0, 2)).to.deep.equal(names.slice(0, 2));
    expect(await market.nodes.nodesPaged(2, 2)).to.deep.equal(names.slice(2));
    expect(await market.nodes.nodesPaged(3, 2)).to.deep.equal([]);
    expect(await market.nodes.nodesPaged(0, ethers.MaxUint256)).to.deep.equal(names);
  });

  it("takes the operator's signature while t <= deadline, and not later", async () => {
    const market = await loadFixture(localMarket);
    const deadline = (await now()) + HOUR;
    const signature = await market.signRegistration(profile(), operator, owner.address, deadline);
    const send = () =>
      market.nodes.connect(owner).register(profile(), publicKey(operator), deadline, signature);
    await nextBlockAt(deadline + 1n);
    await expect(send())
      .to.be.revertedWithCustomError(market.nodes, "RegistrationExpired")
      .withArgs(deadline, deadline + 1n);
    await nextBlockAt(deadline);
    await send();
    expect(await market.nodes.statusOf(operator.address)).to.equal(1n);
  });

  it("is worthless to others when its proof is copied from the mempool", async () => {
    const market = await loadFixture(localMarket);
    const deadline = (await now()) + HOUR;
    const signature = await market.signRegistration(profile(), operator, owner.address, deadline);
    await expect(
      market.nodes.connect(stranger).register(profile(), publicKey(operator), deadline, signature),
    ).to.be.revertedWithCustomError(market.nodes, "WrongOperatorSignature");
  });

  it("refuses a signature over another profile", async () => {
    const market = await loadFixture(localMarket);
    const deadline = (await now()) + HOUR;
    const signature = await market.signRegistration(profile({ vCpus: 1 }), operator, owner.address, deadline);
    await expect(
      market.nodes.connect(owner).register(profile(), publicKey(operator), deadline, signature),
    ).to.be.revertedWithCustomError(market.nodes, "WrongOperatorSignature");
  });

  it("refuses malformed signatures", async () => {
    const market = await loadFixture(localMarket);
    const deadline = (await now()) + HOUR;
    const send = (signature: string) =>
      market.nodes.connect(owner).register(profile(), publicKey(operator), deadline, signature);
    await expect(send("0x1234")).to.be.revertedWithCustomError(market.nodes, "ECDSAInvalidSignatureLength");
    await expect(send(`0x${"00".repeat(65)}`)).to.be.revertedWithCustomError(
      market.nodes,
      "ECDSAInvalidSignature",
    );
    const highS = `0x${"11".repeat(32)}${"ff".repeat(32)}1b`;
    await expect(send(highS)).to.be.revertedWithCustomError(market.nodes, "ECDSAInvalidSignatureS");
  });

  it("refuses a public key of another length", async () => {
    const market = await loadFixture(localMarket);
    await expect(market.nodes.connect(owner).register(profile(), "0x0401", (await now()) + HOUR, "0x"))
      .to.be.revertedWithCustomError(market.nodes, "PublicKeyLength")
      .withArgs(2, 64);
  });

  it("happens at most once for an operator, ever", async () => {
    const market = await loadFixture(localMarket);
    await market.register();
    await expect(market.register()).to.be.revertedWithCustomError(market.nodes, "AlreadyRegistered");
    await market.nodes.connect(owner).revokeOperator(operator.address);
    await expect(market.register({}, operator, stranger))
      .to.be.revertedWithCustomError(market.nodes, "AlreadyRegistered")
      .withArgs(operator.address);
  });

  const malformed: readonly [string, Partial<ProfileInput>, string, readonly unknown[]][] = [
    ["no encryption key", { encryptionKey: ethers.ZeroHash }, "EncryptionKeyMissing", []],
    ["no vCPUs", { vCpus: 0 }, "NothingDeclared", [0, 524_288n]],
    ["no memory", { memoryMiB: 0n }, "NothingDeclared", [64, 0]],
    ["GPUs without a model", { gpuModel: "" }, "GpuModelMismatch", [8, ""]],
    ["a GPU model without GPUs", { gpus: 0 }, "GpuModelMismatch", [0, profile().gpuModel]],
    ["too long a GPU model", { gpuModel: "x".repeat(65) }, "TextTooLong", [65, 64]],
    ["too long a region", { region: "x".repeat(65) }, "TextTooLong", [65, 64]],
    ["too long an address", { multiaddrs: ["x".repeat(257)] }, "TextTooLong", [257, 256]],
    ["too many addresses", { multiaddrs: Array(9).fill("/ip4/203.0.113.7") }, "TooManyMultiaddrs", [9, 8]],
  ];
  for (const [what, change, error, values] of malformed) {
    it(`refuses a profile with ${what}`, async () => {
      const market = await loadFixture(localMarket);
      await expect(market.register(change))
        .to.be.revertedWithCustomError(market.nodes, error)
        .withArgs(...values);
    });
  }

  it("takes the longest profile", async () => {
    const market = await loadFixture(localMarket);
    const multiaddrs = Array(8).fill("x".repeat(256));
    await market.register({ multiaddrs, region: "x".repeat(64), gpuModel: "x".repeat(64) });
    expect((await market.nodes.getNode(operator.address)).profile.multiaddrs).to.deep.equal(multiaddrs);
  });
});

describe("A node's profile", () => {
  it("is replaced by owner or operator, and a new encryption key counts its version up", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.nodes
      .connect(operator)
      .updateProfile(operator.address, profile({ region: "us-east", multiaddrs: [] }));
    let node = await market.nodes.getNode(operator.address);
    expect([node.profile.region, node.encryptionKeyVersion, node.profile.multiaddrs.length]).to.deep.equal([
      "us-east",
      1n,
      0,
    ]);
    await expect(
      market.nodes
        .connect(owner)
        .updateProfile(operator.address, profile({ encryptionKey: digest("next key") })),
    ).to.emit(market.nodes, "ProfileUpdated");
    node = await market.nodes.getNode(operator.address);
    expect(node.encryptionKeyVersion).to.equal(2n);
  });

  it("cannot be touched by strangers, nor when the node is unknown or retired", async () => {
    const market = await loadFixture(busyLocalMarket);
    await expect(market.nodes.connect(stranger).updateProfile(operator.address, profile()))
      .to.be.revertedWithCustomError(market.nodes, "NotOwnerOrOperator")
      .withArgs(operator.address, stranger.address);
    await expect(
      market.nodes.connect(stranger).updateProfile(stranger.address, profile()),
    ).to.be.revertedWithCustomError(market.nodes, "NotOwnerOrOperator");
    await market.nodes.connect(owner).revokeOperator(operator.address);
    await expect(market.nodes.connect(owner).updateProfile(operator.address, profile()))
      .to.be.revertedWithCustomError(market.nodes, "WrongNodeStatus")
      .withArgs(operator.address, 3);
  });

  for (const change of [{ gpus: 1 }, { vCpus: 7 }, { memoryMiB: 65_535n }]) {
    it(`cannot shrink below what leases use (${Object.keys(change)[0]})`, async () => {
      const market = await loadFixture(busyLocalMarket);
      await market.leaseIn("Running");
      await expect(market.nodes.connect(owner).updateProfile(operator.address, profile(change)))
        .to.be.revertedWithCustomError(market.nodes, "CapacityInUse")
        .withArgs([2, 8, 65_536n]);
    });
  }

  it("may shrink to exactly what leases use", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.leaseIn("Running");
    await market.nodes
      .connect(owner)
      .updateProfile(operator.address, profile({ gpus: 2, vCpus: 8, memoryMiB: 65_536n }));
    expect(await market.nodes.available(operator.address)).to.deep.equal([0n, 0n, 0n]);
  });
});

describe("A node's status", () => {
  it("drains by owner or operator and resumes by the owner, with a new age", async () => {
    const market = await loadFixture(busyLocalMarket);
    await expect(market.nodes.connect(operator).drain(operator.address))
      .to.emit(market.nodes, "NodeStatusChanged")
      .withArgs(operator.address, 2);
    expect(await market.nodes.activeSinceOf(operator.address)).to.equal(0n);
    await expect(market.nodes.connect(owner).drain(operator.address))
      .to.be.revertedWithCustomError(market.nodes, "WrongNodeStatus")
      .withArgs(operator.address, 2);
    await expect(market.nodes.connect(operator).resume(operator.address))
      .to.be.revertedWithCustomError(market.nodes, "NotOwner")
      .withArgs(operator.address, operator.address);
    await market.nodes.connect(owner).resume(operator.address);
    expect(await market.nodes.activeSinceOf(operator.address)).to.equal(await now());
    await expect(market.nodes.connect(owner).resume(operator.address)).to.be.revertedWithCustomError(
      market.nodes,
      "WrongNodeStatus",
    );
  });

  it("takes no new lease while draining, and finishes the one that runs", async () => {
    const market = await loadFixture(busyLocalMarket);
    const running = await market.leaseIn("Running");
    await market.nodes.connect(owner).drain(operator.address);
    const open = await market.createTask();
    await expect(market.tasks.connect(operator).acceptTask(open.taskId))
      .to.be.revertedWithCustomError(market.tasks, "NotAdmitted")
      .withArgs(open.taskId, operator.address, 2n ** 64n - 1n);
    await market.complete(running);
    expect(await market.statusOf(running)).to.equal("Completed");
  });

  it("is Retired for ever once its operator is revoked, also while registration is paused", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.nodes.connect(people.guardian).pause();
    await expect(
      market.nodes.connect(operator).revokeOperator(operator.address),
    ).to.be.revertedWithCustomError(market.nodes, "NotOwner");
    await expect(market.nodes.connect(owner).revokeOperator(operator.address))
      .to.emit(market.nodes, "OperatorRevoked")
      .withArgs(operator.address, owner.address)
      .to.emit(market.nodes, "NodeStatusChanged")
      .withArgs(operator.address, 3);
    await expect(market.nodes.connect(owner).revokeOperator(operator.address)).to.be.revertedWithCustomError(
      market.nodes,
      "WrongNodeStatus",
    );
    await expect(market.nodes.connect(owner).resume(operator.address)).to.be.revertedWithCustomError(
      market.nodes,
      "WrongNodeStatus",
    );
  });
});

describe("A revoked operator", () => {
  it("can neither start, claim, fail nor complete", async () => {
    const market = await loadFixture(busyLocalMarket);
    const assigned = await market.leaseIn("Assigned");
    const running = await market.leaseIn("Running");
    await market.nodes.connect(owner).revokeOperator(operator.address);
    const tasks = market.tasks.connect(operator);
    const refused = [
      () => tasks.startLease(assigned.leaseId, 1),
      () => tasks.checkpoint(running.leaseId, 1, 1, digest("checkpoint")),
      () => tasks.failLease(running.leaseId, 1, digest("reason")),
      () => market.complete(running),
    ];
    for (const call of refused) {
      await expect(call())
        .to.be.revertedWithCustomError(market.tasks, "OperatorIsRevoked")
        .withArgs(operator.address);
    }
  });

  it("loses no stake by it: a lost lease is paid to its last checkpoint and unlocked", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const { startedAt } = await market.tasks.getLease(ref.leaseId);
    await nextBlockAt(startedAt + 360n);
    await market.tasks.connect(operator).checkpoint(ref.leaseId, 1, 1, digest("checkpoint"));
    await market.nodes.connect(owner).revokeOperator(operator.address);
    await nextBlockAt(startedAt + 3600n + 31n);
    await market.tasks.expire(ref.leaseId);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(990_000n);
    expect((await market.nodes.stakeOf(operator.address)).slice(0, 2)).to.deep.equal([1000n * DOLLAR, 0n]);
  });

  it("leaves a result that was accepted before to be paid", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Completed");
    await market.nodes.connect(owner).revokeOperator(operator.address);
    await market.tasks.connect(people.consumer).approve(ref.leaseId);
    expect(await market.statusOf(ref)).to.equal("Settled");
  });
});
