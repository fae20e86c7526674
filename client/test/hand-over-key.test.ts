import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  createMarket,
  deriveOutputKey,
  deriveTaskKey,
  findTaskKey,
  handOverKey,
  keyGrantsIn,
  keyHolders,
  type Market,
  type OutputKey,
  planHandOver,
  readKeyGrants,
  readKeyHolders,
  signerOf,
} from "@dekuper/client";
import {
  ageIdentity,
  decodeWrap,
  encodeWrap,
  nodeEncryptionKey,
  nodeEncryptionSecret,
  readWrapPayload,
} from "@dekuper/protocol";
import { Decrypter } from "age-encryption";
import { type Address, getAddress, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { address, aNode } from "./builders.ts";
import { startTestChain, type TestChain } from "./chain.ts";
import { aChainOrder } from "./chain-order.ts";
import { awardPrivately, SPEC_BLOB } from "./private-order.ts";
import { aProfile, startTestProvider, type TestProvider } from "./provider.ts";

/** A point to which nothing can be encrypted. */
const LOW_ORDER: Hex = `0x01${"00".repeat(31)}`;

let chain: TestChain;
let consumer: { market: Market; address: Address; key: Hex };
let key: OutputKey;
/** Has the leases. */
let first: TestProvider;
let standby: TestProvider;
let third: TestProvider;

before(async () => {
  chain = await startTestChain();
  consumer = await chain.account(1_000);
  await consumer.market.deposit(900_000_000n);
  key = await outputKeyOf(consumer.key);
  first = await startTestProvider(chain, roomy());
  standby = await startTestProvider(chain);
  third = await startTestProvider(chain);
});
after(() => chain?.stop());

/** It has a lease of nearly every test. */
const roomy = (change: Parameters<typeof aProfile>[0] = {}) => aProfile({ vCpus: 64, ...change });
const outputKeyOf = (wallet: Hex) =>
  deriveOutputKey(signerOf(privateKeyToAccount(wallet)), chain.network.deployment);
const award = (order = {}) => awardPrivately(consumer, key, [first], { standbys: [standby.node], order });
const handTo = (id: Hex, ...nodes: Address[]) => handOverKey({ market: consumer.market, key, id, nodes });
/** Transactions that the consumer has sent. */
const sent = () => consumer.market.publicClient.getTransactionCount({ address: consumer.address });

/** The seed in the newest wrap for a node, as the node opens it. */
async function seedFor(taskId: Hex, { node, operatorKey }: TestProvider, generation = 1) {
  const grants = await readKeyGrants(consumer.market, taskId);
  const { file, specBlob, salt } = decodeWrap(grants.findLast((grant) => grant.node === node)?.wrap ?? "0x");
  const decrypter = new Decrypter();
  decrypter.addIdentity(ageIdentity(nodeEncryptionSecret(operatorKey, generation)));
  return { seed: readWrapPayload(await decrypter.decrypt(file), consumer.address), specBlob, salt };
}

/** Fails unless it is refused so, with nothing sent. */
async function refused(done: () => Promise<unknown>, code: string, message: RegExp): Promise<void> {
  const before = await sent();
  await assert.rejects(done, (error: Error & { code?: string }) => {
    assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message);
    return true;
  });
  assert.equal(await sent(), before, "nothing was sent");
}

