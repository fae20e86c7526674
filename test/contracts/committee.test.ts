import { expect } from "chai";
import {
  addNode,
  ascending,
  attester,
  attesters,
  bid,
  bidEnds,
  load,
  patientMarket,
  rotate,
  seat,
  send,
  times,
} from "./committee.ts";
import { DOLLAR, ethers, type Market, nextBlockAt, people } from "./market.ts";

const { governor, stranger } = people;

async function withNodes(): Promise<Market> {
  const market = await patientMarket();
  for (const member of attesters(4)) await addNode(market, member);
  return market;
}

async function seated(): Promise<Market> {
  const market = await patientMarket();
  await seat(market, attesters(4));
  return market;
}

/** 16 seats at 100 dollars, and 16 bids that challenge them at 200, 201, ... */
async function fullList(): Promise<Market> {
  const market = await patientMarket();
  await seat(market, attesters(16));
  for (const [index, member] of attesters(16, 16).entries()) {
    await addNode(market, member);
    await bid(market, member, BigInt(200 + index) * DOLLAR);
  }
  await addNode(market, attester(32));
  return market;
}

const seatsOf = async (market: Market) => [...(await market.liveness.seats())];
const addressesOf = (...indices: number[]) =>
  ascending(indices.map((index) => attester(index).operator.address));
const lockedOf = async (market: Market, index: number) =>
  market.nodes.seatLockedOf(attester(index).operator.address);

