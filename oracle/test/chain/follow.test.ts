import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Hex, hexToNumber } from "viem";
import { type FollowItem, followLogs } from "../../src/chain/follow.ts";
import { FactStore } from "../../src/journal/facts.ts";
import { openDatabase } from "../journal/crash.ts";
import { aDeployment, readerOf } from "./builders.ts";
import { FakeChain } from "./fake-chain.ts";
import { RpcFault } from "./rpc-server.ts";

const RANGE = 10;

async function startFollower(t: TestContext, length: number, rpcCount = 1) {
  const chain = new FakeChain(length);
  const { reader, rpcs } = await readerOf(
    t,
    Array.from({ length: rpcCount }, () => chain),
  );
  const store = new FactStore(openDatabase(t).db);
  const deployment = aDeployment(chain);
  const asked: [number, number][] = [];
  for (const rpc of rpcs)
    rpc.handlers.set("eth_getLogs", ({ fromBlock, toBlock }: { fromBlock: Hex; toBlock: Hex }) => {
      asked.push([hexToNumber(fromBlock), hexToNumber(toBlock)]);
      return [];
    });
  /** One look and everything that the follower finds after it, recorded as the daemon does. */
  const follow = async (options: { look?: boolean; signal?: AbortSignal } = {}): Promise<FollowItem[]> => {
    if (options.look ?? true) await reader.look();
    const items: FollowItem[] = [];
    const signal = options.signal ?? new AbortController().signal;
    for await (const item of followLogs({ reader, store, deployment, range: RANGE, signal })) {
      items.push(item);
      if (item.kind === "reorged") store.rewind(item.toBlock);
      else store.record(item.facts, item.block);
    }
    return items;
  };
  return { chain, reader, rpcs, store, asked, follow };
}

const reorgs = (items: readonly FollowItem[]) =>
  items.flatMap((item) => (item.kind === "reorged" ? [item.toBlock] : []));