describe("a task's key that is handed to further nodes (rule 11)", () => {
  it("goes to all of them in one transaction, and they open the same key", async () => {
    const { taskId, leaseId, taskKey } = await award();
    const fourth = await startTestProvider(chain);
    const before = await sent();
    const { market } = consumer;
    const handed = await handTo(leaseId, third.node, standby.node, fourth.node, third.node);
    assert.equal(await sent(), before + 1);
    assert.equal(handed.taskId, taskId);
    assert.deepEqual(
      handed.handed,
      [third, fourth].map(({ node }) => ({ node, keyVersion: 1 })),
    );
    assert.deepEqual(
      handed.already.map(({ node }) => node),
      [standby.node],
    );
    const { logs } = await market.publicClient.getTransactionReceipt({ hash: handed.sent?.hash ?? "0x" });
    assert.equal(logs.length, 2);
    for (const provider of [first, standby, third, fourth])
      assert.deepEqual(await seedFor(taskId, provider), {
        seed: taskKey.reveal(),
        specBlob: SPEC_BLOB,
        salt: taskKey.salt,
      });
    const holders = await readKeyHolders(market, taskId);
    assert.deepEqual(
      holders.map(({ node, isCurrent, status }) => [node, isCurrent, status]),
      [first, standby, third, fourth].map(({ node }) => [node, true, "Active"]),
    );
    const { timeline } = await market.taskDetail(taskId);
    assert.deepEqual(await readKeyHolders(market, taskId, keyGrantsIn(timeline)), holders);

    // The chain lets it take the lease over at once, and the key is there for its start.
    await first.fail(leaseId, 1, "drained");
    await third.takeOver(leaseId);
    const { lease } = await market.task(taskId);
    assert.deepEqual([lease.node, lease.attempt, lease.state], [third.node, 2, "Assigned"]);
  });

  it("is not sent where every node has it: nothing is paid for", async () => {
    const { taskId } = await award();
    const before = await sent();
    const { handed, already, sent: transaction } = await handTo(taskId, standby.node, first.node);
    assert.deepEqual([handed, transaction, await sent()], [[], undefined, before]);
    assert.deepEqual(
      already.map(({ node, keyVersion, isCurrent }) => [node, keyVersion, isCurrent]),
      [
        [first.node, 1, true],
        [standby.node, 1, true],
      ],
    );
  });

  it("is wrapped anew for a node that has a wrap already, where that is asked for", async () => {
    const { taskId, taskKey } = await award();
    const given = (await readKeyGrants(consumer.market, taskId)).filter(({ node }) => node === standby.node);
    const { handed, already } = await handOverKey({
      market: consumer.market,
      key,
      id: taskId,
      nodes: [standby.node],
      again: true,
    });
    assert.deepEqual([handed, already], [[{ node: standby.node, keyVersion: 1 }], []]);
    const now = (await readKeyGrants(consumer.market, taskId)).filter(({ node }) => node === standby.node);
    assert.deepEqual([given.length, now.length], [1, 2]);
    assert.notEqual(now[1]?.wrap, now[0]?.wrap);
    assert.deepEqual((await seedFor(taskId, standby)).seed, taskKey.reveal());
  });

  it("is wrapped again for a node that has another encryption key by now", async () => {
    const rotated = await startTestProvider(chain);
    const { taskId, taskKey } = await awardPrivately(consumer, key, [first], { standbys: [rotated.node] });
    const encryptionKey = nodeEncryptionKey(rotated.operatorKey, 2);
    await rotated.market.updateProfile(rotated.node, aProfile({ encryptionKey }));
    const holders = await readKeyHolders(consumer.market, taskId);
    const { node } = rotated;
    assert.deepEqual(holders[1], {
      node,
      keyVersion: 1,
      currentVersion: 2,
      isCurrent: false,
      status: "Active",
    });
    const { handed, already } = await handTo(taskId, node);
    assert.deepEqual([handed, already], [[{ node, keyVersion: 2 }], []]);
    assert.deepEqual((await seedFor(taskId, rotated, 2)).seed, taskKey.reveal());
    await assert.rejects(seedFor(taskId, rotated, 1), "the old key opens it no more");
    assert.equal((await readKeyHolders(consumer.market, taskId))[1]?.isCurrent, true);
    assert.equal((await handTo(taskId, node)).sent, undefined);
  });

  it("asks last: who declines has sent nothing", async () => {
    const { taskId } = await award();
    const order = { market: consumer.market, key, id: taskId, nodes: [third.node, first.node] };
    const confirm = async (plan: Awaited<ReturnType<typeof planHandOver>>) => {
      assert.deepEqual(
        [plan.wraps.map(({ node }) => node), plan.already.map(({ node }) => node)],
        [[third.node], [first.node]],
      );
      throw new Error("no");
    };
    const before = await sent();
    await assert.rejects(handOverKey({ ...order, confirm }), /^Error: no$/);
    assert.equal(await sent(), before);
  });

  it("is refused without nodes, with more than one transaction takes, and for a node that is none", async () => {
    const { taskId } = await award();
    await refused(() => handTo(taskId), "USAGE", /^nodes: got 0, expected 1 to 128\.$/);
    const many = Array.from({ length: 129 }, (_, index) => address(index + 1));
    await refused(() => handTo(taskId, ...many), "USAGE", /^nodes: got 129, expected 1 to 128\.$/);
    await refused(() => handTo(taskId, third.node, address(7)), "NOT_FOUND", /There is no node 0x0+7\./);
    await refused(() => handTo(`0x${"77".repeat(32)}`, third.node), "NOT_FOUND", /no task or lease/);
  });

  it("is refused to everybody but its consumer", async () => {
    const { taskId } = await award();
    const other = await chain.account(10);
    const theirs = { market: other.market, key: await outputKeyOf(other.key), id: taskId };
    const message = new RegExp(
      `^Task ${taskId} is ${consumer.address}'s: only its consumer .* not ${other.address}\\.$`,
    );
    await refused(() => handOverKey({ ...theirs, nodes: [third.node] }), "NOT_ALLOWED", message);
    const reader = createMarket({ network: chain.network });
    await refused(
      () => planHandOver({ market: reader, key, id: taskId, nodes: [third.node] }),
      "NOT_ALLOWED",
      /^A wallet is needed/,
    );
  });

  it("is refused to a retired node, and to one to which nothing can be encrypted", async () => {
    const { taskId } = await award();
    const retired = await startTestProvider(chain);
    await retired.market.revokeOperator(retired.node);
    await refused(
      () => handTo(taskId, third.node, retired.node),
      "WRONG_STATE",
      new RegExp(`^Node ${retired.node}: it is retired`),
    );
    const broken = await startTestProvider(chain, aProfile({ encryptionKey: LOW_ORDER }));
    await refused(
      () => handTo(taskId, third.node, broken.node),
      "KEY_WRAP_INVALID",
      new RegExp(`^The node ${broken.node} has no usable encryption key\\.$`),
    );
  });

  it("is refused where the task is public, or over", async () => {
    const order = await aChainOrder(consumer.market);
    const open = await consumer.market.createTask(order);
    await refused(() => handTo(open.taskId, third.node), "WRONG_STATE", /it is public, and needs no key/);
    const { taskId } = await award();
    await consumer.market.cancel(taskId);
    await refused(() => handTo(taskId, third.node), "WRONG_STATE", /it is Cancelled: no node runs/);
  });

  it("is refused where no lease can go to the node: to an owner that has lost it, and after the last attempt", async () => {
    const lost = await award();
    await first.fail(lost.leaseId, 1, "drained");
    const encryptionKey = nodeEncryptionKey(first.operatorKey, 2);
    await first.market.updateProfile(first.node, roomy({ encryptionKey }));
    await refused(
      () => handTo(lost.taskId, first.node),
      "WRONG_STATE",
      new RegExp(`^Node ${first.node}: its owner ${getAddress(first.owner)} has lost the lease`),
    );
    const last = await award({ maxAttempts: 1 });
    await refused(() => handTo(last.taskId, third.node), "WRONG_STATE", /goes to another node, after 1 /);
    // Who has the lease may get the key again, whatever happens to it afterwards.
    const again = nodeEncryptionKey(first.operatorKey, 3);
    await first.market.updateProfile(first.node, roomy({ encryptionKey: again }));
    assert.equal((await handTo(last.taskId, first.node)).handed.length, 1);
  });

  it("is refused for replicas, which nobody takes over", async () => {
    const { taskId } = await awardPrivately(consumer, key, [first, standby, third], {
      order: { verification: 1, threshold: 2, maxAttempts: 1 },
    });
    const fourth = await startTestProvider(chain);
    await refused(() => handTo(taskId, fourth.node), "WRONG_STATE", /nobody takes a replica over/);
  });

  it("opens the window of a node that waits for it, and is refused once the chain takes it no more", async () => {
    const { taskId, leaseId } = await award();
    await first.fail(leaseId, 1, "drained");
    const { ticketAge, grantWindow } = (await consumer.market.task(taskId)).task.terms;
    await chain.control.increaseTime({ seconds: ticketAge + 120 });
    await third.takeOver(leaseId);
    assert.equal((await consumer.market.task(taskId)).lease.state, "AwaitingKey");
    const snapshot = await chain.control.snapshot();
    await handTo(taskId, third.node);
    assert.equal((await consumer.market.task(taskId)).lease.state, "Assigned");
    await chain.control.revert({ id: snapshot });
    await chain.control.increaseTime({ seconds: grantWindow + 1 });
    await chain.control.mine({ blocks: 1 });
    await refused(
      () => handTo(taskId, third.node),
      "WRONG_STATE",
      /its lease waited for the key until \d+, and the chain's clock is \d+: it comes too late/,
    );
  });

  it("is refused with another output key than the task's: no node is handed a key that opens nothing", async () => {
    const { taskId } = await award();
    const other = await outputKeyOf((await chain.account(0)).key);
    const message = /^The key of task 0x[0-9a-f]{64} was not made with this output key\.$/;
    const { market } = consumer;
    await refused(
      () => handOverKey({ market, key: other, id: taskId, nodes: [third.node] }),
      "READ_DENIED",
      message,
    );
    await assert.rejects(findTaskKey(market, other, taskId), { code: "READ_DENIED" });
  });
});

