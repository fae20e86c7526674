import { expect } from "chai";
import { addNode, as, ascending, bid, load, patientMarket, send, strangers, times } from "./committee.ts";
import { DOLLAR, ethers, networkHelpers, nextBlockAt, now, people } from "./market.ts";
import { at, members, node, reported, target, watched } from "./watched.ts";

const { governor, stranger } = people;
const GRACE = BigInt(times.reportGrace);
const COOLDOWN = BigInt(times.reportCooldown);

describe("Rule 25: an offline report", () => {
  it("counts nothing while it is pending, and from its own block once it is final", async () => {
    const market = await load(watched);
    const since = await reported(market);
    expect(await at(market, since + 1n)).to.deep.equal({ seconds: 0n, since: 0n });
    expect(await at(market, since + GRACE)).to.deep.equal({ seconds: 0n, since: 0n });
    expect(await at(market, since + GRACE + 1n)).to.deep.equal({ seconds: GRACE + 1n, since });
    expect(await at(market, since + 100n)).to.deep.equal({ seconds: 100n, since });
  });

  it("costs no second if the operator answers within the grace", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const since = await reported(market);
    await nextBlockAt(since + GRACE);
    await expect(liveness.connect(target.operator).stillAlive())
      .to.emit(liveness, "OfflineVoided")
      .withArgs(node, since);
    expect(await at(market, since + 1000n)).to.deep.equal({ seconds: 0n, since: 0n });
  });

  it("is voided by the operator's lease transactions as well, through TaskRegistry alone", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const since = await reported(market);
    await expect(liveness.connect(target.operator).noteAlive(node))
      .to.be.revertedWithCustomError(liveness, "OnlyTaskRegistry")
      .withArgs(node);
    const tasks = await as(market, "tasks");
    await nextBlockAt(since + GRACE);
    await expect(liveness.connect(tasks).noteAlive(node))
      .to.emit(liveness, "OfflineVoided")
      .withArgs(node, since);
    expect(await liveness.connect(tasks).noteAlive.staticCall(node)).to.equal(0);
  });

  it("once final is ended by a later sign of life, which gives no second back", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const since = await reported(market);
    await nextBlockAt(since + GRACE + 1n);
    await expect(liveness.connect(target.operator).stillAlive())
      .to.emit(liveness, "OfflineEnded")
      .withArgs(node, since, since + GRACE + 1n, GRACE + 1n);
    expect(await at(market, since + 500n)).to.deep.equal({ seconds: GRACE + 1n, since: 0n });
    const again = await reported(market);
    const tasks = await as(market, "tasks");
    await nextBlockAt(again + 200n);
    await expect(liveness.connect(tasks).noteAlive(node))
      .to.emit(liveness, "OfflineEnded")
      .withArgs(node, again, again + 200n, GRACE + 201n);
    expect(await liveness.connect(tasks).noteAlive.staticCall(node)).to.equal(GRACE + 201n);
  });

  it("is taken back by the committee: void while pending, ended once final", async () => {
    const market = await load(watched);
    const { liveness } = market;
    let since = await reported(market);
    await expect(send(market, members, { online: [node] }))
      .to.emit(liveness, "OfflineVoided")
      .withArgs(node, since);
    const { since: none, pendingUntil } = await liveness.recordOf(node);
    expect([none, pendingUntil]).to.deep.equal([0n, 0n]);
    await nextBlockAt(since + COOLDOWN);
    since = await reported(market);
    await nextBlockAt(since + 90n);
    await expect(send(market, members, { online: [node], issuedAt: since + 1n }))
      .to.emit(liveness, "OfflineEnded")
      .withArgs(node, since, since + 90n, 90);
    expect(await liveness.offlineSince(node)).to.equal(0);
  });

  it("comes once in a cooldown, for each node by itself", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const since = await reported(market);
    await liveness.connect(target.operator).stillAlive();
    await networkHelpers.mine(); // so that the next report is newer than the sign of life
    await nextBlockAt(since + COOLDOWN - 1n);
    await expect(
      send(market, members, {
        offline: ascending([...strangers(1), node]),
      }),
    )
      .to.emit(liveness, "OfflineReported")
      .withArgs(strangers(1)[0], since + COOLDOWN - 1n, since + COOLDOWN - 1n + GRACE);
    expect((await liveness.recordOf(node)).since).to.equal(0);
    await nextBlockAt(since + COOLDOWN);
    expect(await reported(market)).to.equal(since + COOLDOWN);
    expect((await liveness.recordOf(node)).since).to.equal(since + COOLDOWN);
  });

  it("keeps the grace that it was given", async () => {
    const market = await load(watched);
    const since = await reported(market);
    const rules = { ...market.parameters.liveness.initial, reportGrace: 600 };
    await market.liveness.connect(governor).setParameters(rules);
    expect(await at(market, since + GRACE + 1n)).to.deep.equal({ seconds: GRACE + 1n, since });
  });

  it("is final without a transaction; anyone may have it noted", async () => {
    const market = await load(watched);
    const { liveness } = market;
    await expect(liveness.finalise(node))
      .to.be.revertedWithCustomError(liveness, "NothingToFinalise")
      .withArgs(node, 0, 0);
    const since = await reported(market);
    await nextBlockAt(since + GRACE);
    await expect(liveness.finalise(node))
      .to.be.revertedWithCustomError(liveness, "NothingToFinalise")
      .withArgs(node, since, since + GRACE);
    await nextBlockAt(since + GRACE + 1n);
    await expect(liveness.connect(stranger).finalise(node))
      .to.emit(liveness, "OfflineFinalised")
      .withArgs(node, since);
    expect(await at(market, since + 200n)).to.deep.equal({ seconds: 200n, since });
    await expect(liveness.finalise(node))
      .to.be.revertedWithCustomError(liveness, "NothingToFinalise")
      .withArgs(node, since, 0);
    await send(market, members, { offline: [node] });
    expect(await at(market, since + 300n)).to.deep.equal({ seconds: 300n, since });
  });

  it("is answered by registered nodes that have not been revoked", async () => {
    const market = await load(watched);
    const { liveness } = market;
    await expect(liveness.connect(stranger).stillAlive())
      .to.be.revertedWithCustomError(liveness, "NodeNotInService")
      .withArgs(stranger.address, 0);
    const since = await reported(market);
    await market.nodes.connect(target.owner).revokeOperator(node);
    await expect(liveness.connect(target.operator).stillAlive())
      .to.be.revertedWithCustomError(liveness, "NodeNotInService")
      .withArgs(node, 3);
    expect((await at(market, since + 100n)).seconds).to.equal(100);
  });
});

