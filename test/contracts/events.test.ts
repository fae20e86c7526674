/** What each transaction says of itself: all its events in their order, from which statements and timelines are made (rule 16). */
import { expect } from "chai";
import type { Interface, TransactionResponse } from "ethers";
import { attesters, claimed, receipt, verdicts, withCommittee } from "./claims.ts";
import {
  account,
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
  statuses,
} from "./market.ts";
import { first, marketWithProviders, member, second } from "./providers.ts";
import { commit, prepare, replicas, reveal, running, threeNodes } from "./replicas.ts";

const { consumer, owner, operator, stranger } = people;

interface Names {
  /** What addresses and words of 32 bytes are called here. */
  readonly known: Readonly<Record<string, string>>;
  /** Times are counted from here, Unix seconds. */
  readonly from: bigint;
}

/** The events of a transaction, `Contract.Name field value, ...`; money in dollars, times as `+seconds`. */
async function said(
  market: Market,
  { known, from }: Names,
  sent: Promise<TransactionResponse>,
): Promise<string[]> {
  const contracts = {
    escrow: market.escrow,
    nodes: market.nodes,
    tasks: market.tasks,
    liveness: market.liveness,
  };
  const byAddress = new Map<string, [string, Interface]>();
  for (const [name, contract] of Object.entries(contracts))
    byAddress.set(await contract.getAddress(), [name, contract.interface as unknown as Interface]);
  const word = (name: string, value: unknown): string => {
    if (typeof value === "object") return "{…}";
    const text = String(value);
    if (known[text] !== undefined) return known[text];
    if (/^0x[0-9a-f]{130}$/.test(text)) return "signature";
    if (/^0x[0-9a-f]{64}$/.test(text)) return name === "reason" ? ethers.decodeBytes32String(text) : "digest";
    if (/^(from|to)$/.test(name) && typeof value === "bigint") return statuses[Number(value)] ?? text;
    if (typeof value !== "bigint") return text;
    if (/amount|gross|fee|reward|burned|reserved|ratePerHour|slashed/i.test(name))
      return `${ethers.formatUnits(value, 6)}$`;
    return value > 1_000_000_000n && value < 10_000_000_000n ? `+${value - from}` : text;
  };
  const mined = await (await sent).wait();
  return (mined?.logs ?? []).flatMap((log) => {
    const [name, abi] = byAddress.get(log.address) ?? [];
    const event = abi?.parseLog(log);
    if (event === undefined || event === null) return [];
    const values = event.fragment.inputs.map((input, index) => word(input.name, event.args[index]));
    return [`${name}.${event.name} ${values.join(" ")}`];
  });
}

function names(refs: readonly { taskId: string; leaseId: string }[], others: Record<string, string> = {}) {
  return {
    ...Object.fromEntries(refs.map(({ taskId }) => [taskId, "task"])),
    ...Object.fromEntries(
      refs.map(({ leaseId }, index) => [leaseId, refs.length > 1 ? `lease${index}` : "lease"]),
    ),
    [operator.address]: "node",
    [owner.address]: "owner",
    [consumer.address]: "consumer",
    [stranger.address]: "stranger",
    [ethers.ZeroAddress]: "nobody",
    [digest("spec")]: "spec",
    ...others,
  };
}

const committeeMarket = () => withCommittee();
const quorumMarket = () => threeNodes();

type Step = readonly [what: string, send: () => Promise<TransactionResponse>];

/** A story's events, each with the step that it belongs to. */
async function told(
  market: Market,
  known: Record<string, string>,
  steps: readonly Step[],
): Promise<string[]> {
  const all = { known, from: await now() };
  const lines: string[] = [];
  for (const [index, [what, send]] of steps.entries()) {
    await nextBlockAt(all.from + BigInt(index + 1) * 10n);
    for (const line of await said(market, all, send())) lines.push(`${what}: ${line}`);
  }
  return lines;
}