describe("Rule 24: a bid for a seat", () => {
  it("locks stake that is free, all of it with what leases lock", async () => {
    const market = await load(withNodes);
    const first = attester(0);
    const node = first.operator.address;
    await expect(bid(market, first, 600n * DOLLAR))
      .to.emit(market.liveness, "BidPlaced")
      .withArgs(node, first.owner.address, 600n * DOLLAR)
      .and.to.emit(market.nodes, "SeatStakeLocked")
      .withArgs(node, 600n * DOLLAR);
    expect((await market.nodes.stakeOf(node)).locked).to.equal(600n * DOLLAR);
    await expect(market.nodes.connect(first.owner).unstake(node, 401n * DOLLAR))
      .to.be.revertedWithCustomError(market.nodes, "StakeNotFree")
      .withArgs(node, 401n * DOLLAR, 400n * DOLLAR);
    await expect(bid(market, first, 1001n * DOLLAR))
      .to.be.revertedWithCustomError(market.nodes, "StakeNotFree")
      .withArgs(node, 401n * DOLLAR, 400n * DOLLAR);
    await bid(market, first, 1000n * DOLLAR);
    expect(await lockedOf(market, 0)).to.equal(1000n * DOLLAR);
    expect(await market.liveness.bids()).to.deep.equal([[node, 1000n * DOLLAR]]);
    expect(await market.liveness.bidOf(first.owner.address)).to.equal(node);
  });

  it("is the owner's alone, for a node in service, at the minimum or above", async () => {
    const market = await load(withNodes);
    const { liveness } = market;
    const first = attester(0);
    const node = first.operator.address;
    for (const caller of [first.operator, stranger]) {
      await expect(liveness.connect(caller).bid(node, 100n * DOLLAR))
        .to.be.revertedWithCustomError(liveness, "NotOwner")
        .withArgs(node, caller.address);
    }
    await expect(bid(market, first, 100n * DOLLAR - 1n))
      .to.be.revertedWithCustomError(liveness, "BidTooLow")
      .withArgs(100n * DOLLAR - 1n, 100n * DOLLAR);
    await expect(bid(market, first, 2n ** 96n)).to.be.revertedWithCustomError(
      liveness,
      "SafeCastOverflowedUintDowncast",
    );
    await market.nodes.connect(first.owner).revokeOperator(node);
    await expect(bid(market, first))
      .to.be.revertedWithCustomError(liveness, "NodeNotInService")
      .withArgs(node, 3);
  });

  it("is one for an owner, whatever nodes it has", async () => {
    const market = await load(withNodes);
    const { liveness } = market;
    const [first, other] = [attester(0), { owner: attester(0).owner, operator: attester(9).operator }];
    await addNode(market, other);
    await bid(market, first);
    await expect(bid(market, other, 500n * DOLLAR))
      .to.be.revertedWithCustomError(liveness, "OwnerHasBid")
      .withArgs(first.owner.address, first.operator.address);
    await rotate(market);
    await liveness.connect(first.owner).withdrawBid(first.operator.address);
    await rotate(market);
    await bid(market, other, 500n * DOLLAR);
    expect(await lockedOf(market, 0)).to.equal(0);
    expect(await lockedOf(market, 9)).to.equal(500n * DOLLAR);
  });

  it("is raised, never lowered", async () => {
    const market = await load(withNodes);
    await bid(market, attester(0), 300n * DOLLAR);
    for (const amount of [100n * DOLLAR, 300n * DOLLAR]) {
      await expect(bid(market, attester(0), amount))
        .to.be.revertedWithCustomError(market.liveness, "BidTooLow")
        .withArgs(amount, 300n * DOLLAR + 1n);
    }
    for (const [amount, more] of [
      [300n * DOLLAR + 1n, 1n],
      [301n * DOLLAR, DOLLAR - 1n],
    ] as const) {
      await expect(bid(market, attester(0), amount))
        .to.emit(market.nodes, "SeatStakeLocked")
        .withArgs(attester(0).operator.address, more);
    }
  });

  it("must beat the lowest that holds no seat when the list is full, and frees that one's stake", async () => {
    const market = await load(fullList);
    const { liveness } = market;
    const lowest = attester(16);
    await expect(bid(market, attester(32), 200n * DOLLAR))
      .to.be.revertedWithCustomError(liveness, "BidTooLow")
      .withArgs(200n * DOLLAR, 200n * DOLLAR + 1n);
    await expect(bid(market, attester(32), 200n * DOLLAR + 1n))
      .to.emit(liveness, "BidEnded")
      .withArgs(lowest.operator.address, lowest.owner.address, 200n * DOLLAR, bidEnds.Outbid)
      .and.to.emit(market.nodes, "SeatStakeUnlocked")
      .withArgs(lowest.operator.address, 200n * DOLLAR);
    expect(await lockedOf(market, 16)).to.equal(0);
    expect((await liveness.bids()).length).to.equal(32);
    expect(await seatsOf(market)).to.deep.equal(addressesOf(...Array(16).keys()));
    await bid(market, attester(17), 900n * DOLLAR);
    await rotate(market);
    expect(await seatsOf(market)).to.deep.equal(
      addressesOf(...Array.from({ length: 16 }, (_, index) => 17 + index)),
    );
  });

  it("ends at once when it is taken back without a seat, once it has stood in an election", async () => {
    const market = await load(fullList);
    const { liveness } = market;
    const { owner: itsOwner, operator: node } = attester(31);
    await liveness.connect(itsOwner).withdrawBid(node.address);
    await rotate(market);
    expect(await seatsOf(market), "it stood").to.include(node.address);
    const loser = attester(0);
    await expect(liveness.connect(loser.owner).withdrawBid(loser.operator.address))
      .to.emit(liveness, "BidEnded")
      .withArgs(loser.operator.address, loser.owner.address, 100n * DOLLAR, bidEnds.Left);
    expect(await lockedOf(market, 0)).to.equal(0);
    await rotate(market);
    expect(await seatsOf(market)).not.to.include(node.address);
    expect(await lockedOf(market, 31)).to.equal(0);
  });

  it("cannot drive another out and be gone before it counts", async () => {
    const market = await load(fullList);
    const { liveness } = market;
    await bid(market, attester(32), 500n * DOLLAR); // attester 16 makes way
    await expect(liveness.connect(attester(32).owner).withdrawBid(attester(32).operator.address))
      .to.emit(liveness, "LeaveAnnounced")
      .withArgs(attester(32).operator.address, attester(32).owner.address, 2);
    expect(await lockedOf(market, 32)).to.equal(500n * DOLLAR);
    await rotate(market);
    expect(await seatsOf(market)).to.include(attester(32).operator.address);
  });

  it("makes way wherever it stands in the list: the very first too", async () => {
    const market = await load(fullList);
    await rotate(market); // the first sixteen have lost their seats
    for (const member of attesters(15, 1)) await bid(market, member, 150n * DOLLAR);
    await expect(bid(market, attester(32), 101n * DOLLAR))
      .to.emit(market.liveness, "BidEnded")
      .withArgs(attester(0).operator.address, attester(0).owner.address, 100n * DOLLAR, bidEnds.Outbid);
  });

  it("makes way to a higher one, were it by one base unit, also where it is older", async () => {
    const market = await load(fullList);
    await bid(market, attester(16), 201n * DOLLAR);
    await bid(market, attester(17), 201n * DOLLAR + 1n);
    await expect(bid(market, attester(32), 201n * DOLLAR + 2n))
      .to.emit(market.liveness, "BidEnded")
      .withArgs(attester(16).operator.address, attester(16).owner.address, 201n * DOLLAR, bidEnds.Outbid);
  });

  it("of two alike, the later makes way", async () => {
    const market = await load(fullList);
    await bid(market, attester(17), 202n * DOLLAR); // now as high as attester 18's, which is older
    await bid(market, attester(16), 900n * DOLLAR);
    await expect(bid(market, attester(32), 203n * DOLLAR))
      .to.emit(market.liveness, "BidEnded")
      .withArgs(attester(17).operator.address, attester(17).owner.address, 202n * DOLLAR, bidEnds.Outbid);
  });
});