describe("Rules 14, 23 and 26: what liveness cannot do", () => {
  it("says nothing without a committee: nobody is offline, and signs of life go through", async () => {
    const market = await load(patientMarket);
    const { liveness } = market;
    await addNode(market, target);
    await expect(send(market, [], { offline: [node] })).to.be.revertedWithCustomError(
      liveness,
      "QuorumNotReached",
    );
    const tasks = await as(market, "tasks");
    await liveness.connect(tasks).noteAlive(node);
    await liveness.connect(target.operator).stillAlive();
    expect(await at(market, (await now()) + 1000n)).to.deep.equal({ seconds: 0n, since: 0n });
    expect(await liveness.isQuorum(ethers.ZeroHash, [])).to.equal(false);
  });

  it("moves no token and no stake, whatever is reported", async () => {
    const market = await load(watched);
    const balance = await market.token.balanceOf(await market.escrow.getAddress());
    const before = [await market.nodes.stakeOf(node), await market.escrow.totals()];
    const since = await reported(market);
    await at(market, since + 10_000n);
    await market.liveness.connect(target.operator).stillAlive();
    expect([await market.nodes.stakeOf(node), await market.escrow.totals()]).to.deep.equal(before);
    expect(await market.token.balanceOf(await market.escrow.getAddress())).to.equal(balance);
  });

  it("has no power over a stake but to lock what is free and unlock it again", async () => {
    const market = await load(watched);
    const liveness = await as(market, "liveness");
    const nodes = market.nodes.connect(liveness);
    const none = { gpus: 0, vCpus: 0, memoryMiB: 0 };
    const refused = [
      nodes.slash(node, ethers.ZeroHash, 1, true, stranger.address),
      nodes.unlockStake(node, ethers.ZeroHash, 0),
      nodes.releaseCapacity(node, ethers.ZeroHash, none),
    ];
    for (const call of refused)
      await expect(call).to.be.revertedWithCustomError(market.nodes, "OnlyTaskRegistry");
    for (const call of ["stake", "unstake"] as const) {
      await expect(nodes[call](node, 1)).to.be.revertedWithCustomError(market.nodes, "NotOwner");
    }
    await expect(nodes.lockSeat(node, 1001n * DOLLAR)).to.be.revertedWithCustomError(
      market.nodes,
      "StakeNotFree",
    );
    await bid(market, target, 1000n * DOLLAR);
    expect((await market.nodes.stakeOf(node)).staked).to.equal(1000n * DOLLAR);
  });
});
