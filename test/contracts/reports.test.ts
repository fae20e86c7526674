import { expect } from "chai";
import {
  addNode,
  as,
  ascending,
  attester,
  attesters,
  livenessDomain,
  load,
  patientMarket,
  type ReportInput,
  report,
  reportTypes,
  rotate,
  seat,
  send,
  signatures,
  strangers,
  times,
} from "./committee.ts";
import { ethers, isInstrumented, type Market, nextBlockAt, now, people } from "./market.ts";
import { at, members, node, reported, target, watched } from "./watched.ts";

const { stranger } = people;
const GRACE = BigInt(times.reportGrace);
const COOLDOWN = BigInt(times.reportCooldown);
const LIFE = BigInt(times.reportLife);

async function wholeCommittee(): Promise<Market> {
  const market = await patientMarket();
  await seat(market, attesters(16));
  return market;
}

describe("Rule 24: a report", () => {
  it("is bound to its epoch and committee", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const { epoch, committeeVersion } = await liveness.committee();
    for (const other of [epoch - 1n, epoch + 1n]) {
      await expect(send(market, members, { epoch: other }))
        .to.be.revertedWithCustomError(liveness, "WrongEpoch")
        .withArgs(other, epoch);
    }
    for (const other of [committeeVersion - 1n, committeeVersion + 1n]) {
      await expect(send(market, members, { committeeVersion: other }))
        .to.be.revertedWithCustomError(liveness, "WrongCommittee")
        .withArgs(other, committeeVersion);
    }
  });

  it("of a committee that has been replaced counts no more", async () => {
    const market = await load(watched);
    const old = await report(market, { offline: [node] });
    const signed = await signatures(market, old, members);
    await rotate(market);
    await expect(market.liveness.report(old, signed)).to.be.revertedWithCustomError(
      market.liveness,
      "WrongEpoch",
    );
  });

  it("is bound to its chain and contract", async () => {
    const market = await load(watched);
    const { chainId } = await ethers.provider.getNetwork();
    const input = await report(market, { offline: [node] });
    const others = [
      { chainId: chainId + 1n },
      { verifyingContract: await market.tasks.getAddress() },
      { name: "Dekuper NodeRegistry" },
      { version: "2" },
    ];
    for (const other of others) {
      const signed = await signatures(market, input, members, other);
      await expect(market.liveness.report(input, signed)).to.be.revert(ethers);
    }
    expect(await market.liveness.reportHash(input)).to.equal(
      ethers.TypedDataEncoder.hash(await livenessDomain(market), reportTypes, input),
    );
    expect(await market.liveness.domainSeparator()).to.equal(
      ethers.TypedDataEncoder.hashDomain(await livenessDomain(market)),
    );
  });

  it("covers its lists and its time", async () => {
    const market = await load(watched);
    const input = await report(market, { offline: [node] });
    const signed = await signatures(market, input, members);
    for (const changed of [
      { offline: strangers(1) },
      { online: strangers(1) },
      { offline: [], online: [node] },
      { issuedAt: input.issuedAt - 1n },
    ]) {
      expect(
        await market.liveness.isQuorum(await market.liveness.reportHash({ ...input, ...changed }), signed),
      ).to.equal(false);
    }
  });

  it("takes signatures of seats only, strictly ascending", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const input = await report(market, { offline: [node] });
    const signed = await signatures(market, input, members);
    const sorted = (await liveness.seats()) as string[];
    await expect(liveness.report(input, signed.toReversed()))
      .to.be.revertedWithCustomError(liveness, "SignersNotAscending")
      .withArgs(sorted[3], sorted[2]);
    await expect(liveness.report(input, [signed[0], signed[1], signed[1], signed[2]] as string[]))
      .to.be.revertedWithCustomError(liveness, "SignersNotAscending")
      .withArgs(sorted[1], sorted[1]);
    await expect(liveness.report(input, [...signed.slice(0, 3), "0x1234"]))
      .to.be.revertedWithCustomError(liveness, "SignersNotAscending")
      .withArgs(sorted[2], ethers.ZeroAddress);
    await expect(liveness.report(input, await signatures(market, input, [...members.slice(0, 2), target])))
      .to.be.revertedWithCustomError(liveness, "NotASeat")
      .withArgs(node);
    const asOwners = members.map(({ owner }) => ({ owner, operator: owner }));
    await expect(
      liveness.report(input, await signatures(market, input, asOwners)),
    ).to.be.revertedWithCustomError(liveness, "NotASeat");
    expect((await liveness.recordOf(node)).since).to.equal(0);
  });

  it("is no older than reportLife, and never of the future", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const issuedAt = await now();
    const input = await report(market, { offline: [node], issuedAt });
    const signed = await signatures(market, input, members);
    const future = { ...input, issuedAt: issuedAt + 2n };
    await nextBlockAt(issuedAt + 1n);
    await expect(liveness.report(future, await signatures(market, future, members)))
      .to.be.revertedWithCustomError(liveness, "ReportFromFuture")
      .withArgs(issuedAt + 2n, issuedAt + 1n);
    await nextBlockAt(issuedAt + LIFE + 1n);
    await expect(liveness.report(input, signed))
      .to.be.revertedWithCustomError(liveness, "ReportTooOld")
      .withArgs(issuedAt + LIFE, issuedAt + LIFE + 1n);
  });

  it("at the end of its life is taken", async () => {
    const market = await load(watched);
    const input = await report(market, { offline: [node] });
    const signed = await signatures(market, input, members);
    await nextBlockAt(input.issuedAt + LIFE);
    await expect(market.liveness.report(input, signed))
      .to.emit(market.liveness, "ReportAccepted")
      .withArgs(input.epoch, input.committeeVersion, input.issuedAt, 1, people.deployer.address);
  });

  it("counts the nodes that it changed, of those that are back too", async () => {
    const market = await load(watched);
    const { liveness } = market;
    await send(market, members, { offline: [node] });
    const back = await report(market, { online: ascending([...strangers(2), node]) });
    await expect(liveness.report(back, await signatures(market, back, members)))
      .to.emit(liveness, "ReportAccepted")
      .withArgs(back.epoch, back.committeeVersion, back.issuedAt, 1, people.deployer.address);
  });

  it("of a minority does nothing, however it is put together", async () => {
    const market = await load(wholeCommittee);
    const { liveness } = market;
    const minority = attesters(10);
    const input = await report(market, { offline: [node] });
    const signed = await signatures(market, input, minority);
    const tries: [string[], string][] = [
      [signed, "QuorumNotReached"],
      [[...signed, signed[9] as string], "SignersNotAscending"],
      [[signed[0] as string, ...signed], "SignersNotAscending"],
      [["0x", ...signed], "SignersNotAscending"],
      [await signatures(market, input, [...minority, attester(16)]), "NotASeat"],
    ];
    for (const [attempt, error] of tries) {
      await expect(liveness.report(input, attempt)).to.be.revertedWithCustomError(liveness, error);
    }
    expect((await liveness.recordOf(node)).reportedAt).to.equal(0);
    // Nor does a minority of five that keeps silent stop the others.
    await send(market, attesters(11, 5), { offline: [node] });
    expect((await liveness.recordOf(node)).since).to.equal(await now());
  });
});