describe("who holds a task's key", () => {
  const wrap = (salt = deriveTaskKey(key).salt) =>
    encodeWrap({ salt, specBlob: SPEC_BLOB, file: Uint8Array.of(1) });

  it("is who was handed a wrap, with the newest key that it was for", () => {
    const nodes = [
      aNode({ address: address(1), encryptionKeyVersion: 3 }),
      aNode({ address: address(2), status: "Retired" }),
      aNode({ address: address(3) }),
    ];
    const grants = [
      { node: address(2), keyVersion: 1, wrap: wrap() },
      { node: address(1), keyVersion: 2, wrap: wrap() },
      { node: address(1), keyVersion: 3, wrap: wrap() },
    ];
    assert.deepEqual(keyHolders(grants, nodes), [
      { node: address(2), keyVersion: 1, currentVersion: 1, isCurrent: true, status: "Retired" },
      { node: address(1), keyVersion: 3, currentVersion: 3, isCurrent: true, status: "Active" },
    ]);
    assert.equal(keyHolders(grants.slice(0, 2), nodes)[1]?.isCurrent, false);
  });

  it("is not who was handed bytes that are no wrap", () => {
    assert.deepEqual(keyHolders([{ node: address(1), keyVersion: 1, wrap: "0x01" }], [aNode()]), []);
  });
});
