import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { leaseId as leaseIdOf, type Order } from "@dekuper/protocol";
import { createPublicClient, type Hex, http, type PublicClient } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import { checkNetwork } from "../../src/chain/checks.ts";
import { systemClock } from "../../src/chain/clock.ts";
import { readAdmittedAt, readLease, readNode, readTaskTerms } from "../../src/chain/contracts.ts";
import { type FollowItem, followLogs } from "../../src/chain/follow.ts";
import { ChainReader } from "../../src/chain/reader.ts";
import { TransactionQueue } from "../../src/chain/transactions.ts";
import { LeaseFactReader } from "../../src/daemon/lease-facts.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { FactStore } from "../../src/journal/facts.ts";
import { TransactionJournal } from "../../src/journal/transactions.ts";
import { openDatabase } from "../journal/crash.ts";
import { anOrder } from "../plan/builders.ts";
import { RpcServer } from "./rpc-server.ts";

let chain: TestChain;
let provider: TestProvider;
let consumer: Awaited<ReturnType<TestChain["account"]>>;

before(async () => {
  chain = await startTestChain();
  [provider, consumer] = [await startTestProvider(chain), await chain.account(10_000)];
  await consumer.market.deposit(5_000_000_000n);
});
after(() => chain?.stop());

async function createTask(change: Partial<Order> = {}) {
  const { timestamp } = await consumer.market.head();
  const order = anOrder({ openUntil: timestamp + 3_000n, ...change });
  const { taskId } = await consumer.market.createTask(order);
  return { taskId, leaseId: leaseIdOf(taskId, 0), order };
}

const mine = (blocks: number) => chain.control.mine({ blocks });
const readerOf = (urls: readonly string[] = [chain.rpcUrl]) =>
  new ChainReader({
    deployment: chain.network.deployment,
    rpcUrls: urls,
    finality: { kind: "depth", depth: 3 },
    minConfirmations: 1,
    clock: systemClock,
  });

async function follow(store: FactStore, range = 1_000): Promise<FollowItem[]> {
  const reader = readerOf();
  await reader.look();
  const { deployment } = chain.network;
  const items: FollowItem[] = [];
  const { signal } = new AbortController();
  for await (const item of followLogs({ reader, store, deployment, range, signal })) {
    items.push(item);
    if (item.kind === "reorged") store.rewind(item.toBlock);
    else store.record(item.facts, item.block);
  }
  return items;
}

const open = (store: FactStore) => new Set(store.openTasks(0, 1_000).map(({ leaseId }) => leaseId));

describe("the deployed contracts", () => {
  it("are those of the network file", async () => checkNetwork(readerOf(), chain.network.deployment));

  it("show a task, its lease and its node as the oracle reads them", async () => {
    const { taskId, leaseId } = await createTask();
    const { deployment } = chain.network;
    const reader = readerOf();
    const head = Number((await consumer.market.head()).number);
    const lease = await reader.read((client) => readLease(client, deployment, leaseId, head));
    assert.deepEqual([lease.status, lease.taskId, lease.attempt], ["Open", taskId, 0]);
    const terms = await reader.read((client) => readTaskTerms(client, deployment, taskId));
    assert.deepEqual([terms.consumer, terms.isGang, terms.failoverAfter], [consumer.address, false, 120]);
    assert.equal(lease.maxSeconds, 600);
    const node = await reader.read((client) => readNode(client, deployment, provider.node));
    assert.deepEqual([node?.status, node?.owner], ["Active", provider.owner]);
    const admittedAt = await reader.read((client) =>
      readAdmittedAt(client, deployment, taskId, provider.node),
    );
    assert.equal(admittedAt, terms.createdAt);
    const stranger = consumer.address;
    assert.equal(await reader.read((client) => readNode(client, deployment, stranger)), undefined);
    assert.equal(
      await reader.read((client) => readAdmittedAt(client, deployment, taskId, stranger)),
      undefined,
    );
  });
});

describe("following a real chain", () => {
  it("finds the same facts in ranges of any size, and however often it is woken", async (t) => {
    const taken = await createTask();
    const left = await createTask();
    await provider.accept(taken.taskId);
    const stores = [1_000, 7, 1].map((range) => ({ range, store: new FactStore(openDatabase(t).db) }));
    for (const { range, store } of stores) {
      await follow(store, range);
      await follow(store, range);
      assert.deepEqual(store.lease(left.leaseId), { ...left, index: 0, consumer: consumer.address });
      assert.ok(open(store).has(left.leaseId) && !open(store).has(taken.leaseId));
      assert.ok(store.assignedTo(provider.node).some(({ leaseId }) => leaseId === taken.leaseId));
      assert.deepEqual(open(store), open(stores[0]?.store ?? store));
    }
  });

  it("takes back what a reorg has taken back", async (t) => {
    const store = new FactStore(openDatabase(t).db);
    const kept = await createTask();
    await mine(4);
    await follow(store);
    const lost = await createTask();
    await follow(store);
    assert.ok(open(store).has(lost.leaseId));
    await chain.control.request({ method: "anvil_reorg", params: [2, []] } as never);
    await mine(1);
    const items = await follow(store);
    assert.equal(items[0]?.kind, "reorged");
    assert.ok(open(store).has(kept.leaseId));
    assert.ok(!open(store).has(lost.leaseId));
  });
});

