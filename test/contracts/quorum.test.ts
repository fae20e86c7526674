import { expect } from "chai";
import {
  DOLLAR,
  digest,
  ethers,
  type LeaseRef,
  loadFixture,
  type Market,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import { marketWithCommittee, report } from "./providers.ts";
import {
  commit,
  commitmentOf,
  earned,
  prepare,
  QUORUM,
  replicas,
  reveal,
  running,
  threeNodes,
  type Vote,
} from "./replicas.ts";

const { consumer, stranger } = people;
const quorumMarket = () => threeNodes();
const quorumMarketWithCommittee = () => threeNodes(marketWithCommittee);

/** The time in which evidence against a replica counts begins with its end. */
async function expectEndedNow(market: Market, refs: readonly LeaseRef[]): Promise<void> {
  for (const { leaseId } of refs)
    expect((await market.tasks.getLease(leaseId)).endedAt).to.equal(await now());
}

/** Three replicas reveal; one of them with this output, offline from `since` until it commits, 40 seconds later. */
async function revealedWithOneOffline(
  market: Market,
  output: string,
): Promise<{ ref: LeaseRef; since: bigint }> {
  const [first, ref, third] = (await running(market)) as [LeaseRef, LeaseRef, LeaseRef];
  const votes = [await commit(market, first, 0, "same"), await commit(market, third, 2, "same")];
  const { since } = await report(market, replicas[1]?.address ?? "");
  const { startedAt } = await market.tasks.getLease(ref.leaseId);
  const late = await prepare(market, ref, 1, output, since + 40n - startedAt);
  await nextBlockAt(since + 40n);
  await late.send();
  for (const vote of [...votes, late.vote]) await reveal(market, vote);
  return { ref, since };
}

describe("A quorum of replicas (rule 21)", () => {
  it("needs more than half of its replicas, and no failover", async () => {
    const market = await loadFixture(quorumMarket);
    for (const threshold of [0, 1, 4]) {
      await expect(market.award({ leases: 3, threshold, verification: QUORUM }, replicas))
        .to.be.revertedWithCustomError(market.tasks, "ThresholdOutOfRange")
        .withArgs(threshold, 3);
    }
    await expect(market.award({ leases: 2, threshold: 1, verification: QUORUM }, replicas.slice(0, 2)))
      .to.be.revertedWithCustomError(market.tasks, "ThresholdOutOfRange")
      .withArgs(1, 2);
    await expect(market.award({ leases: 3, threshold: 2, maxAttempts: 2, verification: QUORUM }, replicas))
      .to.be.revertedWithCustomError(market.tasks, "AttemptsOutOfRange")
      .withArgs(2, 1);
    await expect(market.award({ leases: 3, threshold: 2 }, replicas))
      .to.be.revertedWithCustomError(market.tasks, "ThresholdWithoutQuorum")
      .withArgs(2);
    await expect(market.createTask({ threshold: 1, verification: QUORUM })).to.be.revertedWithCustomError(
      market.tasks,
      "UnsupportedVerification",
    );
  });

  it("is opted in to by the node's own quote (rule 8)", async () => {
    const market = await loadFixture(quorumMarket);
    const order = await market.order({ leases: 1, threshold: 1, verification: QUORUM });
    const { quote, signature } = await market.quote(order, 0, { verification: 0 });
    await expect(market.tasks.connect(consumer).createAndAward(order, [quote], [signature], []))
      .to.be.revertedWithCustomError(market.tasks, "WrongVerification")
      .withArgs(0, 0, QUORUM);
  });

  it("pays those that agree after the window, and nothing to the minority, whose lock stays whole", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const start = await now();
    await nextBlockAt(start + 100n);
    const votes = [];
    for (const [index, output] of ["same", "same", "other"].entries()) {
      votes.push(await commit(market, refs[index] as LeaseRef, index, output));
    }
    for (const vote of votes) {
      await reveal(market, vote);
      const { attestationDigest } = await market.tasks.getLease(vote.ref.leaseId);
      expect(attestationDigest).to.equal(await market.structHashOf(vote.attestation));
    }
    const { taskId } = refs[0] as LeaseRef;
    await market.tasks.connect(stranger).tallyResults(taskId);
    expect(await Promise.all(refs.map((ref) => market.statusOf(ref)))).to.deep.equal([
      "Completed",
      "Completed",
      "Failed",
    ]);
    const { deadline } = await market.tasks.getLease(refs[0]?.leaseId ?? "");
    expect(deadline).to.equal((await now()) + BigInt(market.terms.challengeWindow));
    await expectEndedNow(market, refs);
    const [, locked] = await market.nodes.stakeOf(replicas[2]?.address ?? "");
    const [staked] = await market.nodes.stakeOf(replicas[2]?.address ?? "");
    expect(locked).to.equal(0n);
    expect(staked).to.equal(1000n * DOLLAR);
    for (const ref of refs.slice(0, 2)) await market.tasks.connect(consumer).approve(ref.leaseId);
    expect(await earned(market, 0)).to.be.greaterThan(0n);
    expect(await earned(market, 1)).to.be.greaterThan(0n);
    expect(await earned(market, 2)).to.equal(0n);
    expect((await market.escrow.reservedFor(taskId)).amount).to.equal(0n);
  });

  it("pays each that revealed a part where no k are alike, and gives the rest back", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const votes = [];
    for (const [index, output] of ["one", "two", "three"].entries()) {
      votes.push(await commit(market, refs[index] as LeaseRef, index, output));
    }
    for (const vote of votes) await reveal(market, vote);
    await market.tasks.tallyResults(refs[0]?.taskId ?? "");
    await expectEndedNow(market, refs);
    for (const [index, ref] of refs.entries()) {
      const lease = await market.tasks.getLease(ref.leaseId);
      const gross = (5n * DOLLAR * lease.billedSeconds) / 3600n; // half of ten dollars an hour
      expect(await earned(market, index)).to.equal(gross - gross / 100n);
      expect(await market.statusOf(ref)).to.equal("Settled");
    }
    expect(await market.escrow.reservedOf(consumer.address)).to.equal(0n);
  });

  it("pays a replica for no second in which it was offline (rule 14)", async () => {
    const market = await loadFixture(quorumMarketWithCommittee);
    const { ref, since } = await revealedWithOneOffline(market, "same");
    const { billedSeconds, downSeconds, startedAt } = await market.tasks.getLease(ref.leaseId);
    expect([billedSeconds, downSeconds]).to.deep.equal([since - startedAt, 40n]);
  });

  it("keeps neither paid nor offline seconds of a replica in the minority", async () => {
    const market = await loadFixture(quorumMarketWithCommittee);
    const { ref } = await revealedWithOneOffline(market, "other");
    expect((await market.tasks.getLease(ref.leaseId)).downSeconds).to.equal(40n);
    await market.tasks.tallyResults(ref.taskId);
    const { status, billedSeconds, downSeconds } = await market.tasks.getLease(ref.leaseId);
    expect([status, billedSeconds, downSeconds]).to.deep.equal([8n, 0n, 0n]);
  });

  it("slashes who committed and does not reveal, and nobody else (rule 3)", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const votes = [];
    for (const index of refs.keys()) votes.push(await commit(market, refs[index] as LeaseRef, index, "same"));
    for (const vote of votes.slice(0, 2)) await reveal(market, vote);
    const { taskId } = refs[0] as LeaseRef;
    const { revealUntil } = await market.tasks.getBallot(taskId);
    await nextBlockAt(revealUntil);
    await expect(market.tasks.tallyResults(taskId)).to.be.revertedWithCustomError(
      market.tasks,
      "DeadlineNotPassed",
    );
    const { lock } = await market.tasks.getLease(refs[2]?.leaseId ?? "");
    const free = await market.escrow.freeOf(stranger.address);
    await nextBlockAt(revealUntil + 1n);
    await market.tasks.connect(stranger).tallyResults(taskId);
    const staked = async (index: number) => (await market.nodes.stakeOf(replicas[index]?.address ?? ""))[0];
    expect(await staked(2)).to.equal(1000n * DOLLAR - lock);
    expect(await staked(0)).to.equal(1000n * DOLLAR);
    expect(await staked(1)).to.equal(1000n * DOLLAR);
    expect((await market.escrow.freeOf(stranger.address)) - free).to.equal(lock / 5n);
    await expect(market.tasks.tallyResults(taskId)).to.be.revertedWithCustomError(market.tasks, "TaskIsOver");
  });

  it("reveals nothing before every replica has committed or is lost, which counts against n", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const votes = [
      await commit(market, refs[0] as LeaseRef, 0, "same"),
      await commit(market, refs[1] as LeaseRef, 1, "same"),
    ];
    const { taskId } = refs[0] as LeaseRef;
    await expect(reveal(market, votes[0] as Vote))
      .to.be.revertedWithCustomError(market.tasks, "StillCommitting")
      .withArgs(taskId, 1);
    await expect(market.tasks.tallyResults(taskId)).to.be.revertedWithCustomError(
      market.tasks,
      "StillCommitting",
    );
    await market.tasks.connect(replicas[2]).failLease(refs[2]?.leaseId ?? "", 1, digest("broken"));
    for (const vote of votes) await reveal(market, vote);
    await market.tasks.tallyResults(taskId);
    expect(await market.statusOf(refs[0] as LeaseRef)).to.equal("Completed");
    expect(await market.statusOf(refs[2] as LeaseRef)).to.equal("Failed");
  });

  it("takes only what was committed to: no copied, changed or foreign result", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const votes = [];
    for (const index of refs.keys()) votes.push(await commit(market, refs[index] as LeaseRef, index, "same"));
    const [vote] = votes as [Vote];
    const changed = { ...vote.attestation, outputDigest: digest("better") };
    const resigned = await market.sign(changed, replicas[0]);
    await expect(market.tasks.revealResult(changed, resigned, vote.salt)).to.be.revertedWithCustomError(
      market.tasks,
      "WrongCommitment",
    );
    await expect(
      market.tasks.revealResult(vote.attestation, vote.signature, digest("other salt")),
    ).to.be.revertedWithCustomError(market.tasks, "WrongCommitment");
    const foreign = await market.sign(vote.attestation, replicas[1]);
    await expect(
      market.tasks.revealResult(vote.attestation, foreign, vote.salt),
    ).to.be.revertedWithCustomError(market.tasks, "WrongSigner");
    await expect(
      market.tasks.connect(stranger).commitResult(vote.ref.leaseId, 1, digest("commitment")),
    ).to.be.revertedWithCustomError(market.tasks, "NotOperator");
    await reveal(market, vote);
    await expect(reveal(market, vote)).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
  });

  it("cannot be completed past the vote, nor cancelled once a replica has committed", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const [first] = refs as [LeaseRef];
    await expect(market.complete(first)).to.be.revertedWithCustomError(market.tasks, "CommitFirst");
    await expect(
      market.tasks.connect(replicas[0]).commitResult(first.leaseId, 1, ethers.ZeroHash),
    ).to.be.revertedWithCustomError(market.tasks, "CommitmentMissing");
    const alone = await market.award({ gpus: 0 });
    await expect(
      market.tasks.connect(replicas[0]).commitResult(alone.leaseId, 1, digest("commitment")),
    ).to.be.revertedWithCustomError(market.tasks, "WrongStatus");
    await commit(market, first, 0, "same");
    await expect(market.tasks.connect(consumer).cancelTask(first.taskId))
      .to.be.revertedWithCustomError(market.tasks, "TaskIsOver")
      .withArgs(first.taskId);
  });

  it("is cancelled as a whole before: each is paid to the cancel on its own attestation (rule 18)", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const start = await now();
    await nextBlockAt(start + 360n);
    await market.tasks.connect(consumer).cancelTask(refs[0]?.taskId ?? "");
    for (const [index, ref] of refs.entries()) {
      const attestation = await market.attestation(ref);
      await market.tasks.completeLease(attestation, await market.sign(attestation, replicas[index]));
      await market.tasks.connect(consumer).approve(ref.leaseId);
      expect(await earned(market, index)).to.be.greaterThan((10n * DOLLAR * 350n * 99n) / 360_000n);
    }
    expect(await market.escrow.reservedOf(consumer.address)).to.equal(0n);
  });

  it("takes commitments of replicas alone", async () => {
    const market = await loadFixture(quorumMarket);
    const ref = await market.leaseIn("Running");
    const call = market.tasks.connect(people.operator).commitResult(ref.leaseId, 1, digest("commitment"));
    await expect(call)
      .to.be.revertedWithCustomError(market.tasks, "WrongStatus")
      .withArgs(ref.leaseId, (await market.tasks.getLease(ref.leaseId)).status);
  });

  it("is cancelled once, with all that has not started", async () => {
    const market = await loadFixture(quorumMarket);
    const order = { leases: 3, threshold: 2, verification: QUORUM, fundedSeconds: 3000 };
    const { taskId, leaseIds } = await market.award(order, replicas);
    await market.tasks.connect(replicas[0]).startLease(leaseIds[0] ?? "", 1);
    await market.tasks.connect(consumer).cancelTask(taskId);
    const statuses = leaseIds.map((leaseId) => market.statusOf({ taskId, leaseId }));
    expect(await Promise.all(statuses)).to.deep.equal(["Stopping", "Cancelled", "Cancelled"]);
    await expect(market.tasks.connect(consumer).cancelTask(taskId))
      .to.be.revertedWithCustomError(market.tasks, "TaskIsOver")
      .withArgs(taskId);
  });

  it("holds the promise of the result from the commitment, however long others take, and no second less", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    const { challengeWindow, minRetention } = market.terms;
    const votes: Vote[] = [];
    for (const [index, ref] of refs.slice(0, 2).entries()) {
      const at = (await now()) + 2n;
      const retainUntil = at + BigInt(challengeWindow + minRetention - index);
      const attestation = await market.attestation(ref, { outputDigest: digest("same"), retainUntil });
      const salt = digest("salt");
      const signature = await market.sign(attestation, replicas[index]);
      const vote = { ref, attestation, signature, salt };
      const commitment = await commitmentOf(market, vote, replicas[index]?.address ?? "");
      await nextBlockAt(at);
      await market.tasks.connect(replicas[index]).commitResult(ref.leaseId, 1, commitment);
      votes.push(vote);
    }
    await nextBlockAt((await now()) + 3000n);
    await commit(market, refs[2] as LeaseRef, 2, "same");
    const [kept, short] = votes as [Vote, Vote];
    await reveal(market, kept);
    const { retainUntil } = short.attestation;
    await expect(reveal(market, short))
      .to.be.revertedWithCustomError(market.tasks, "RetentionTooShort")
      .withArgs(retainUntil, retainUntil + 1n);
  });
});
