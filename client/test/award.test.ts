import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  awardTask,
  followTaskLogs,
  type LogNotice,
  type Market,
  planQuotes,
  planTask,
  prepareTask,
  type SubmitStep,
  signerOf,
} from "@dekuper/client";
import { DekuperError, parseTaskFile, taskRegistryAbi } from "@dekuper/protocol";
import { bytesToString, type Hex, stringToBytes } from "viem";
import { startTestChain, type TestChain } from "./chain.ts";
import { FakePeer } from "./fake-peer.ts";
import { aProfile, startTestProvider, type TestProvider } from "./provider.ts";

const TEXT = `name: hello
public: true
template: batch
command: echo hello
resources: { cpu: 1, memory: 64Mi, storage: 64Mi, duration: 1h }
`;

let chain: TestChain;
let consumer: { market: Market; address: Hex };
let cheap: TestProvider;
let dear: TestProvider;
let peer: FakePeer;

before(async () => {
  chain = await startTestChain();
  consumer = await chain.account(1_000);
  await consumer.market.deposit(500_000_000n);
  cheap = await startTestProvider(chain);
  dear = await startTestProvider(chain, aProfile({ posted: { perGpuHour: 0n, perVCpuHour: 2_000_000n } }));
  peer = new FakePeer();
  for (const provider of [cheap, dear]) peer.quotes.set(provider.node, (request) => provider.quote(request));
});
after(() => chain?.stop());

async function prepared(more = "") {
  const { market } = consumer;
  const token = await market.token();
  return prepareTask({
    file: parseTaskFile(TEXT + more),
    network: chain.network,
    token,
    inputs: [],
    recipient: `age1${"q".repeat(58)}`,
  });
}

async function plannedTask(more = "") {
  const { market, address } = consumer;
  const [task, token, terms, nodes, head] = await Promise.all([
    prepared(more),
    market.token(),
    market.terms(),
    market.nodes(),
    market.head(),
  ]);
  const { cap = 0n } = planTask(task.planOrder, nodes, { token, terms, now: head.timestamp });
  const asking = { market, peer, task, cap };
  return { ...asking, plan: await planQuotes({ ...asking, consumer: address }) };
}

async function award(more = "") {
  const steps: SubmitStep[] = [];
  const awarded = await awardTask({ ...(await plannedTask(more)), onStep: (step) => steps.push(step) });
  return { ...awarded, steps };
}

const rest = async (seconds: number) => {
  await chain.control.increaseTime({ seconds });
  await chain.control.mine({ blocks: 1 });
};

describe("planQuotes", () => {
  it("takes the cheapest, and says what all leases cost together", async () => {
    const { plan } = await plannedTask();
    assert.equal(plan.problem, undefined);
    assert.deepEqual(
      plan.placements.map(({ node, members }) => ({ node, members })),
      [{ node: cheap.node, members: [0] }],
    );
    assert.deepEqual([plan.ratePerHour, plan.atMost, plan.reserved], [1_000_000n, 1_000_000n, 1_000_000n]);
    assert.equal(plan.offers.offers.length, 2);
  });

  it("asks for no more than the task file's rate, and says who asks more", async () => {
    const { plan } = await plannedTask("rate: 1.5\n");
    assert.equal(plan.cap, 1_500_000n);
    assert.deepEqual(
      plan.offers.declined.map(({ node, kind, values }) => ({ node, kind, values })),
      [{ node: dear.node, kind: "rate-above-cap", values: { asks: "2000000", cap: "1500000" } }],
    );
  });

  it("holds the cost against the budget, and says why nobody quotes", async () => {
    assert.equal((await plannedTask("budget: 0.9\n")).plan.problem?.code, "BUDGET_EXCEEDED");
    const none = (await plannedTask("rate: 0.5\n")).plan.problem;
    assert.equal(none?.code, "NO_NODE_FITS");
    assert.match(none?.message ?? "", /Nodes offer 0 of 1 lease: rate-above-cap \(2\)/);
  });
});

