import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { leaseId as leaseIdOf, type Order, orderHash, type SignedQuote } from "@dekuper/protocol";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import type { Call } from "../../src/chain/calls.ts";
import { systemClock } from "../../src/chain/clock.ts";
import { readTakeOverFrom } from "../../src/chain/contracts.ts";
import { followLogs } from "../../src/chain/follow.ts";
import { ChainReader } from "../../src/chain/reader.ts";
import { TransactionQueue } from "../../src/chain/transactions.ts";
import { Assignments } from "../../src/daemon/assignments.ts";
import { Exclusions } from "../../src/daemon/exclusions.ts";
import { LeaseFactReader } from "../../src/daemon/lease-facts.ts";
import { NodeMap } from "../../src/daemon/node-map.ts";
import { Watch } from "../../src/daemon/watch.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { FactStore } from "../../src/journal/facts.ts";
import { TransactionJournal } from "../../src/journal/transactions.ts";
import { openDatabase } from "../journal/crash.ts";
import { anAccepter, anOrder } from "../plan/builders.ts";

let chain: TestChain;
let first: TestProvider;
let second: TestProvider;
let consumer: Awaited<ReturnType<TestChain["account"]>>;

before(async () => {
  chain = await startTestChain();
  first = await startTestProvider(chain);
  second = await startTestProvider(chain);
  consumer = await chain.account(10_000);
  await consumer.market.deposit(5_000_000_000n);
});
after(() => chain?.stop());

/** Quotes of providers for the leases of an order, each of its index. */
async function award(providers: readonly TestProvider[], change: Partial<Order> = {}) {
  const { timestamp } = await consumer.market.head();
  const order = anOrder({
    openUntil: timestamp + 3_000n,
    leases: providers.length,
    maxAttempts: 3,
    vCpus: 1,
    ...change,
  });
  const quotes: SignedQuote[] = [];
  for (const [index, provider] of providers.entries()) {
    const answer = await provider.quote({
      version: 1,
      order,
      consumer: consumer.address,
      members: [index],
      envelope: { image: `localhost/x@sha256:${"ab".repeat(32)}`, inputBytes: 0 },
    });
    assert.ok("quotes" in answer, "the node quotes");
    quotes.push(...answer.quotes);
    assert.equal(answer.quotes[0]?.quote.orderHash, orderHash(order));
  }
  const { taskId } = await consumer.market.createAndAward(order, quotes, []);
  return { taskId, order, leases: providers.map((_, index) => leaseIdOf(taskId, index)) };
}

/** What an oracle of a provider knows and does about leases, without a cluster. */
function anOracle(t: TestContext, provider: TestProvider) {
  const { deployment } = chain.network;
  const { db } = openDatabase(t);
  const store = new FactStore(db);
  const journal = new AttemptJournal(db, systemClock.now);
  const { node } = provider;
  const reader = new ChainReader({
    deployment,
    rpcUrls: [chain.rpcUrl],
    finality: { kind: "depth", depth: 3 },
    minConfirmations: 1,
    clock: systemClock,
  });
  const events: string[] = [];
  const log = {
    info: (_: object, event: string) => events.push(event),
    error: (_: object, event: string) => events.push(event),
  };
  const queue = new TransactionQueue({
    account: privateKeyToAccount(provider.operatorKey),
    chainId: deployment.chainId,
    taskRegistry: deployment.taskRegistry,
    liveness: deployment.liveness,
    reader,
    journal: new TransactionJournal(db, systemClock.now),
    clock: systemClock,
    settings: { maxFeePerGas: 10n ** 11n, dailyCap: 10n ** 18n, replaceAfterMs: 30_000 },
    liveLeases: () => 1,
    disputableLeases: () => 0,
  });
  const assignments = new Assignments({ node, store, journal, reader, log, adopt: true });
  const facts = new LeaseFactReader(reader, deployment, node);
  const nodes = new NodeMap(reader, deployment);
  const clock = { ms: 0, now: () => clock.ms };
  const accepter = { lookAtNode: async () => ({ unlockedStake: 0n, facts: () => anAccepter() }) };
  const watch = new Watch({
    deployment,
    node,
    reader,
    store,
    journal,
    queue,
    nodes,
    facts,
    accepter,
    clock,
    log,
  });
  const { signal } = new AbortController();
  const look = async () => {
    await reader.look();
    for await (const item of followLogs({ reader, store, deployment, range: 1_000, signal })) {
      if (item.kind === "reorged") store.rewind(item.toBlock);
      else store.record(item.facts, item.block);
    }
    await nodes.refresh();
    assignments.meet();
    await queue.poll();
  };
  const factsOf = async (leaseId: Hex, attempt = 1) => {
    await look();
    const record = journal.find(leaseId, attempt);
    assert.ok(record, "the journal knows the attempt");
    const view = await facts.read(record);
    assert.ok(view);
    return view;
  };
  const submit = async (call: Call) => {
    const sent = queue.submit(call, signal);
    const done = sent.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([done, systemClock.sleep(20)]))) await look();
    return sent;
  };
  /** A look of the watch, and what it sends until it is mined. */
  const watchOnce = async () => {
    clock.ms += 5_000;
    await look();
    await watch.round({ ...anAccepter() }, signal);
    for (let tries = 0; tries < 25; tries++) {
      await systemClock.sleep(20);
      await look();
    }
  };
  return { store, journal, reader, events, look, factsOf, submit, watchOnce };
}

const mine = (blocks: number) => chain.control.mine({ blocks });
async function wait(seconds: number) {
  await chain.control.increaseTime({ seconds });
  await mine(1);
}