describe("What transactions say (rule 16)", () => {
  it("of a lease from the deposit to its pay", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const taskId = await market.nextTaskId(order, consumer.address);
    const leaseId = await market.tasks.leaseIdOf(taskId, 0);
    const ref = { taskId, leaseId };
    const { tasks, escrow, nodes } = market;
    const asNode = tasks.connect(operator);
    await market.token.mint(consumer.address, 50n * DOLLAR);
    await market.token.connect(consumer).approve(await escrow.getAddress(), 50n * DOLLAR);
    const known = names([ref], { [digest("step 7")]: "step 7" });
    const lines = await told(market, known, [
      ["deposit", () => escrow.connect(consumer).deposit(50n * DOLLAR)],
      ["order", () => tasks.connect(consumer).createTask(order)],
      ["accept", () => asNode.acceptTask(taskId)],
      ["start", () => asNode.startLease(leaseId, 1)],
      ["checkpoint", () => asNode.checkpoint(leaseId, 1, 7, digest("step 7"))],
      ["complete", () => market.complete(ref)],
      ["approve", () => tasks.connect(consumer).approve(leaseId)],
      ["earn", () => escrow.connect(owner).withdrawEarnings(owner.address, 1n)],
      ["withdraw", () => escrow.connect(consumer).withdraw(consumer.address, DOLLAR)],
      ["unstake", () => nodes.connect(owner).unstake(operator.address, 100n * DOLLAR)],
    ]);
    expect(lines).to.deep.equal([
      "deposit: escrow.Deposited consumer consumer 50.0$",
      "order: tasks.TaskCreated task consumer {…} 0",
      "order: escrow.Reserved consumer task 10.0$",
      "accept: tasks.LeaseAssigned lease task node 1 10.0$ +930 true",
      "accept: nodes.CapacityTaken node lease {…}",
      "accept: nodes.StakeLocked node lease 10.0$",
      "start: tasks.LeaseStarted lease node 1 +40",
      "checkpoint: tasks.CheckpointClaimed lease node 1 7 step 7",
      "complete: tasks.LeaseCompleted lease task node {…} signature 10 0 +80",
      "complete: nodes.CapacityReleased node lease {…}",
      "approve: escrow.Paid lease consumer owner task 1 10 0 10.0$ 0.027777$ 0.000277$",
      "approve: escrow.Released consumer task 9.972223$",
      "approve: nodes.StakeUnlocked node lease 10.0$",
      "approve: tasks.LeaseSettled lease task node 10 0.027777$",
      "earn: escrow.EarningsWithdrawn owner owner 0.000001$",
      "withdraw: escrow.Withdrawn consumer consumer 1.0$",
      "unstake: nodes.UnbondingStarted node 100.0$ +604900",
    ]);
  });

  it("of a lease that is given up, and of one that is cancelled", async () => {
    const market = await loadFixture(busyLocalMarket);
    const lost = await market.leaseIn("Assigned");
    const cancelled = await market.leaseIn("Running");
    const known = { ...names([lost, cancelled]), [lost.taskId]: "task0", [cancelled.taskId]: "task1" };
    const lines = await told(market, known, [
      [
        "fail",
        () => market.tasks.connect(operator).failLease(lost.leaseId, 1, ethers.encodeBytes32String("disk")),
      ],
      ["cancel", () => market.tasks.connect(consumer).cancelTask(cancelled.taskId)],
    ]);
    expect(lines).to.deep.equal([
      "fail: tasks.LeaseFailed lease0 task0 node 1 disk",
      "fail: escrow.Released consumer task0 10.0$",
      "fail: nodes.CapacityReleased node lease0 {…}",
      "fail: nodes.StakeUnlocked node lease0 10.0$",
      "fail: tasks.LeaseEnded lease0 task0 node Assigned Failed 0 0.0$",
      "cancel: tasks.LeaseStopping lease1 node +20",
    ]);
  });

  it("of claims: one that lapses, one that a receipt answers, and the attesters' two verdicts", async () => {
    const market = await loadFixture(committeeMarket);
    const { tasks } = market;
    const outcome = async (send: (ref: LeaseRef) => Promise<TransactionResponse>) => {
      const ref = await claimed(market);
      return said(market, { known: names([ref]), from: await now() }, send(ref));
    };
    const fresh = await market.leaseIn("Completed");
    const claim = () => tasks.connect(consumer).claimUndelivered(fresh.leaseId);
    expect(await told(market, names([fresh]), [["claim", claim]])).to.deep.equal([
      "claim: tasks.UndeliveredClaimed lease task node 1 digest 1000000 +40",
      "claim: escrow.BondPosted consumer lease 1.0$",
    ]);
    const byReceipt = async ({ taskId, leaseId }: LeaseRef) =>
      tasks.answerWithReceipt(leaseId, await receipt(market, { taskId, leaseId }));
    expect(await outcome(byReceipt)).to.deep.equal([
      "tasks.DeliveryJudged lease node true",
      "escrow.BondAwarded owner lease 1.0$",
    ]);
    const judged = (fetched: boolean) => async (ref: LeaseRef) =>
      tasks.answerWithAttesters(ref.leaseId, fetched, await verdicts(market, ref, fetched, attesters));
    expect(await outcome(judged(true))).to.deep.equal([
      "tasks.DeliveryJudged lease node true",
      "escrow.BondAwarded owner lease 1.0$",
    ]);
    expect(await outcome(judged(false))).to.deep.equal([
      "escrow.BondReturned consumer lease 1.0$",
      "escrow.Released consumer task 8.333334$",
      "nodes.StakeUnlocked node lease 10.0$",
      "tasks.DeliveryJudged lease node false",
      "tasks.LeaseEnded lease task node Disputed Failed 0 0.0$",
    ]);
    const lapsed = async ({ leaseId }: LeaseRef) => {
      await nextBlockAt((await tasks.getClaim(leaseId)).answerUntil + 1n);
      return tasks.lapseClaim(leaseId);
    };
    expect(await outcome(lapsed)).to.deep.equal([
      "tasks.ClaimLapsed lease node",
      "escrow.BondReturned consumer lease 1.0$",
    ]);
  });

  it("of a quorum in which two agree and one does not open its result", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    await nextBlockAt((await now()) + 60n);
    const [first, second] = [
      await commit(market, refs[0] as LeaseRef, 0, "same", 36n),
      await commit(market, refs[1] as LeaseRef, 1, "same", 36n),
    ];
    const { send } = await prepare(market, refs[2] as LeaseRef, 2, "same", 36n);
    const known = names(refs, { [digest("same")]: "same" });
    for (const [index, { address }] of replicas.entries()) known[address] = `node${index}`;
    const { taskId } = refs[0] as LeaseRef;
    const lines = await told(market, known, [
      ["commit", send],
      ["reveal", () => reveal(market, first)],
      ["reveal", () => reveal(market, second)],
    ]);
    const { revealUntil } = await market.tasks.getBallot(taskId);
    await nextBlockAt(revealUntil + 1n);
    const counted = await said(
      market,
      { known, from: revealUntil },
      market.tasks.connect(stranger).tallyResults(taskId),
    );
    expect(lines).to.deep.equal([
      "commit: tasks.ResultCommitted lease2 task node2 1 digest",
      "commit: tasks.RevealOpened task 3 +40",
      "commit: nodes.CapacityReleased node2 lease2 {…}",
      "reveal: tasks.ResultRevealed lease0 task node0 {…} signature 1",
      "reveal: tasks.ResultRevealed lease1 task node1 {…} signature 2",
    ]);
    expect(counted).to.deep.equal([
      "tasks.ResultsTallied task digest 3 2",
      "tasks.ReplicaAgreed lease0 task node0 36 0 +21",
      "tasks.ReplicaAgreed lease1 task node1 36 0 +21",
      "nodes.StakeSlashed node2 lease2 10.0$ 2.0$ stranger",
      "escrow.StakeForfeited node2 8.0$ 2.0$ stranger",
      "tasks.NotRevealed lease2 task node2 10.0$",
      "escrow.Released consumer task 8.333334$",
      "tasks.LeaseEnded lease2 task node2 Committed Failed 0 0.0$",
    ]);
  });

  it("of a quorum in which no two agree", async () => {
    const market = await loadFixture(quorumMarket);
    const refs = await running(market);
    await nextBlockAt((await now()) + 60n);
    const votes = [];
    for (const [index, output] of ["one", "two", "three"].entries())
      votes.push(await commit(market, refs[index] as LeaseRef, index, output, 36n));
    for (const vote of votes) await reveal(market, vote);
    const known = names(refs);
    for (const [index, { address }] of replicas.entries()) {
      known[address] = `node${index}`;
      known[index === 0 ? owner.address : account(12 + index).address] = `owner${index}`;
    }
    const tally = () => market.tasks.connect(stranger).tallyResults(refs[0]?.taskId ?? "");
    expect(await told(market, known, [["tally", tally]])).to.deep.equal([
      "tally: tasks.ResultsTallied task digest 3 3",
      "tally: escrow.Paid lease0 consumer owner0 task 1 36 0 5.0$ 0.05$ 0.0005$",
      "tally: escrow.Released consumer task 8.283334$",
      "tally: nodes.StakeUnlocked node0 lease0 10.0$",
      "tally: tasks.LeaseSettled lease0 task node0 36 0.05$",
      "tally: escrow.Paid lease1 consumer owner1 task 1 36 0 5.0$ 0.05$ 0.0005$",
      "tally: escrow.Released consumer task 8.283334$",
      "tally: nodes.StakeUnlocked node1 lease1 10.0$",
      "tally: tasks.LeaseSettled lease1 task node1 36 0.05$",
      "tally: escrow.Paid lease2 consumer owner2 task 1 36 0 5.0$ 0.05$ 0.0005$",
      "tally: escrow.Released consumer task 8.283334$",
      "tally: nodes.StakeUnlocked node2 lease2 10.0$",
      "tally: tasks.LeaseSettled lease2 task node2 36 0.05$",
    ]);
  });

  it("of stake: given, proven to be forfeited, paid to a member that waited, and released", async () => {
    const market = await loadFixture(marketWithProviders);
    const { nodes, tasks } = market;
    const task = await market.award({ startWindow: 900 }, [first.operator, second.operator]);
    await nextBlockAt((await now()) + 180n);
    await tasks.connect(first.operator).startLease(member(task, 0).leaseId, 1);
    const assigned = (await tasks.getLease(member(task, 1).leaseId)).deadline;
    const known = names([member(task, 0), member(task, 1)], {
      [first.operator.address]: "first",
      [second.operator.address]: "second",
      [first.owner.address]: "owner of first",
    });
    await nextBlockAt(assigned + 1n);
    const late = await said(
      market,
      { known, from: assigned },
      tasks.connect(stranger).expire(member(task, 1).leaseId),
    );
    expect(late).to.deep.equal([
      "escrow.Compensated lease1 second owner of first 1.001388$",
      "tasks.WaitingPaid lease1 lease0 1.001388$",
      "escrow.Released consumer task 10.0$",
      "nodes.CapacityReleased first lease0 {…}",
      "nodes.StakeUnlocked first lease0 10.0$",
      "tasks.LeaseEnded lease0 task first Running Failed 0 0.0$",
      "escrow.Released consumer task 10.0$",
      "nodes.CapacityReleased second lease1 {…}",
      "nodes.StakeUnlocked second lease1 8.998612$",
      "tasks.LeaseEnded lease1 task second Assigned Failed 0 0.0$",
    ]);
    const run = await market.leaseIn("Running");
    const one = await market.attestation(run, { outputDigest: digest("one") });
    const two = { ...one, outputDigest: digest("two") };
    const [a, b] = [await market.sign(one), await market.sign(two)];
    await market.token.mint(owner.address, 7n * DOLLAR);
    await market.token.connect(owner).approve(await market.escrow.getAddress(), 7n * DOLLAR);
    await market.escrow.connect(owner).deposit(7n * DOLLAR);
    const lines = await told(market, names([run]), [
      ["stake", () => nodes.connect(owner).stake(operator.address, 7n * DOLLAR)],
      ["prove", () => tasks.connect(stranger).proveEquivocation(one, a, two, b)],
      ["unstake", () => nodes.connect(owner).unstake(operator.address, DOLLAR)],
    ]);
    expect(lines).to.deep.equal([
      "stake: nodes.StakeAdded node owner 7.0$",
      "stake: escrow.StakeMoved node owner 7.0$ true",
      "prove: nodes.StakeSlashed node lease 10.0$ 2.0$ stranger",
      "prove: escrow.StakeForfeited node 8.0$ 2.0$ stranger",
      "prove: tasks.EquivocationProven lease node 1 stranger 10.0$",
      "unstake: nodes.UnbondingStarted node 1.0$ +604830",
    ]);
    const releasableAt = (await now()) + 604_800n;
    await nextBlockAt(releasableAt + 1n);
    const released = await said(
      market,
      { known: names([run]), from: releasableAt },
      nodes.connect(owner).releaseUnbonded(operator.address),
    );
    expect(released).to.deep.equal([
      "nodes.UnbondingReleased node 1.0$",
      "escrow.StakeMoved node owner 1.0$ false",
    ]);
  });
});