describe("following the logs", () => {
  it("reads from the deployment to the head in bounded ranges, with a stop at the final block", async (t) => {
    const { follow, asked, store, chain } = await startFollower(t, 30);
    await follow();
    assert.deepEqual(asked, [
      [1, 10],
      [11, 20],
      [21, 26],
      [27, 29],
    ]);
    assert.deepEqual(store.cursor(), { number: 29, hash: chain.head.hash });
    assert.ok(store.blocks().some(({ number }) => number === 26));
  });

  it("asks for fewer blocks where an RPC refuses so many, and goes on with as many as it takes", async (t) => {
    const { follow, asked, store, rpcs } = await startFollower(t, 30);
    const good = rpcs[0]?.handlers.get("eth_getLogs");
    rpcs[0]?.handlers.set("eth_getLogs", (query: { fromBlock: Hex; toBlock: Hex }) => {
      if (hexToNumber(query.toBlock) - hexToNumber(query.fromBlock) >= 3)
        throw new RpcFault(-32_005, "query exceeds the block range");
      return good?.(query as never);
    });
    await follow();
    assert.equal(store.cursor()?.number, 29);
    assert.deepEqual(asked.slice(0, 3), [
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it("gives up where not even one block is answered for", async (t) => {
    const { follow, rpcs, store } = await startFollower(t, 30);
    rpcs[0]?.handlers.set("eth_getLogs", () => {
      throw new RpcFault(-32_005, "not today");
    });
    await assert.rejects(follow(), { code: "RPC_UNAVAILABLE" });
    assert.equal(store.cursor(), undefined);
  });

  it("goes on behind the cursor, and asks for nothing where there is nothing new", async (t) => {
    const { follow, asked, chain } = await startFollower(t, 8);
    await follow();
    asked.length = 0;
    for (let hint = 0; hint < 3; hint++) assert.deepEqual(await follow(), []);
    assert.deepEqual(asked, []);
    chain.mine();
    await follow();
    assert.deepEqual(asked, [[8, 8]]);
  });

  it("finds nothing while the chain cannot be read", async (t) => {
    const { follow, rpcs, store } = await startFollower(t, 8);
    for (const rpc of rpcs) rpc.mood = "down";
    assert.deepEqual(await follow(), []);
    assert.equal(store.cursor(), undefined);
  });

  it("stops between two ranges when it is told to", async (t) => {
    const { follow, store, rpcs } = await startFollower(t, 30);
    const stop = new AbortController();
    for (const rpc of rpcs)
      rpc.handlers.set("eth_getLogs", () => {
        stop.abort();
        return [];
      });
    assert.equal((await follow({ signal: stop.signal })).length, 1);
    assert.equal(store.cursor()?.number, 10);
  });

  it("leaves the cursor where a range could not be read, and takes it up there", async (t) => {
    const { follow, store, rpcs, asked } = await startFollower(t, 30);
    const [rpc] = rpcs;
    const good = rpc?.handlers.get("eth_getLogs");
    rpc?.handlers.set("eth_getLogs", (...params) => {
      if (asked.length === 2 && rpc !== undefined) rpc.mood = "down";
      return good?.(...params);
    });
    await assert.rejects(follow(), { code: "RPC_UNAVAILABLE" });
    const cursor = store.cursor()?.number ?? 0;
    assert.ok(cursor >= 10 && cursor < 29);
    if (rpc !== undefined) rpc.mood = "answers";
    asked.length = 0;
    await follow();
    assert.equal(asked[0]?.[0], cursor + 1);
    assert.equal(store.cursor()?.number, 29);
  });

  it("asks another RPC where one fails in the middle", async (t) => {
    const { follow, rpcs, store } = await startFollower(t, 30, 2);
    rpcs[0]?.handlers.delete("eth_getLogs");
    await follow();
    assert.equal(store.cursor()?.number, 29);
  });
});

describe("a reorg", () => {
  it("is an item that names the block up to which all is as before", async (t) => {
    const { follow, chain, store } = await startFollower(t, 8);
    await follow();
    for (let block = 0; block < 4; block++) {
      chain.mine();
      await follow();
    }
    chain.drop(2);
    for (let block = 0; block < 3; block++) chain.mine("fork");
    assert.deepEqual(reorgs(await follow()), [9]);
    assert.deepEqual(store.cursor(), { number: 12, hash: chain.head.hash });
    assert.deepEqual(reorgs(await follow()), []);
  });

  it("after a first long read goes back to the final block, not to the deployment", async (t) => {
    const { follow, chain } = await startFollower(t, 30);
    await follow();
    chain.drop(1);
    chain.mine("fork");
    chain.mine("fork");
    assert.deepEqual(reorgs(await follow()), [26]);
  });

  it("deeper than every kept block has everything read again, while the deployment is there", async (t) => {
    const { follow, chain, asked } = await startFollower(t, 8);
    await follow();
    chain.drop(6);
    for (let block = 0; block < 9; block++) chain.mine("fork");
    asked.length = 0;
    assert.deepEqual(reorgs(await follow()), [0]);
    assert.equal(asked[0]?.[0], 1);
  });

  it("that takes the deployment with it is another chain", async (t) => {
    const { follow, chain, store } = await startFollower(t, 8);
    await follow();
    const before = store.cursor();
    chain.drop(7);
    for (let block = 0; block < 9; block++) chain.mine("other");
    await assert.rejects(follow(), { code: "CHAIN_CHANGED" });
    assert.deepEqual(store.cursor(), before);
  });

  it("is not seen in an RPC that lags", async (t) => {
    const { follow, chain, store } = await startFollower(t, 12);
    await follow();
    chain.drop(4);
    assert.deepEqual(await follow(), []);
    assert.equal(store.cursor()?.number, 11);
  });

  it("is seen in a shorter chain when that is not the deployment's", async (t) => {
    const { follow, chain } = await startFollower(t, 12);
    await follow();
    chain.drop(11);
    for (let block = 0; block < 4; block++) chain.mine("other");
    await assert.rejects(follow(), { code: "CHAIN_CHANGED" });
  });

  it("is not concluded from a block that an RPC does not find", async (t) => {
    const { follow, chain, store, rpcs } = await startFollower(t, 12);
    await follow();
    const before = store.blocks();
    chain.mine();
    const { eth_getBlockByNumber: show } = chain.handlers();
    rpcs[0]?.handlers.set("eth_getBlockByNumber", (...which) =>
      Number(which[0]) === 11 ? null : show?.(...which),
    );
    await assert.rejects(follow(), { code: "RPC_UNAVAILABLE" });
    assert.deepEqual(store.blocks(), before);
  });
});
