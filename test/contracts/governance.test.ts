import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { getCreateAddress } from "ethers";
import { readParameters } from "../../ignition/parameters.ts";
import {
  busyLocalMarket,
  busyProductionMarket,
  DAY,
  deployMarket,
  ethers,
  loadFixture,
  localMarket,
  type Market,
  nextBlockAt,
  now,
  people,
  productionMarket,
} from "./market.ts";

const { governor, guardian, stranger, deployer, consumer } = people;

async function taskChange(
  market: Market,
  change: (parameters: Market["parameters"]["task"]["initial"]) => void,
) {
  const parameters = structuredClone(market.parameters.task.initial);
  change(parameters);
  return market.tasks.interface.encodeFunctionData("setParameters", [parameters]);
}

const namesOf = <T extends object>(fields: T) => Object.keys(fields) as (keyof T & string)[];

/** What Ignition says of a deployment that must not succeed. */
const refusalOf = (deployment: Promise<unknown>) => deployment.then(() => "deployed", String);

describe("Parameters", () => {
  it("start as the deployment's file says, within its bounds", async () => {
    for (const fixture of [localMarket, productionMarket]) {
      const market = await loadFixture(fixture);
      const { terms, ...rest } = market.parameters.task.initial;
      const onChain = await market.tasks.parameters();
      for (const key of namesOf(terms)) expect(onChain.terms[key], key).to.equal(BigInt(terms[key]));
      for (const key of namesOf(rest)) expect(onChain[key], key).to.equal(BigInt(rest[key]));
      const [min, max] = await market.tasks.parameterBounds();
      expect(min.terms.feeBps).to.equal(0n);
      expect(max.terms.feeBps).to.equal(500n);
      const nodes = await market.nodes.parameters();
      expect(nodes.minStake).to.equal(BigInt(market.parameters.node.initial.minStake));
      const [leastNode, mostNode] = await market.nodes.parameterBounds();
      expect(leastNode.minStake).to.be.at.most(nodes.minStake);
      expect(mostNode.minStake).to.be.at.least(nodes.minStake);
    }
  });

  it("change after the delay only, in public", async () => {
    const market = await loadFixture(productionMarket);
    const target = await market.tasks.getAddress();
    const data = await taskChange(market, (parameters) => {
      parameters.terms.feeBps = 200;
    });
    const governance = market.governance.connect(governor);
    await expect(governance.execute(target, data)).to.be.revertedWithCustomError(
      market.governance,
      "AccessManagerNotScheduled",
    );
    await governance.schedule(target, data, 0);
    const scheduledAt = await now();
    await nextBlockAt(scheduledAt + 2n * DAY - 1n);
    await expect(governance.execute(target, data)).to.be.revertedWithCustomError(
      market.governance,
      "AccessManagerNotReady",
    );
    await nextBlockAt(scheduledAt + 2n * DAY);
    await governance.execute(target, data);
    expect((await market.tasks.terms()).feeBps).to.equal(200n);
  });

  it("never leave the bounds, whoever asks", async () => {
    const market = await loadFixture(localMarket);
    const tasks = market.tasks.connect(governor);
    const parameters = structuredClone(market.parameters.task.initial);
    parameters.terms.feeBps = 501;
    await expect(tasks.setParameters(parameters))
      .to.be.revertedWithCustomError(market.tasks, "ParameterOutOfBounds")
      .withArgs(7, 501, 0, 500);
    parameters.terms.feeBps = 500;
    parameters.terms.challengeWindow = 0;
    await expect(tasks.setParameters(parameters))
      .to.be.revertedWithCustomError(market.tasks, "ParameterOutOfBounds")
      .withArgs(0, 0, 1, 259_200);
    const nodes = market.nodes.connect(governor);
    await expect(nodes.setParameters({ minStake: 2n ** 127n, stakePerGpu: 0 }))
      .to.be.revertedWithCustomError(market.nodes, "ParameterOutOfBounds")
      .withArgs(0, 2n ** 127n, 0, 100_000_000_000n);
    await expect(nodes.setParameters({ minStake: 5, stakePerGpu: 6 })).to.emit(
      market.nodes,
      "ParametersChanged",
    );
    expect(await market.nodes.stakeRequired(stranger.address)).to.equal(5n);
  });

  it("are nobody else's, least of all the deployer's", async () => {
    const market = await loadFixture(localMarket);
    for (const who of [stranger, deployer, guardian]) {
      await expect(market.tasks.connect(who).setParameters(market.parameters.task.initial))
        .to.be.revertedWithCustomError(market.tasks, "AccessManagedUnauthorized")
        .withArgs(who.address);
      await expect(
        market.nodes.connect(who).setParameters(market.parameters.node.initial),
      ).to.be.revertedWithCustomError(market.nodes, "AccessManagedUnauthorized");
    }
    expect((await market.governance.hasRole(0, deployer.address))[0]).to.equal(false);
    expect((await market.governance.hasRole(0, await market.governance.getAddress()))[0]).to.equal(false);
    expect(await market.governance.hasRole(0, governor.address)).to.deep.equal([true, 0n]);
  });

  it("reach no function that moves tokens or slashes: only setParameters and the pause are restricted", async () => {
    const market = await loadFixture(localMarket);
    const restricted = ["setParameters", "pause", "unpause", "setAuthority"];
    for (const contract of [market.tasks, market.nodes]) {
      const functions = contract.interface.fragments.filter((fragment) => fragment.type === "function");
      const names = functions.map((fragment) => (fragment as unknown as { name: string }).name);
      expect(names).to.include.members(restricted);
    }
    const escrow = market.escrow.interface.fragments.map(
      (fragment) => (fragment as unknown as { name: string }).name,
    );
    expect(escrow).not.to.include.members(["setAuthority"]);
    expect(escrow).not.to.include.members(["authority"]);
  });
});