describe("awardTask", () => {
  it("assigns the lease in the transaction that orders it, to a node that has the data", async () => {
    const { taskId, leaseId, path, seeded, reserved, steps } = await award();
    assert.equal(path, "quoted");
    assert.equal(reserved, 1_000_000n);
    assert.deepEqual([...seeded].sort(), [cheap.node, dear.node].sort());
    assert.deepEqual(
      steps.map(({ kind }) => kind).filter((kind) => kind === "quoting" || kind === "ordering"),
      ["quoting", "ordering"],
    );
    const { task, lease, state } = await consumer.market.task(leaseId);
    assert.deepEqual([state, lease.node, lease.attempt], ["Assigned", cheap.node, 1]);
    assert.deepEqual([task.taskId, task.maxAttempts, task.failoverAfter], [taskId, 3, 10]);
    const { timeline } = await consumer.market.taskDetail(taskId);
    assert.equal(new Set(timeline.map(({ hash }) => hash)).size, 1);
    await consumer.market.cancel(taskId);
  });

  it("reserves for what is funded, and for more when it is topped up", async () => {
    const { market } = consumer;
    const { taskId, reserved } = await award("fund: 30m\n");
    assert.equal(reserved, 500_000n);
    const added = await market.topUp(taskId, 2700);
    assert.deepEqual([added.reserved, added.fundedSeconds], [250_000n, 2700]);
    const { task, lease } = await market.task(taskId);
    assert.deepEqual([task.fundedSeconds, lease.reserved, lease.maxSeconds], [2700, 750_000n, 2700]);
    await assert.rejects(market.topUp(taskId, 3601), {
      code: "TRANSACTION_REVERTED",
      message: /3601 s would be reserved for, from 1 to 3600 s are allowed/,
    });
    await assert.rejects(market.topUp(taskId, 2700), {
      code: "WRONG_STATE",
      message: /the task is funded for 2700 s already/,
    });
    await market.cancel(taskId);
  });

  it("gives no lease to a node that cannot be given the data, and costs no more than was agreed", async () => {
    const planned = await plannedTask();
    peer.unreachable.add(cheap.node);
    try {
      await assert.rejects(awardTask(planned), { code: "BUDGET_EXCEEDED", message: /what was agreed is 1 / });
      const generous = { ...planned, plan: { ...planned.plan, atMost: 2_000_000n } };
      const { leaseId, taskId } = await awardTask(generous);
      assert.equal((await consumer.market.task(leaseId)).lease.node, dear.node);
      await consumer.market.cancel(taskId);
    } finally {
      peer.unreachable.delete(cheap.node);
    }
  });

  it("orders nothing where a node does not sign what it offered", async () => {
    const planned = await plannedTask("rate: 1\n");
    peer.quotes.set(cheap.node, async () => ({ refused: { reason: "lease-limit", values: {} } }));
    try {
      await assert.rejects(awardTask(planned), { code: "NO_NODE_FITS", message: /lease-limit \(1\)/ });
    } finally {
      peer.quotes.set(cheap.node, (request) => cheap.quote(request));
    }
  });
});

describe("a task on several nodes", () => {
  it("is read with all of its leases, from award to pay", async () => {
    const { market } = consumer;
    const { taskId, leaseIds, reserved } = await award("nodes: 2\nrate: 2\n");
    assert.equal(leaseIds.length, 2);
    assert.equal(reserved, 2_000_000n);
    assert.equal((await market.task(taskId)).state, "Assigned");
    const [first = "0x", second = "0x"] = leaseIds;
    await cheap.start(first);
    const half = await market.task(taskId);
    assert.deepEqual(
      half.leases.map(({ state }) => state),
      ["Waiting", "Assigned"],
    );
    await cheap.start(second);
    const running = await market.task(second);
    assert.equal(running.state, "Running");
    assert.equal(running.lease.index, 1);
    assert.equal(running.lease.due?.at, await deadlineOf(second));
    await rest(30);
    const { specDigest } = running.task;
    for (const leaseId of leaseIds) await cheap.complete({ taskId, leaseId, specDigest });
    for (const leaseId of leaseIds) await market.approve(leaseId);
    const detail = await market.taskDetail(taskId);
    assert.equal(detail.state, "Settled");
    assert.equal(detail.money.gross + detail.money.released, reserved);
    assert.equal(
      detail.leases.reduce((sum, { pay }) => sum + pay.gross, 0n),
      detail.money.gross,
    );
    assert.ok(detail.leases.every(({ attestation, index }) => attestation !== undefined && index >= 0));
    assert.deepEqual(
      detail.timeline.filter(({ name }) => name === "LeaseStarted").map(({ member }) => member),
      [0, 1],
    );
    assert.equal(detail.timeline.find(({ name }) => name === "GangStarted")?.member, undefined);
  });
});