describe("Rule 25: the lists of a report", () => {
  it("are strictly ascending", async () => {
    const market = await load(watched);
    const [low, high] = strangers(2) as [string, string];
    const wrong: [string[], string, string][] = [
      [[high, low], high, low],
      [[low, low], low, low],
      [[ethers.ZeroAddress], ethers.ZeroAddress, ethers.ZeroAddress],
    ];
    for (const [list, previous, next] of wrong) {
      for (const which of ["offline", "online"]) {
        await expect(send(market, members, { [which]: list }))
          .to.be.revertedWithCustomError(market.liveness, "ListNotAscending")
          .withArgs(previous, next);
      }
    }
  });

  it("hold at most 64 nodes together", async () => {
    const market = await load(watched);
    for (const [offline, online] of [
      [65, 0],
      [0, 65],
      [32, 33],
    ] as const) {
      await expect(send(market, members, { offline: strangers(offline), online: strangers(online, 100) }))
        .to.be.revertedWithCustomError(market.liveness, "TooManyChanges")
        .withArgs(65, 64);
    }
    await expect(send(market, members, { offline: strangers(64) })).to.emit(
      market.liveness,
      "ReportAccepted",
    );
  });

  it("skip what is already so, at no cost to its cooldown", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const since = await reported(market);
    await send(market, members, { offline: [node], online: strangers(1) });
    const record = await liveness.recordOf(node);
    expect([record.since, record.pendingUntil, record.reportedAt]).to.deep.equal([
      since,
      since + GRACE,
      since,
    ]);
    expect((await liveness.recordOf(strangers(1)[0] as string)).knownAt).to.equal(0);
    await nextBlockAt(since + COOLDOWN - 1n);
    await send(market, members, { offline: [node] }); // final by now, and so still already so
    expect(await liveness.offlineSince(node)).to.equal(since);
    await liveness.connect(target.operator).stillAlive();
    await nextBlockAt(since + COOLDOWN + 30n);
    await reported(market, { issuedAt: since + COOLDOWN + 30n });
    expect((await liveness.recordOf(node)).since).to.equal(since + COOLDOWN + 30n);
  });

  it("take a node as offline that is in both", async () => {
    const market = await load(watched);
    await expect(send(market, members, { offline: [node], online: [node] })).not.to.emit(
      market.liveness,
      "OfflineVoided",
    );
    expect((await market.liveness.recordOf(node)).since).to.equal(await now());
  });

  it("may be empty: that shows the signers' seats", async () => {
    const market = await load(watched);
    const { epoch } = await market.liveness.committee();
    await expect(send(market, members.slice(0, 3))).to.emit(market.liveness, "ReportAccepted");
    for (const [index, { operator }] of members.entries()) {
      const { seenIn } = await market.liveness.candidateOf(operator.address);
      expect(seenIn).to.equal(index < 3 ? epoch : epoch - 1n);
    }
  });

  it("cost the same for each change, and nothing for the nodes that they do not name", async () => {
    const market = await load(wholeCommittee);
    const signers = attesters(11);
    await send(market, signers); // the seats are shown
    const gasOf = async (changes: Partial<ReportInput>) =>
      Number((await (await send(market, signers, changes)).wait())?.gasUsed);
    const few = await gasOf({ offline: strangers(16) });
    const none = await gasOf({});
    const some = await gasOf({ offline: strangers(32, 100) });
    const many = await gasOf({ offline: strangers(64, 200) });
    const again = await gasOf({ online: strangers(64, 200) });
    const each = (many - none) / 64;
    for (const [count, gas] of [
      [16, few],
      [32, some],
    ] as const) {
      expect((gas - none) / count).to.be.within(each * 0.95, each * 1.05);
    }
    if (!isInstrumented) {
      expect(each).to.be.below(27_000); // a node's first report writes a fresh slot
      expect((again - none) / 64).to.be.below(10_000);
    }
    for (const member of attesters(24, 30)) await addNode(market, member);
    expect(await gasOf({})).to.be.within(none - 500, none + 500);
  });
});