describe("Rule 24: the committee", () => {
  it("takes office when an epoch has ended, and not a second before", async () => {
    const market = await load(withNodes);
    const { liveness } = market;
    for (const member of attesters(4)) await bid(market, member);
    const { epochEndsAt } = await liveness.committee();
    await nextBlockAt(epochEndsAt);
    await expect(liveness.rotate())
      .to.be.revertedWithCustomError(liveness, "EpochNotOver")
      .withArgs(epochEndsAt, epochEndsAt);
    expect(await seatsOf(market)).to.deep.equal([]);
    await nextBlockAt(epochEndsAt + 1n);
    await expect(liveness.connect(stranger).rotate())
      .to.emit(liveness, "CommitteeChanged")
      .withArgs(1, addressesOf(0, 1, 2, 3))
      .and.to.emit(liveness, "EpochStarted")
      .withArgs(2, epochEndsAt + 1n + BigInt(times.epochLength));
  });

  it("has 16 seats, for the highest bids, the earlier of two alike", async () => {
    const market = await load(patientMarket);
    const members = attesters(18);
    for (const [index, member] of members.entries()) {
      await addNode(market, member);
      await bid(market, member, BigInt(index < 2 ? 100 + index : 150) * DOLLAR);
    }
    await rotate(market);
    expect(await seatsOf(market)).to.deep.equal(
      addressesOf(...members.keys()).filter((node) => !addressesOf(0, 1).includes(node)),
    );
    await bid(market, attester(1), 150n * DOLLAR); // alike, but later than all
    await rotate(market);
    expect(await seatsOf(market)).not.to.include(attester(1).operator.address);
    await bid(market, attester(0), 151n * DOLLAR);
    await rotate(market);
    expect(await seatsOf(market)).to.include(attester(0).operator.address);
    expect(await seatsOf(market)).not.to.include(attester(17).operator.address);
    expect(await lockedOf(market, 17)).to.equal(150n * DOLLAR);
  });

  it("is no longer who was outbid, although the bids stand", async () => {
    const market = await load(fullList);
    await rotate(market);
    expect(await seatsOf(market)).to.deep.equal(addressesOf(...Array.from({ length: 16 }, (_, i) => 16 + i)));
    for (const { operator } of attesters(16)) {
      await expect(market.liveness.connect(operator).checkIn())
        .to.be.revertedWithCustomError(market.liveness, "NotASeat")
        .withArgs(operator.address);
    }
  });

  it("changes its version only with its members", async () => {
    const market = await load(seated);
    const { liveness } = market;
    await bid(market, attester(0), 500n * DOLLAR);
    await expect(rotate(market)).not.to.emit(liveness, "CommitteeChanged");
    let state = await liveness.committee();
    expect([state.epoch, state.committeeVersion]).to.deep.equal([3n, 1n]);
    await liveness.connect(attester(1).owner).withdrawBid(attester(1).operator.address);
    await addNode(market, attester(5));
    await bid(market, attester(5));
    await expect(rotate(market))
      .to.emit(liveness, "CommitteeChanged")
      .withArgs(2, addressesOf(0, 2, 3, 5));
    state = await liveness.committee();
    expect([state.epoch, state.committeeVersion]).to.deep.equal([4n, 2n]);
  });

  it("keeps a seat that leaves until the epoch ends, with its stake", async () => {
    const market = await load(seated);
    const { liveness } = market;
    const { owner: itsOwner, operator: node } = attester(1);
    await expect(liveness.connect(stranger).withdrawBid(node.address))
      .to.be.revertedWithCustomError(liveness, "NotOwner")
      .withArgs(node.address, stranger.address);
    await expect(liveness.connect(stranger).withdrawBid(stranger.address))
      .to.be.revertedWithCustomError(liveness, "NoBid")
      .withArgs(stranger.address);
    await expect(liveness.connect(itsOwner).withdrawBid(node.address))
      .to.emit(liveness, "LeaveAnnounced")
      .withArgs(node.address, itsOwner.address, 2);
    expect(await lockedOf(market, 1)).to.equal(100n * DOLLAR);
    await send(market, attesters(3));
    await expect(rotate(market))
      .to.emit(liveness, "BidEnded")
      .withArgs(node.address, itsOwner.address, 100n * DOLLAR, bidEnds.Left);
    expect(await seatsOf(market)).to.deep.equal(addressesOf(0, 2, 3));
    expect(await lockedOf(market, 1)).to.equal(0);
    expect((await liveness.candidateOf(node.address)).owner).to.equal(ethers.ZeroAddress);
  });

  it("keeps who raises a bid that was leaving", async () => {
    const market = await load(seated);
    await market.liveness.connect(attester(1).owner).withdrawBid(attester(1).operator.address);
    await bid(market, attester(1), 101n * DOLLAR);
    await rotate(market);
    expect(await seatsOf(market)).to.include(attester(1).operator.address);
  });

  it("vacates a seat that was silent for maxMissed epochs; who checks in or signs keeps it", async () => {
    const market = await load(seated);
    const { liveness } = market;
    const silent = attester(3);
    for (let epoch = 0; epoch < 3; epoch++) {
      expect(await seatsOf(market), `epoch ${epoch}`).to.include(silent.operator.address);
      await expect(liveness.connect(attester(0).operator).checkIn()).to.emit(liveness, "CheckedIn");
      await liveness.connect(attester(1).operator).checkIn();
      await send(market, attesters(3));
      await rotate(market);
    }
    expect(await seatsOf(market)).to.deep.equal(addressesOf(0, 1, 2));
    expect(await lockedOf(market, 3)).to.equal(0);
    const [ended] = await liveness.queryFilter(liveness.filters.BidEnded());
    expect(ended?.args).to.deep.equal([
      silent.operator.address,
      silent.owner.address,
      100n * DOLLAR,
      BigInt(bidEnds.Silent),
    ]);
    await bid(market, silent);
    await rotate(market);
    expect(await seatsOf(market)).to.include(silent.operator.address);
  });

  it("keeps a seat that signs no report, and only checks in", async () => {
    const market = await load(seated);
    for (let epoch = 0; epoch < 4; epoch++) {
      await market.liveness.connect(attester(0).operator).checkIn();
      await send(market, attesters(3, 1));
      await rotate(market);
    }
    expect(await seatsOf(market)).to.deep.equal(addressesOf(0, 1, 2, 3));
  });

  it("counts a new seat's silence from its election, however long ago it bid", async () => {
    const market = await load(seated);
    await addNode(market, attester(30));
    const parameters = { ...market.parameters.liveness.initial, minSeatStake: 1_000_000n };
    const { liveness } = market;
    await liveness.connect(people.governor).setParameters(parameters);
    for (const member of attesters(12, 10)) {
      await addNode(market, member);
      await bid(market, member);
    }
    await bid(market, attester(30), 50n * DOLLAR);
    const others = [...attesters(4), ...attesters(12, 10)];
    for (let epoch = 0; epoch < 4; epoch++) {
      await rotate(market);
      for (const { operator } of others) await liveness.connect(operator).checkIn();
    }
    expect(await seatsOf(market)).not.to.include(attester(30).operator.address);
    await liveness.connect(attester(0).owner).withdrawBid(attester(0).operator.address);
    await rotate(market);
    await rotate(market);
    expect(await seatsOf(market)).to.include(attester(30).operator.address);
  });

  it("counts silence anew from each sign", async () => {
    const market = await load(seated);
    for (let epoch = 0; epoch < 8; epoch++) {
      if (epoch === 2 || epoch === 4) await send(market, attesters(4));
      await rotate(market);
      expect((await seatsOf(market)).length, `epoch ${epoch}`).to.equal(epoch < 7 ? 4 : 0);
    }
    // All were silent in epochs 7, 8 and 9: nobody is left, and nothing is said.
    expect(await market.liveness.quorumOf()).to.equal(1);
    await expect(send(market, []))
      .to.be.revertedWithCustomError(market.liveness, "QuorumNotReached")
      .withArgs(0, 1);
  });

  it("lets only a seat check in", async () => {
    const market = await load(seated);
    for (const caller of [stranger, attester(0).owner]) {
      await expect(market.liveness.connect(caller).checkIn())
        .to.be.revertedWithCustomError(market.liveness, "NotASeat")
        .withArgs(caller.address);
    }
  });

  it("hears a revoked operator no more at once (rule 4), and replaces it when the epoch ends", async () => {
    const market = await load(seated);
    const { liveness } = market;
    const { owner: itsOwner, operator: node } = attester(1);
    await market.nodes.connect(itsOwner).revokeOperator(node.address);
    await expect(send(market, attesters(3)))
      .to.be.revertedWithCustomError(liveness, "NotASeat")
      .withArgs(node.address);
    await expect(liveness.connect(node).checkIn()).to.be.revertedWithCustomError(liveness, "NotASeat");
    await send(market, [attester(0), attester(2), attester(3)]);
    await expect(rotate(market))
      .to.emit(liveness, "BidEnded")
      .withArgs(node.address, itsOwner.address, 100n * DOLLAR, bidEnds.Inactive);
    expect(await seatsOf(market)).to.deep.equal(addressesOf(0, 2, 3));
    await market.nodes.connect(itsOwner).unstake(node.address, 1000n * DOLLAR);
  });

  it("keeps a node that drains", async () => {
    const market = await load(seated);
    await market.nodes.connect(attester(1).operator).drain(attester(1).operator.address);
    await send(market, attesters(3));
    await rotate(market);
    expect(await seatsOf(market)).to.include(attester(1).operator.address);
  });

  it("drops a bid that governance has raised the minimum above", async () => {
    const market = await load(seated);
    await bid(market, attester(0), 200n * DOLLAR);
    const rules = { ...market.parameters.liveness.initial, minSeatStake: 200n * DOLLAR };
    await market.liveness.connect(governor).setParameters(rules);
    await expect(rotate(market))
      .to.emit(market.liveness, "BidEnded")
      .withArgs(attester(1).operator.address, attester(1).owner.address, 100n * DOLLAR, bidEnds.BelowMinimum);
    expect(await seatsOf(market)).to.deep.equal(addressesOf(0));
  });
});