describe("the transaction queue on a real chain", () => {
  async function startQueue(t: TestContext) {
    const journal = new TransactionJournal(openDatabase(t).db, systemClock.now);
    const reader = readerOf();
    await reader.look();
    const queue = new TransactionQueue({
      account: privateKeyToAccount(provider.operatorKey),
      chainId: chain.network.deployment.chainId,
      taskRegistry: chain.network.deployment.taskRegistry,
      liveness: chain.network.deployment.liveness,
      reader,
      journal,
      clock: systemClock,
      settings: { maxFeePerGas: 10n ** 11n, dailyCap: 10n ** 17n, replaceAfterMs: 30_000 },
      liveLeases: () => 1,
      disputableLeases: () => 0,
    });
    const submit = async (...call: Parameters<TransactionQueue["submit"]>) => {
      const mined = queue.submit(...call);
      const done = mined.then(
        () => true,
        () => true,
      );
      while (!(await Promise.race([done, systemClock.sleep(20)]))) {
        await reader.look();
        await queue.poll();
      }
      return mined;
    };
    return { submit, journal, reader };
  }
  const spent = async () => {
    const client = createPublicClient({ transport: http(chain.rpcUrl) });
    const at = { address: provider.node };
    return [await client.getBalance(at), await client.getTransactionCount(at)];
  };

  it("accepts a task, and sends no call that the contract refuses: no gas is burned", async (t) => {
    const { taskId, leaseId } = await createTask();
    const { submit, journal, reader } = await startQueue(t);
    const { signal } = new AbortController();
    await submit({ name: "acceptTask", args: [taskId] }, signal);
    await reader.look();
    const head = reader.lastReadable?.head.number ?? 0;
    const read = (client: PublicClient) => readLease(client, chain.network.deployment, leaseId, head);
    assert.equal((await reader.read(read)).status, "Assigned");
    assert.equal(journal.get(1)?.state, "mined");
    const before = await spent();
    await assert.rejects(submit({ name: "acceptTask", args: [taskId] }, signal), (error: Error) => {
      assert.match(error.message, /WrongStatus/);
      return true;
    });
    await assert.rejects(submit({ name: "startLease", args: [leaseId, 9] }, signal), /WrongAttempt/);
    await assert.rejects(submit({ name: "settle", args: [leaseId] }, signal), /WrongStatus/);
    assert.deepEqual(await spent(), before);
    assert.equal(journal.highestNonce(), journal.get(1)?.nonce);
  });
});

describe("the facts of a lease", () => {
  async function leaseThrough(t: TestContext, urls: string[], leaseId: Hex) {
    const { db } = openDatabase(t);
    const store = new FactStore(db);
    await follow(store);
    const task = store.lease(leaseId);
    assert.ok(task);
    const journal = new AttemptJournal(db, systemClock.now);
    journal.open({ ...task, attempt: 1 });
    const record = journal.find(leaseId, 1);
    assert.ok(record);
    const reader = readerOf(urls);
    const facts = new LeaseFactReader(reader, chain.network.deployment, provider.node);
    return async () => {
      await reader.look();
      return (await facts.read(record))?.facts;
    };
  }

  async function acceptedLease() {
    const { taskId, leaseId } = await createTask();
    await provider.accept(taskId);
    return { taskId, leaseId };
  }

  it("are over only when the end itself is final, and both RPCs say so", async (t) => {
    const { taskId, leaseId } = await acceptedLease();
    const second = await RpcServer.start(t, {}, chain.rpcUrl);
    const read = await leaseThrough(t, [chain.rpcUrl, second.url], leaseId);
    assert.deepEqual(await read().then((facts) => [facts?.status, facts?.isMine, facts?.isFinallyOver]), [
      "Assigned",
      true,
      false,
    ]);
    await consumer.market.cancel(taskId);
    assert.deepEqual(await read().then((facts) => [facts?.status, facts?.isFinallyOver]), [
      "Cancelled",
      false,
    ]);
    await mine(3);
    second.mood = "down";
    assert.equal((await read())?.isFinallyOver, false);
    second.mood = "answers";
    assert.equal((await read())?.isFinallyOver, true);
  });

  it("stay those that were read last, as no evidence, when the RPC fails or lies", async (t) => {
    const { leaseId } = await acceptedLease();
    const rpc = await RpcServer.start(t, {}, chain.rpcUrl);
    const read = await leaseThrough(t, [rpc.url], leaseId);
    const known = await read();
    assert.equal(known?.evidence, "readable");
    const blind = { ...known, evidence: "unreadable" };
    for (const mood of ["down", "limited", "garbage"] as const) {
      rpc.mood = mood;
      assert.deepEqual(await read(), blind);
    }
    rpc.mood = "answers";
    const nothing = `0x${"00".repeat(32 * 19)}`;
    for (const lie of ["0x", nothing]) {
      rpc.handlers.set("eth_call", () => lie);
      assert.deepEqual(await read(), blind, `eth_call answers ${lie.slice(0, 10)}`);
    }
    rpc.handlers.delete("eth_call");
    assert.deepEqual(await read(), known);
  });
});