describe("The pause", () => {
  it("stops registration and new tasks, and nothing else", async () => {
    const market = await loadFixture(busyLocalMarket);
    const running = await market.leaseIn("Running");
    const open = await market.leaseIn("Open");
    await market.tasks.connect(guardian).pause();
    await expect(market.nodes.connect(guardian).pause()).to.emit(market.nodes, "Paused");
    const until = await market.tasks.pausedUntil();
    await expect(market.createTask()).to.be.revertedWithCustomError(market.tasks, "IsPaused").withArgs(until);
    await expect(market.register({}, people.otherOperator)).to.be.revertedWithCustomError(
      market.nodes,
      "IsPaused",
    );
    await market.tasks.connect(people.operator).acceptTask(open.taskId);
    await market.complete(running);
    await market.tasks.connect(consumer).approve(running.leaseId);
    await market.escrow.connect(people.owner).withdrawEarnings(stranger.address, 1);
    await market.escrow.connect(consumer).withdraw(stranger.address, 1);
    expect(await market.statusOf(running)).to.equal("Settled");
  });

  it("lapses by itself after seven days", async () => {
    const market = await loadFixture(busyProductionMarket);
    await market.tasks.connect(guardian).pause();
    const until = await market.tasks.pausedUntil();
    expect(until).to.equal((await now()) + 7n * DAY);
    await nextBlockAt(until);
    await expect(market.createTask({ openUntil: until + DAY })).to.be.revertedWithCustomError(
      market.tasks,
      "IsPaused",
    );
    await nextBlockAt(until + 1n);
    await market.createTask({ openUntil: until + DAY });
    expect(await market.tasks.isPaused()).to.equal(false);
  });

  it("cannot be chained: seven days lie between two", async () => {
    const market = await loadFixture(localMarket);
    const tasks = market.tasks.connect(guardian);
    await tasks.pause();
    const until = await market.tasks.pausedUntil();
    await nextBlockAt(until + 7n * DAY);
    await expect(tasks.pause())
      .to.be.revertedWithCustomError(market.tasks, "PauseTooSoon")
      .withArgs(until + 7n * DAY);
    await nextBlockAt(until + 7n * DAY + 1n);
    await tasks.pause();
    expect(await market.tasks.isPaused()).to.equal(true);
  });

  it("can be ended early, once", async () => {
    const market = await loadFixture(busyLocalMarket);
    const tasks = market.tasks.connect(guardian);
    await tasks.pause();
    await expect(tasks.unpause()).to.emit(market.tasks, "Unpaused");
    await market.createTask();
    await expect(tasks.unpause()).to.be.revertedWithCustomError(market.tasks, "NotPaused");
    await expect(tasks.pause()).to.be.revertedWithCustomError(market.tasks, "PauseTooSoon");
  });

  it("is the guardian's alone", async () => {
    const market = await loadFixture(localMarket);
    for (const contract of [market.tasks, market.nodes]) {
      for (const call of ["pause", "unpause"] as const) {
        await expect(contract.connect(stranger)[call]()).to.be.revertedWithCustomError(
          contract,
          "AccessManagedUnauthorized",
        );
      }
    }
  });
});

