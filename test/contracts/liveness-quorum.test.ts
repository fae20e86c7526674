import { expect } from "chai";
import { readParameters } from "../../ignition/parameters.ts";
import {
  addNode,
  as,
  attester,
  attesters,
  bid,
  load,
  patientMarket,
  report,
  rotate,
  seat,
  send,
  signatures,
  strangers,
  times,
} from "./committee.ts";
import { busyLocalMarket, DAY, DOLLAR, deployMarket, digest, ethers, type Market, people } from "./market.ts";

const { governor, operator, owner, stranger } = people;

async function seated(): Promise<Market> {
  const market = await patientMarket();
  await seat(market, attesters(4));
  return market;
}

describe("Rule 24: a quorum", () => {
  it("is floor(2N/3)+1 of all N seats, for N from 1 to 16", async () => {
    const market = await load(patientMarket);
    const { liveness } = market;
    for (let count = 1; count <= 16; count++) {
      await addNode(market, attester(count - 1));
      await bid(market, attester(count - 1));
      if (count > 1) await send(market, attesters(count - 1)); // all show themselves
      await rotate(market);
      const quorum = Math.floor((2 * count) / 3) + 1;
      expect(await liveness.quorumOf(), `N = ${count}`).to.equal(quorum);
      const input = await report(market, { offline: strangers(1, count) });
      const signed = await signatures(market, input, attesters(count));
      const hash = await liveness.reportHash(input);
      await expect(liveness.report(input, signed.slice(0, quorum - 1)))
        .to.be.revertedWithCustomError(liveness, "QuorumNotReached")
        .withArgs(quorum - 1, quorum);
      expect(await liveness.isQuorum(hash, signed.slice(0, quorum - 1))).to.equal(false);
      expect(await liveness.isQuorum(hash, signed.slice(count - quorum))).to.equal(true);
      expect(await liveness.isQuorum(hash, signed)).to.equal(true);
      await expect(liveness.report(input, signed.slice(count - quorum))).to.emit(liveness, "OfflineReported");
    }
  });

  it("counts a committee smaller than minSeats as that large", async () => {
    const parameters = await readParameters("local");
    Object.assign(parameters.liveness.initial, { ...times, minSeats: 4 });
    const market = await deployMarket(parameters);
    await seat(market, attesters(2));
    expect(await market.liveness.quorumOf()).to.equal(3);
    await expect(send(market, attesters(2)))
      .to.be.revertedWithCustomError(market.liveness, "QuorumNotReached")
      .withArgs(2, 3);
    await seat(market, attesters(1, 2));
    await send(market, attesters(3));
  });

  it("serves other contracts' claims, each in its own domain", async () => {
    const market = await load(seated);
    const { liveness } = market;
    const input = await report(market);
    const [hash, foreign] = [await liveness.reportHash(input), digest("another claim")];
    const signed = await signatures(market, input, attesters(3));
    expect(await liveness.isQuorum(hash, signed)).to.equal(true);
    expect(await liveness.isQuorum(foreign, signed)).to.equal(false);
    expect(await liveness.isQuorum(hash, signed.toReversed())).to.equal(false);
    expect(await liveness.isQuorum(hash, [signed[0], signed[0], signed[1]] as string[])).to.equal(false);
    expect(await liveness.isQuorum(hash, ["0x", ...signed])).to.equal(false);
    const outsiders = await signatures(market, input, [attester(0), attester(1), attester(7)]);
    expect(await liveness.isQuorum(hash, outsiders)).to.equal(false);
  });
});

describe("Rules 2 and 26: the stake of a seat", () => {
  it("is locked and unlocked by Liveness alone", async () => {
    const market = await load(seated);
    for (const call of ["lockSeat", "unlockSeat"] as const) {
      await expect(market.nodes.connect(attester(0).owner)[call](attester(0).operator.address, 1))
        .to.be.revertedWithCustomError(market.nodes, "OnlyLiveness")
        .withArgs(attester(0).owner.address);
    }
  });

  it("cannot be unlocked beyond what the seat has locked", async () => {
    const market = await load(seated);
    const liveness = await as(market, "liveness");
    await expect(
      market.nodes.connect(liveness).unlockSeat(attester(0).operator.address, 100n * DOLLAR + 1n),
    ).to.be.revertedWithPanic(0x11);
  });

  it("is out of a slash's reach, which stays owed until the seat is given up (rule 3)", async () => {
    const market = await load(busyLocalMarket);
    const ref = await market.leaseIn("Completed");
    const one = await market.attestation(ref, { outputDigest: digest("one") });
    const two = { ...one, outputDigest: digest("two") };
    await market.tasks.connect(people.consumer).approve(ref.leaseId);
    await market.liveness.connect(owner).bid(operator.address, 1000n * DOLLAR);
    const prove = async () =>
      market.tasks.proveEquivocation(one, await market.sign(one), two, await market.sign(two));
    await expect(prove()).not.to.emit(market.nodes, "StakeSlashed");
    expect(await market.nodes.seatLockedOf(operator.address)).to.equal(1000n * DOLLAR);
    expect((await market.nodes.stakeOf(operator.address)).staked).to.equal(1000n * DOLLAR);
    await market.liveness.connect(owner).withdrawBid(operator.address);
    await rotate(market);
    await rotate(market);
    await prove();
    expect((await market.nodes.stakeOf(operator.address)).staked).to.equal(990n * DOLLAR);
  });
});

describe("Rules 10 and 28: the parameters of Liveness", () => {
  it("are governance's, within their bounds", async () => {
    const market = await load(patientMarket);
    const { liveness } = market;
    const { initial } = market.parameters.liveness;
    await expect(liveness.connect(stranger).setParameters(initial)).to.be.revertedWithCustomError(
      liveness,
      "AccessManagedUnauthorized",
    );
    await expect(liveness.connect(governor).setParameters({ ...initial, minSeats: 17 }))
      .to.be.revertedWithCustomError(liveness, "ParameterOutOfBounds")
      .withArgs(5, 17, 1, 16);
    await expect(liveness.connect(governor).setParameters({ ...initial, reportGrace: 600 })).to.emit(
      liveness,
      "ParametersChanged",
    );
    expect((await liveness.parameters()).reportGrace).to.equal(600);
    const bounds = await liveness.parameterBounds();
    expect([bounds.min.epochLength, bounds.max.epochLength]).to.deep.equal([1n, DAY]);
  });

  it("leave the running epoch as it is", async () => {
    const market = await load(seated);
    const { initial } = market.parameters.liveness;
    const before = await market.liveness.committee();
    await market.liveness.connect(governor).setParameters({ ...initial, epochLength: 1000 });
    expect((await market.liveness.committee()).epochEndsAt).to.equal(before.epochEndsAt);
  });

  it("belong to a contract that NodeRegistry names", async () => {
    const market = await load(patientMarket);
    const { initial, min, max } = market.parameters.liveness;
    const factory = await ethers.getContractFactory("Liveness", people.deployer);
    const nodes = await market.nodes.getAddress();
    await expect(factory.deploy(stranger.address, nodes, initial, min, max))
      .to.be.revertedWithCustomError(factory, "MisconfiguredPeer")
      .withArgs(nodes, await market.liveness.getAddress());
  });
});