describe("a lease that its node loses", () => {
  it("is open to others, with its lost attempt, and goes on with another node", async () => {
    const { market } = consumer;
    const { taskId, leaseId } = await award();
    await cheap.start(leaseId);
    await rest(20);
    await cheap.checkpoint(leaseId, 1, 7n);
    await cheap.fail(leaseId, 1, "drained");
    const lost = await market.taskDetail(taskId);
    assert.deepEqual([lost.state, lost.lease.node, lost.lease.attempt], ["Reopened", undefined, 1]);
    assert.equal(lost.lease.lastStep, 7n);
    assert.equal(lost.lease.due?.what, "take-over");
    assert.ok(lost.lease.attempts[0]?.lostAt !== undefined);
    assert.ok(lost.lease.pay.gross > 0n);
    assert.equal(lost.lease.due.at, await deadlineOf(leaseId));

    await dear.takeOver(leaseId);
    await dear.start(leaseId, 2);
    const { lease, timeline } = await market.taskDetail(taskId);
    assert.deepEqual([lease.state, lease.node, lease.attempt], ["Running", dear.node, 2]);
    assert.deepEqual(
      lease.attempts.map(({ node, attempt }) => ({ node, attempt })),
      [
        { node: cheap.node, attempt: 1 },
        { node: dear.node, attempt: 2 },
      ],
    );
    assert.ok(timeline.some(({ name }) => name === "AttemptLost"));
    await assert.rejects(market.failover(leaseId), { code: "WRONG_STATE", message: /is not offline/ });
    assert.deepEqual(
      (await market.tasksOfNode(cheap.node)).map((found) => found.lease.leaseId).includes(leaseId),
      true,
    );
  });
});

describe("the log of a lease that was just awarded", () => {
  it("is asked for again where the node has not seen the award yet", async () => {
    const { market } = consumer;
    assert.ok(market.wallet !== undefined);
    const { leaseId } = await award();
    peer.log = new DekuperError("READ_DENIED", "This node does not hold the lease.");
    const signal = AbortSignal.timeout(20_000);
    const signer = signerOf(market.wallet);
    const log = followTaskLogs({ market, peer, signer, id: leaseId, follow: true, signal });
    const first = log.next();
    await cheap.start(leaseId);
    peer.log = stringToBytes("here");
    const { value } = await first;
    assert.equal(value === undefined ? "" : bytesToString(value), "here");
    await log.return();
  });
});

describe("the log of a lease that is taken over", () => {
  it("begins anew with the node that goes on", async () => {
    const { market } = consumer;
    assert.ok(market.wallet !== undefined);
    const { leaseId } = await award();
    await cheap.start(leaseId);
    peer.log = stringToBytes("one");
    const notices: LogNotice[] = [];
    const log = followTaskLogs({
      market,
      peer,
      signer: signerOf(market.wallet),
      id: leaseId,
      follow: true,
      onNotice: (notice) => notices.push(notice),
      signal: AbortSignal.timeout(20_000),
    });
    const next = async () => {
      const { value } = await log.next();
      return value === undefined ? undefined : bytesToString(value);
    };
    assert.equal(await next(), "one");
    await cheap.fail(leaseId, 1, "drained");
    await dear.takeOver(leaseId);
    await dear.start(leaseId, 2);
    peer.log = stringToBytes("two!");
    assert.equal(await next(), "two!");
    assert.equal(await next(), undefined);
    assert.deepEqual(
      notices.flatMap((notice) => (notice.kind === "restarted" ? [notice.node, notice.attempt] : [])),
      [dear.node, 2],
    );
  });
});

/** As the contract reckons it. */
async function deadlineOf(leaseId: Hex): Promise<bigint> {
  return consumer.market.publicClient.readContract({
    address: chain.network.deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "deadlineOf",
    args: [leaseId],
  });
}