describe("A deployment", () => {
  it("is refused with parameters outside their own bounds", async () => {
    const parameters = await readParameters("local");
    parameters.task.initial.terms.feeBps = 501;
    expect(await refusalOf(deployMarket(parameters))).to.match(/ParameterOutOfBounds/);
    const { TaskRegistry } = await factories();
    await expect(
      TaskRegistry.deploy(
        stranger.address,
        stranger.address,
        stranger.address,
        stranger.address,
        stranger.address,
        parameters.task.initial,
        parameters.task.min,
        parameters.task.max,
      ),
    ).to.be.revertedWithCustomError(TaskRegistry, "ParameterOutOfBounds");
  });

  it("is refused when the evidence period is shorter than the longest window", async () => {
    const parameters = await readParameters("local");
    parameters.evidencePeriod = 3 * 86_400 + 3599;
    expect(await refusalOf(deployMarket(parameters))).to.match(/WindowExceedsEvidence/);
  });

  it("is refused when a contract does not point back", async () => {
    const market = await loadFixture(localMarket);
    const { PaymentEscrow, NodeRegistry } = await factories();
    const { node } = market.parameters;
    const at = {
      token: await market.token.getAddress(),
      tasks: await market.tasks.getAddress(),
      nodes: await market.nodes.getAddress(),
      escrow: await market.escrow.getAddress(),
      forwarder: await market.forwarder.getAddress(),
    };
    await expect(PaymentEscrow.deploy(at.token, at.forwarder, stranger.address, at.tasks, at.nodes))
      .to.be.revertedWithCustomError(PaymentEscrow, "MisconfiguredPeer")
      .withArgs(at.tasks, at.escrow);
    await expect(PaymentEscrow.deploy(at.token, at.forwarder, stranger.address, at.tasks, stranger.address))
      .to.be.revertedWithCustomError(PaymentEscrow, "MisconfiguredPeer")
      .withArgs(at.tasks, at.nodes);
    await expect(PaymentEscrow.deploy(at.token, at.forwarder, stranger.address, stranger.address, at.nodes))
      .to.be.revertedWithCustomError(PaymentEscrow, "MisconfiguredPeer")
      .withArgs(stranger.address, ethers.ZeroAddress);
    await expect(PaymentEscrow.deploy(at.token, at.forwarder, ethers.ZeroAddress, at.tasks, at.nodes))
      .to.be.revertedWithCustomError(PaymentEscrow, "InvalidRecipient")
      .withArgs(ethers.ZeroAddress);
    const next = getCreateAddress({ from: deployer.address, nonce: await deployer.getNonce() });
    await expect(PaymentEscrow.deploy(at.token, at.forwarder, next, at.tasks, at.nodes))
      .to.be.revertedWithCustomError(PaymentEscrow, "InvalidRecipient")
      .withArgs(next);
    await expect(
      NodeRegistry.deploy(
        stranger.address,
        at.tasks,
        at.escrow,
        stranger.address,
        604_800,
        node.initial,
        node.min,
        node.max,
      ),
    )
      .to.be.revertedWithCustomError(NodeRegistry, "MisconfiguredPeer")
      .withArgs(at.tasks, at.nodes);
  });

  it("keeps each contract and linked library under 24 KB", async () => {
    const contracts = ["TaskRegistry", "NodeRegistry", "PaymentEscrow", "Liveness", "Forwarder"];
    const libraries = ["Awards", "Leases", "Evidence", "Quorums", "Deliveries"];
    const linked = libraries.map((name) => `libraries/${name}`);
    for (const source of [...contracts, ...linked, "governance/Governance"]) {
      const name = source.split("/").at(-1);
      // The plain build's artifact: code that is instrumented for coverage is larger.
      const path = new URL(`../../artifacts/contracts/${source}.sol/${name}.json`, import.meta.url);
      const { deployedBytecode } = JSON.parse(await readFile(path, "utf8"));
      expect((deployedBytecode.length - 2) / 2, name)
        .to.be.greaterThan(1000)
        .and.at.most(24_576);
    }
  });
});

async function factories() {
  const at = stranger.address; // nothing is linked for real: the constructors do not get that far
  return {
    TaskRegistry: await ethers.getContractFactory("TaskRegistry", {
      signer: deployer,
      libraries: { Awards: at, Leases: at, Evidence: at, Quorums: at, Deliveries: at },
    }),
    NodeRegistry: await ethers.getContractFactory("NodeRegistry", deployer),
    PaymentEscrow: await ethers.getContractFactory("PaymentEscrow", deployer),
  };
}