describe("an award", () => {
  it("is new work for each node that it names: known by its events, with its index and its own deadline", async (t) => {
    const oracle = anOracle(t, first);
    await oracle.look();
    const { leases } = await award([first, second]);
    const [mineToo, others] = leases as [Hex, Hex];
    const { facts, state, terms } = await oracle.factsOf(mineToo);
    assert.deepEqual([facts.status, facts.isMine, facts.hasKey], ["Assigned", true, true]);
    assert.deepEqual([state.index, terms.isGang, terms.leaseCount], [0, true, 2]);
    assert.equal(facts.startDeadline, state.acceptedAt + 120);
    assert.equal(oracle.journal.find(others, 1), undefined);
    assert.deepEqual(oracle.store.openTasks(0, 99), []);
  });
});

describe("a gang", () => {
  it("has no deadline until all have started, then its clock's, and more of it after a top-up", async (t) => {
    const oracle = anOracle(t, first);
    await oracle.look();
    const { leases, taskId } = await award([first, second], { fundedSeconds: 300 });
    const [own, other] = leases as [Hex, Hex];
    await oracle.look();
    await first.start(own);
    assert.equal((await oracle.factsOf(own)).facts.completeBy, Number.POSITIVE_INFINITY);
    await wait(30);
    await second.start(other);
    const { facts, terms } = await oracle.factsOf(own);
    assert.equal(facts.maxSeconds, 300);
    assert.ok(facts.completeBy >= facts.startedAt + 30 + 300 + terms.completionGrace);
    await consumer.market.topUp(taskId, 500);
    const more = (await oracle.factsOf(own)).facts;
    assert.deepEqual([more.maxSeconds, more.completeBy], [500, facts.completeBy + 200]);
  });

  it("that its consumer cancels stops its members as cancelled; one that lost a member for good does not", async (t) => {
    const oracle = anOracle(t, first);
    await oracle.look();
    for (const [end, reason] of [
      ["cancel", "cancelled"],
      ["fail", "peer-lost"],
    ] as const) {
      const { leases, taskId } = await award([first, second], { maxAttempts: 1 });
      const [own, other] = leases as [Hex, Hex];
      await oracle.look();
      await first.start(own);
      await second.start(other);
      if (end === "cancel") await consumer.market.cancel(taskId);
      else await second.fail(other, 1, "PodGone");
      const { facts } = await oracle.factsOf(own);
      assert.deepEqual([facts.status, facts.stopReason], ["Stopping", reason]);
    }
  });
});

describe("a lease that its node has lost", () => {
  it("is an open offer to other owners' nodes, and over for its own once that is final", async (t) => {
    const [loser, winner] = [anOracle(t, first), anOracle(t, second)];
    await Promise.all([loser.look(), winner.look()]);
    const { leases } = await award([first]);
    const [leaseId] = leases as [Hex];
    await loser.look();
    await first.start(leaseId);
    await first.fail(leaseId, 1, "PodGone");
    const lost = (await loser.factsOf(leaseId)).facts;
    assert.deepEqual([lost.status, lost.isMine, lost.isFinallyOver], ["Open", false, false]);
    await mine(3);
    assert.equal((await loser.factsOf(leaseId)).facts.isFinallyOver, true);

    await winner.look();
    const open = winner.store.reopenedLeases(0, 10).map((lease) => lease.leaseId);
    assert.ok(open.includes(leaseId));
    const { deployment } = chain.network;
    const excluded = (provider: TestProvider, reader: ChainReader) =>
      new Exclusions(deployment, provider.node, reader).isExcluded(leaseId, 1);
    assert.equal(await excluded(first, loser.reader), true);
    assert.equal(await excluded(second, winner.reader), false);
    const from = await winner.reader.read((client) =>
      readTakeOverFrom(client, deployment, leaseId, second.node),
    );
    assert.ok(from !== undefined);

    const task = winner.store.lease(leaseId);
    assert.ok(task);
    winner.journal.open({ ...task, attempt: 2 });
    const waiting = (await winner.factsOf(leaseId, 2)).facts;
    assert.deepEqual([waiting.isMine, waiting.isFinallyOver], [false, false]);
    await winner.submit({ name: "takeOver", args: [leaseId] });
    const taken = (await winner.factsOf(leaseId, 2)).facts;
    assert.deepEqual([taken.status, taken.isMine], ["Assigned", true]);
    assert.deepEqual(winner.store.reopenedLeases(0, 10), []);
    await assert.rejects(loser.submit({ name: "startLease", args: [leaseId, 1] }), /NotOperator/);
  });
});

describe("the watch over other nodes' leases", () => {
  it("gives a lease of a revoked node to others, and leaves the rest alone", async (t) => {
    const gone = await startTestProvider(chain);
    const oracle = anOracle(t, second);
    await oracle.look();
    const { leases } = await award([gone]);
    const kept = await award([first]);
    await gone.start(leases[0] as Hex);
    await oracle.watchOnce();
    assert.ok(!oracle.events.includes("lease-enforced"));
    await gone.market.revokeOperator(gone.node);
    await oracle.watchOnce();
    await wait(60); // the longest that a node lets others go first
    await oracle.watchOnce();
    await oracle.look();
    const open = oracle.store.reopenedLeases(0, 10).map(({ leaseId }) => leaseId);
    assert.deepEqual(open, [leases[0]]);
    assert.ok(!open.includes(kept.leases[0] as Hex));
  });

  it("ends what is overdue: the reservation goes back", async (t) => {
    const oracle = anOracle(t, second);
    await oracle.look();
    const { leases } = await award([first], { maxAttempts: 1 });
    await wait(130);
    for (let looks = 0; looks < 2; looks++) {
      await oracle.watchOnce();
      await wait(60);
    }
    await oracle.watchOnce();
    const live = oracle.store.liveLeases(0, 99).map(({ leaseId }) => leaseId);
    assert.ok(!live.includes(leases[0] as Hex));
  });
});
