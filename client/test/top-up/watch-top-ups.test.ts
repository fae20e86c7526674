import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type TopUpEvent,
  type TopUpMemory,
  type TopUpNotice,
  type TopUpRules,
  watchTopUps,
} from "@dekuper/client";
import type { Hex } from "viem";
import { startTestChain, type TestChain } from "../chain.ts";
import { aChainOrder } from "../chain-order.ts";
import { startTestProvider, type TestProvider } from "../provider.ts";

/** At 3.6 dollars an hour a second costs 1000 base units. */
const RATE = 3_600_000n;
const rules: TopUpRules = { cap: 250_000n, stepSeconds: 100, leadSeconds: 60, noticeSeconds: 40 };

describe("a capped automatic top-up", () => {
  let chain: TestChain;
  let provider: TestProvider;
  before(async () => {
    chain = await startTestChain();
    provider = await startTestProvider(chain);
  });
  after(() => chain?.stop());

  /** A running task, funded for 200 of 1000 seconds, of a consumer of its own. */
  async function running(deposit = 100_000_000n) {
    const consumer = await chain.account(200);
    const { market } = consumer;
    await market.deposit(deposit);
    const order = await aChainOrder(market, { maxDuration: 1_000, fundedSeconds: 200, ratePerHour: RATE });
    const { taskId, leaseId } = await market.createTask(order);
    await provider.accept(taskId);
    await provider.start(leaseId);
    return { market, taskId, address: consumer.address };
  }
  type Run = Awaited<ReturnType<typeof running>>;

  /** A memory that outlives its watch, as a file does. */
  function aMemory(): TopUpMemory {
    const notices = new Map<Hex, TopUpNotice>();
    return {
      load: async (taskId) => notices.get(taskId),
      save: async (taskId, notice) => void notices.set(taskId, notice),
    };
  }

  /** A watch that runs until it is stopped; its events so far. */
  function watch({ market, taskId }: Run, memory = aMemory(), change: Partial<TopUpRules> = {}) {
    const stop = new AbortController();
    const events: TopUpEvent[] = [];
    const ended = (async () => {
      const from = {
        market,
        taskId,
        rules: { ...rules, ...change },
        memory,
        pollMs: 20,
        signal: stop.signal,
      };
      for await (const event of watchTopUps(from)) events.push(event);
    })().catch((error) => {
      if (!stop.signal.aborted) throw error;
    });
    const kinds = () => events.map(({ kind }) => kind);
    return {
      events,
      kinds,
      ended,
      stop: async () => {
        stop.abort();
        await ended;
      },
      has: async (...wanted: TopUpEvent["kind"][]) => {
        for (let turn = 0; turn < 400 && !wanted.every((kind) => kinds().includes(kind)); turn++)
          await sleep(25);
        for (const kind of wanted) assert.ok(kinds().includes(kind), `${kind} in ${kinds()}`);
      },
    };
  }

  const rest = async (seconds: number) => {
    await chain.control.increaseTime({ seconds });
    await chain.control.mine({ blocks: 1 });
  };
  const funded = async ({ market, taskId }: Run) => (await market.task(taskId)).task.fundedSeconds;

  it("announces, then reserves, and stops at the cap", async () => {
    const run = await running();
    const watched = watch(run);
    await sleep(200);
    assert.deepEqual(watched.kinds(), []); // 200 s are left: nothing to say
    await rest(105);
    await watched.has("announced");
    await sleep(200);
    assert.equal(await funded(run), 200, "announced is not yet reserved");
    await rest(45);
    await watched.has("toppedUp");
    assert.equal(await funded(run), 300);
    await rest(60); // the next one: announced with 140 s left of 300, sent 40 s later
    await rest(45);
    await sleep(300);
    await rest(45);
    await sleep(300);
    assert.equal(await funded(run), 400);
    for (let turn = 0; turn < 8; turn++) {
      await rest(20);
      await sleep(150);
    }
    await watched.has("hindered");
    await watched.stop();
    assert.equal(await funded(run), 450, "250 seconds are all that the cap pays for");
    const reserved = watched.events.reduce(
      (sum, event) => sum + (event.kind === "toppedUp" ? event.reserved : 0n),
      0n,
    );
    assert.equal(reserved, rules.cap);
    const again = watch(run);
    await again.has("hindered");
    await again.stop();
    assert.equal(await funded(run), 450, "a restart does not begin the cap anew");
  });

  it("sends nothing while its own transaction is pending, also after a restart, and so tops up once", async () => {
    const run = await running();
    const memory = aMemory();
    const first = watch(run, memory);
    await rest(105);
    await first.has("announced");
    await chain.control.setAutomine(false);
    try {
      await rest(45);
      await first.has("sending");
      const { publicClient } = run.market;
      const nonce = () => publicClient.getTransactionCount({ address: run.address, blockTag: "pending" });
      const mined = await publicClient.getTransactionCount({ address: run.address });
      while ((await nonce()) === mined) await sleep(20);
      void first.stop(); // killed while it waits for the block
      const second = watch(run, memory);
      await second.has("pending");
      await sleep(300);
      assert.deepEqual(second.kinds(), ["pending"]);
      assert.equal(await nonce(), mined + 1);
      await chain.control.mine({ blocks: 1 });
      await sleep(400);
      assert.equal(await funded(run), 300);
      assert.deepEqual(second.kinds(), ["pending"]);
      await second.stop();
    } finally {
      await chain.control.setAutomine(true);
    }
  });

  it("remembers its notice over a restart", async () => {
    const run = await running();
    const memory = aMemory();
    const first = watch(run, memory);
    await rest(105);
    await first.has("announced");
    await first.stop();
    const second = watch(run, memory);
    await rest(45);
    await second.has("toppedUp");
    await second.stop();
    assert.deepEqual(second.kinds(), ["sending", "toppedUp"]);
  });

  it("counts what was topped up by hand", async () => {
    const run = await running();
    await run.market.topUp(run.taskId, 440);
    const watched = watch(run);
    await rest(440 - 95);
    await watched.has("announced");
    const [event] = watched.events;
    assert.equal(event?.kind === "announced" && event.topUp.amount, 10_000n);
    await watched.stop();
  });

  it("tops up once where two watches run", async () => {
    const run = await running();
    const both = [watch(run), watch(run)];
    await rest(105);
    await Promise.all(both.map((each) => each.has("announced")));
    await rest(45);
    await sleep(1_500);
    await Promise.all(both.map((each) => each.stop()));
    assert.equal(await funded(run), 300);
  });

  it("says that nothing is free, and ends with the task", async () => {
    const run = await running(200_000n); // what is funded takes all of it
    const watched = watch(run);
    await rest(145);
    await watched.has("hindered");
    assert.equal(watched.events[0]?.kind === "hindered" && watched.events[0].by, "free");
    const { lease, task } = await run.market.task(run.taskId);
    await provider.complete({ taskId: run.taskId, leaseId: lease.leaseId, specDigest: task.specDigest });
    await watched.has("done");
    await watched.ended;
  });
});
