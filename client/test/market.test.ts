import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createMarket, type Market, planTask } from "@dekuper/client";
import { isDekuperError, nodeEncryptionKey, type Order } from "@dekuper/protocol";
import { createPublicClient, custom, type Hex, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { readTaskDetail } from "../src/chain/timeline.ts";
import { freePort, startTestChain, type TestChain } from "./chain.ts";
import { aChainOrder } from "./chain-order.ts";
import { aProfile, startTestProvider, type TestProvider } from "./provider.ts";

let chain: TestChain;
let consumer: { market: Market; address: Hex; key: Hex };
let provider: TestProvider;

before(async () => {
  chain = await startTestChain();
  consumer = await chain.account(1_000);
  provider = await startTestProvider(chain);
  await consumer.market.deposit(100_000_000n);
});
after(() => chain?.stop());

const anOrder = (change: Partial<Order> = {}) => aChainOrder(consumer.market, change);

describe("checks of the network", () => {
  it("accepts the chain that the network file names", () => consumer.market.check());

  it("says when no RPC answers", async () => {
    const market = createMarket({
      network: { ...chain.network, rpcUrls: [`http://127.0.0.1:${await freePort()}`] },
    });
    await assert.rejects(market.check(), { code: "RPC_UNAVAILABLE", retryable: true });
    await assert.rejects(market.nodes(), { code: "RPC_UNAVAILABLE" });
  });

  const changed = (change: Partial<TestChain["network"]["deployment"]>) =>
    createMarket({ network: { ...chain.network, deployment: { ...chain.network.deployment, ...change } } });

  it("tells another chain, missing contracts and a chain that was started anew apart", async () => {
    await assert.rejects(changed({ chainId: 1 }).check(), {
      code: "NETWORK_MISMATCH",
      message: "The RPC serves chain 31337; network test is chain 1.",
    });
    await assert.rejects(changed({ paymentEscrow: consumer.address }).check(), {
      code: "CONTRACT_MISSING",
      message: `There is no contract at ${consumer.address} (paymentEscrow).`,
    });
    await assert.rejects(changed({ deploymentBlockHash: `0x${"00".repeat(32)}` }).check(), {
      code: "CHAIN_CHANGED",
    });
  });
});

describe("accounts", () => {
  it("deposits by permit in one transaction, or by approving first, and withdraws what is free", async () => {
    const { market, address } = await chain.account(50);
    const { gasUsed, hash } = await market.deposit(20_000_000n);
    assert.ok(gasUsed > 0n && hash.length === 66);
    assert.equal(await market.publicClient.getTransactionCount({ address }), 1);
    await market.deposit(10_000_000n, { permit: false });
    assert.equal(await market.publicClient.getTransactionCount({ address }), 3);
    await market.withdraw(25_000_000n);
    const account = await market.account(address);
    assert.equal(account.free, 5_000_000n);
    assert.equal(account.walletBalance, 45_000_000n);
    assert.equal(account.allowance, 0n);
  });

  it("names what is missing", async () => {
    const { market, address } = await chain.account(5);
    await assert.rejects(market.deposit(6_000_000n), {
      code: "INSUFFICIENT_FUNDS",
      message: `${address} holds 5 DUSD; 6 DUSD are to be deposited.`
        .replace("DUSD", (await market.token()).symbol)
        .replace("DUSD", (await market.token()).symbol),
    });
    await assert.rejects(market.withdraw(1n), (error) => {
      assert.ok(isDekuperError(error, "INSUFFICIENT_FUNDS"));
      assert.equal(error.details.error, "InsufficientFree");
      assert.equal(error.details.wanted, 1n);
      return true;
    });
    await assert.rejects(market.createTask(await anOrder()), { code: "INSUFFICIENT_FUNDS" });
  });

  it("says when there is no coin for gas, and when there is no wallet", async () => {
    const broke = privateKeyToAccount(`0x${"77".repeat(32)}`);
    const { walletClientOf } = await import("@dekuper/client");
    const market = createMarket({
      network: chain.network,
      walletClient: walletClientOf(chain.network, broke),
    });
    await assert.rejects(market.drain(provider.node), { code: "NOT_ALLOWED" });
    await chain.control.setBalance({ address: provider.owner, value: 0n });
    await assert.rejects(provider.market.drain(provider.node), { code: "INSUFFICIENT_GAS" });
    await chain.control.setBalance({ address: provider.owner, value: 10n ** 19n });
    await assert.rejects(createMarket({ network: chain.network }).withdraw(1n), { code: "NOT_ALLOWED" });
  });
});

describe("the map", () => {
  it("shows nodes with profile, stake and what is free", async () => {
    const node = await consumer.market.node(provider.node);
    assert.equal(node.owner, provider.owner);
    assert.equal(node.status, "Active");
    const { encryptionKey } = node.profile;
    assert.deepEqual(node.profile, aProfile({ encryptionKey }));
    assert.equal(encryptionKey, nodeEncryptionKey(provider.operatorKey));
    assert.deepEqual(node.available, { gpus: 0, vCpus: 8, memoryMiB: 16_384n });
    assert.equal(node.stake.staked, 200_000_000n);
    assert.equal(node.stake.required, 100_000_000n);
    await assert.rejects(consumer.market.node(consumer.address), { code: "NOT_FOUND" });
  });

  it("reads more nodes than fit on a page", async () => {
    const { market } = await chain.account(0);
    await chain.control.setAutomine(true);
    const count = 101;
    for (let index = 0; index < count; index++) {
      const operator = privateKeyToAccount(`0x${(index + 1).toString(16).padStart(64, "0")}`);
      await market.registerNode(operator, aProfile());
    }
    assert.equal((await consumer.market.nodes()).length, count + 1);
  });

  it("drains, resumes, changes profile and floor, moves stake, and revokes for good", async () => {
    const { market, node } = await startTestProvider(chain);
    await market.drain(node);
    assert.equal((await market.node(node)).status, "Draining");
    await assert.rejects(market.drain(node), { code: "WRONG_STATE", message: /the node is Draining/ });
    await market.resume(node);
    await market.updateProfile(node, aProfile({ region: "us-east" }));
    await market.setFloor(node, { perGpuHour: 1n, perVCpuHour: 2n });
    await market.unstake(node, 50_000_000n);
    const changed = await market.node(node);
    assert.equal(changed.profile.region, "us-east");
    assert.deepEqual(changed.floor, { perGpuHour: 1n, perVCpuHour: 2n });
    assert.equal(changed.stake.unbonding, 50_000_000n);
    await assert.rejects(market.releaseUnbonded(node), {
      code: "WRONG_STATE",
      message: /are released after 20/,
    });
    await assert.rejects(market.unstake(node, 10n ** 12n), { code: "WRONG_STATE" });
    await assert.rejects(consumer.market.revokeOperator(node), {
      code: "NOT_ALLOWED",
      message: /does not own node/,
    });
    await market.revokeOperator(node);
    assert.equal((await market.node(node)).status, "Retired");
  });

  it("plans against the map as it is", async () => {
    const [nodes, terms, head] = await Promise.all([
      consumer.market.nodes(),
      consumer.market.terms(),
      consumer.market.head(),
    ]);
    const order = await anOrder();
    const plan = planTask({ ...order, isolation: "container" }, nodes, {
      token: await consumer.market.token(),
      terms,
      now: head.timestamp,
    });
    assert.deepEqual(plan.fitting, [provider.node]);
    assert.equal(plan.ratePerHour, 1_000_000n);
  });
});

/** Reads a task through an RPC that does something after its nth answer; counts what it was asked. */
async function readWhile(id: Hex, nth: number, act: () => Promise<unknown>) {
  const { publicClient, network } = consumer.market;
  let asked = 0;
  const request = async ({ method, params }: { method: string; params?: unknown }) => {
    const answer = await publicClient.request({ method, params } as never);
    if (++asked === nth) await act();
    return answer;
  };
  const client = createPublicClient({ transport: custom({ request }), cacheTime: 0 });
  return { detail: await readTaskDetail(client, network, id), asked };
}

describe("a task from order to pay", () => {
  it("is found by task and lease id, with its whole timeline, attestation and money", async () => {
    const { market } = consumer;
    const order = await anOrder();
    const created = await market.createTask(order);
    assert.equal(created.reserved, 1_000_000n);
    assert.equal((await market.task(created.taskId)).lease.status, "Open");
    await assert.rejects(market.approve(created.leaseId), {
      code: "WRONG_STATE",
      message: /the lease is Open/,
    });
    await assert.rejects(provider.market.cancel(created.taskId), { code: "NOT_ALLOWED" });

    await provider.accept(created.taskId);
    await provider.start(created.leaseId);
    await chain.control.increaseTime({ seconds: 30 });
    await chain.control.mine({ blocks: 1 });
    const attestation = await provider.complete({
      taskId: created.taskId,
      leaseId: created.leaseId,
      specDigest: order.specDigest,
    });
    await assert.rejects(market.settle(created.leaseId), {
      code: "WRONG_STATE",
      message: /possible after 20/,
    });
    const paid = await market.approve(created.leaseId);
    assert.ok(paid.gasUsed > 0n);

    const detail = await market.taskDetail(created.leaseId);
    assert.equal(detail.task.taskId, created.taskId);
    assert.equal(detail.lease.status, "Settled");
    assert.equal(detail.lease.node, provider.node);
    assert.deepEqual(
      detail.timeline
        .map(({ name }) => name)
        .filter((name) => /^(Task|Lease|Paid|Reserved|Released)/.test(name)),
      [
        "TaskCreated",
        "Reserved",
        "LeaseAssigned",
        "LeaseStarted",
        "LeaseCompleted",
        "Paid",
        "Released",
        "LeaseSettled",
      ].sort(
        (a, b) =>
          detail.timeline.findIndex((e) => e.name === a) - detail.timeline.findIndex((e) => e.name === b),
      ),
    );
    assert.equal(detail.timeline[0]?.hash, created.hash);
    assert.equal(detail.timeline[0]?.gasUsed, created.gasUsed);
    assert.ok(detail.timeline.every(({ time, from }) => time > 0n && from.startsWith("0x")));
    assert.deepEqual({ ...detail.lease.attestation?.attestation }, { ...attestation });
    assert.equal(detail.money.reserved, 1_000_000n);
    assert.equal(detail.money.gross + detail.money.released, 1_000_000n);
    assert.equal(detail.money.earned, detail.money.gross - detail.money.fee);

    const earnings = (await provider.market.account(provider.owner)).earnings;
    assert.equal(earnings, detail.money.earned);
    await provider.market.withdrawEarnings(earnings);
  });

  it("is free to cancel while nobody has started it", async () => {
    const { market, address } = consumer;
    const { free } = await market.account(address);
    const created = await market.createTask(await anOrder());
    assert.equal((await market.account(address)).reserved, 1_000_000n);
    await market.cancel(created.taskId);
    assert.equal((await market.task(created.taskId)).lease.status, "Cancelled");
    assert.equal((await market.account(address)).free, free);
    await assert.rejects(market.cancel(created.taskId), {
      code: "WRONG_STATE",
      message: /the lease is Cancelled/,
    });
  });

  it("is of one moment, whenever it changes while it is read", async () => {
    const { market } = await chain.account(100);
    await market.deposit(100_000_000n);
    const order = await anOrder({ fundedSeconds: 300 });
    const changes = [(taskId: Hex) => market.cancel(taskId), (taskId: Hex) => market.topUp(taskId, 360)];
    for (const change of changes)
      for (let nth = 1, asked = nth; asked >= nth; nth++) {
        const { taskId } = await market.createTask(order);
        const read = await readWhile(taskId, nth, () => change(taskId));
        const { lease, timeline, money } = read.detail;
        const isCancelled = timeline.some(({ name }) => name === "LeaseEnded");
        assert.equal(lease.status, isCancelled ? "Cancelled" : "Open", `after ${nth} answers`);
        assert.equal(money.released, isCancelled ? money.reserved : 0n);
        assert.equal(lease.reserved, money.reserved, `after ${nth} answers`);
        asked = read.asked;
      }
  });

  it("is asked for again where a node of the RPC is a block behind", async () => {
    const { market } = await chain.account(10);
    const { publicClient, network } = market;
    await market.deposit(10_000_000n);
    const { taskId } = await market.createTask(await anOrder());
    let behind = 2;
    const request = async ({ method, params }: { method: string; params?: unknown }) => {
      const ahead = method === "eth_blockNumber" && behind-- > 0 ? 1n : 0n;
      const answer = await publicClient.request({ method, params } as never);
      return ahead === 0n ? answer : toHex(BigInt(answer as string) + ahead);
    };
    const client = createPublicClient({ transport: custom({ request }), cacheTime: 0 });
    const { lease } = await readTaskDetail(client, network, taskId);
    assert.equal(lease.status, "Open");
    assert.ok(behind < 0);
  });

  it("expires by anyone when nobody took it", async () => {
    const created = await consumer.market.createTask(await anOrder());
    await assert.rejects(provider.market.expire(created.leaseId), { code: "WRONG_STATE" });
    await chain.control.increaseTime({ seconds: 301 });
    await chain.control.mine({ blocks: 1 });
    await provider.market.expire(created.leaseId);
    assert.equal((await consumer.market.task(created.taskId)).lease.status, "Expired");
  });

  it("lists the consumer's tasks and the node's, newest first", async () => {
    const tasks = await consumer.market.tasks(consumer.address);
    assert.deepEqual(
      tasks.map(({ lease }) => lease.status),
      ["Expired", "Cancelled", "Settled"],
    );
    assert.equal(tasks[0]?.order?.vCpus, 1);
    assert.deepEqual(
      (await consumer.market.tasksOfNode(provider.node)).map(({ lease }) => lease.status),
      ["Settled"],
    );
    assert.deepEqual(await consumer.market.tasks(provider.owner), []);
  });

  it("is NOT_FOUND by an unknown id", async () => {
    await assert.rejects(consumer.market.task(`0x${"99".repeat(32)}`), { code: "NOT_FOUND" });
  });

  it("is refused by the contract with the values that decided", async () => {
    await assert.rejects(consumer.market.createTask(await anOrder({ maxDuration: 31 * 86_400 })), (error) => {
      assert.ok(isDekuperError(error, "TRANSACTION_REVERTED"));
      assert.match(error.message, /a duration of 2678400 s was asked for, at most 2592000 s is allowed/);
      assert.equal(error.details.error, "DurationOutOfRange");
      return true;
    });
    await assert.rejects(consumer.market.createTask(await anOrder({ ratePerHour: 0n })), {
      code: "TRANSACTION_REVERTED",
      message: /nothing ordered \(vCpus 1, memoryMiB 256, ratePerHour 0\)/,
    });
  });
});