describe("Rules 25 and 33: old evidence", () => {
  it("does nothing when it is sent again after the node has answered", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const input = await report(market, { offline: [node] });
    const signed = await signatures(market, input, members);
    await liveness.report(input, signed);
    await liveness.connect(target.operator).stillAlive();
    await nextBlockAt(input.issuedAt + LIFE); // past the cooldown
    await expect(liveness.connect(stranger).report(input, signed))
      .to.emit(liveness, "ReportAccepted")
      .withArgs(input.epoch, input.committeeVersion, input.issuedAt, 0, stranger.address);
    expect((await liveness.recordOf(node)).since).to.equal(0);
  });

  it("does nothing when it is sent again after a later report", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const off = await report(market, { offline: [node] });
    const offSigned = await signatures(market, off, members);
    await liveness.report(off, offSigned);
    const on = await report(market, { online: [node] });
    const onSigned = await signatures(market, on, members);
    await liveness.report(on, onSigned);
    await nextBlockAt(off.issuedAt + LIFE - 20n);
    await liveness.report(off, offSigned);
    expect((await liveness.recordOf(node)).since).to.equal(0);
    const since = await reported(market);
    await liveness.report(on, onSigned);
    expect((await liveness.recordOf(node)).since).to.equal(since);
  });

  it("does nothing when it is held back until the node has acted", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const input = await report(market, { offline: [node] });
    const signed = await signatures(market, input, members);
    await liveness.connect(await as(market, "tasks")).noteAlive(node);
    const acted = await now();
    await liveness.report(input, signed);
    expect((await liveness.recordOf(node)).since).to.equal(0);
    await reported(market, { issuedAt: acted }); // as of the block in which it acted
    expect((await liveness.recordOf(node)).since).to.equal(0);
    await at(market, (await now()) + 1n);
    await reported(market);
    expect((await liveness.recordOf(node)).since).to.equal(await now());
  });

  it("does nothing when it arrives behind what it preceded", async () => {
    const market = await load(watched);
    const { liveness } = market;
    const off = await report(market, { offline: [node], issuedAt: (await now()) - 1n });
    const on = await report(market, { online: [node] });
    await reported(market, { issuedAt: off.issuedAt - 1n });
    await liveness.report(on, await signatures(market, on, members));
    await nextBlockAt(on.issuedAt + LIFE - 1n);
    await liveness.report(off, await signatures(market, off, members));
    expect((await liveness.recordOf(node)).since).to.equal(0);
  });
});
