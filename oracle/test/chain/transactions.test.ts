import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DekuperError } from "@dekuper/protocol";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type Call, RESERVED_GAS_PER_LEASE } from "../../src/chain/calls.ts";
import { TransactionQueue, type TransactionSettings } from "../../src/chain/transactions.ts";
import { TransactionJournal } from "../../src/journal/transactions.ts";
import { anAttestation, bytes32 } from "../journal/builders.ts";
import { openDatabase, reopenAfterCrash } from "../journal/crash.ts";
import { readerOf } from "./builders.ts";
import { FakeChain } from "./fake-chain.ts";
import { RpcFault } from "./rpc-server.ts";

const accept = (task: number): Call => ({ name: "acceptTask", args: [bytes32(task)] });
const complete: Call = { name: "completeLease", args: [anAttestation(), "0x51"] };
/** 100,000 by the estimate and a quarter more, at twice a base fee of 10 and a tip of 1. */
const COST = 125_000n * 21n;
const RESERVE = RESERVED_GAS_PER_LEASE * 21n;

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 2_000, "it has not come to that");
    await sleep(5);
  }
}

async function startQueue(
  t: TestContext,
  change: Partial<TransactionSettings> & { liveLeases?: number } = {},
) {
  const { db, dir } = openDatabase(t);
  const chain = new FakeChain(10);
  const { reader, rpcs, clock } = await readerOf(t, [chain]);
  const [rpc] = rpcs;
  assert.ok(rpc);
  await reader.look();
  const account = privateKeyToAccount(generatePrivateKey());
  const events: string[] = [];
  const steps: string[] = [];
  const queueOn = (journal: TransactionJournal) =>
    new TransactionQueue({
      account,
      chainId: chain.chainId,
      taskRegistry: `0x${"22".repeat(20)}`,
      reader,
      journal,
      clock,
      settings: { maxFeePerGas: 100n, dailyCap: 10n ** 15n, replaceAfterMs: 30_000, ...change },
      liveLeases: () => change.liveLeases ?? 0,
      onEvent: (event) => events.push(event),
      onStep: (step) => {
        steps.push(`${step} (${rpc.count("eth_sendRawTransaction")} sent)`);
      },
    });
  const journal = new TransactionJournal(db, clock.now);
  const queue = queueOn(journal);
  const { signal } = new AbortController();
  /** A call that is waited for; its failure is looked at by whoever awaits it. */
  const submit = (call: Call, to = queue) => {
    const mined = to.submit(call, signal);
    mined.catch(() => undefined);
    return mined;
  };
  const look = async (to = queue) => {
    await reader.look();
    await to.poll();
  };
  /** Until the queue has sent so many transactions in all. */
  const sent = (count: number) => until(() => rpc.count("eth_sendRawTransaction") >= count);
  const mine = async () => {
    chain.mine();
    await look();
  };
  const restart = () => {
    const after = new TransactionJournal(reopenAfterCrash(t, dir).db, clock.now);
    return { queue: queueOn(after), journal: after };
  };
  return {
    chain,
    rpc,
    clock,
    reader,
    account,
    journal,
    queue,
    events,
    steps,
    submit,
    look,
    sent,
    mine,
    restart,
  };
}

const sends = (rpc: { count(method: string): number }) => rpc.count("eth_sendRawTransaction");

describe("a call in the queue", () => {
  it("is simulated, journalled, sent, and done when it is mined", async (t) => {
    const { submit, sent, mine, journal, steps, chain } = await startQueue(t);
    const mined = submit(accept(1));
    await sent(1);
    assert.equal(journal.pending()[0]?.nonce, 0);
    await mine();
    assert.equal((await mined).block, chain.head.number);
    assert.deepEqual(journal.pending(), []);
    assert.deepEqual(steps, ["prepared:acceptTask (0 sent)", "sent:acceptTask (1 sent)"]);
  });

  it("that always reverts is never sent, so that it burns no gas, and waits longer each time", async (t) => {
    const { submit, rpc, clock, queue, journal } = await startQueue(t);
    rpc.handlers.set("eth_estimateGas", () => {
      throw new RpcFault(3, "execution reverted", "0xdeadbeef");
    });
    await assert.rejects(submit(accept(1)), { code: "TRANSACTION_REVERTED" });
    await assert.rejects(submit(accept(1)), { code: "TRANSACTION_REVERTED", retryable: true });
    assert.equal(rpc.count("eth_estimateGas"), 1);
    assert.equal(queue.backingOff, 1);
    clock.ms += 2_000;
    await assert.rejects(submit(accept(1)), { code: "TRANSACTION_REVERTED" });
    clock.ms += 2_000;
    await assert.rejects(submit(accept(1)), { code: "TRANSACTION_REVERTED" });
    assert.equal(rpc.count("eth_estimateGas"), 2);
    assert.equal(sends(rpc), 0);
    assert.equal(journal.highestNonce(), undefined);
  });

  it("is not called reverted because an RPC fails", async (t) => {
    const { submit, rpc, queue } = await startQueue(t);
    rpc.handlers.set("eth_estimateGas", () => {
      throw new RpcFault(-32603, "Internal error");
    });
    await assert.rejects(submit(accept(1)), { code: "RPC_UNAVAILABLE" });
    assert.equal(queue.backingOff, 0);
  });

  it("joins the same call that is pending", async (t) => {
    const { submit, sent, mine, rpc } = await startQueue(t);
    const [first, second] = [submit(accept(1)), submit(accept(1))];
    await sent(1);
    await mine();
    assert.deepEqual(await second, await first);
    assert.equal(sends(rpc), 1);
  });

  it("takes the next nonce, also while others are pending", async (t) => {
    const { submit, sent, mine, journal } = await startQueue(t);
    const all = [1, 2, 3].map((task) => submit(accept(task)));
    await sent(3);
    assert.deepEqual(
      journal.pending().map(({ nonce }) => nonce),
      [0, 1, 2],
    );
    for (let block = 0; block < 3; block++) await mine();
    await Promise.all(all);
  });

  it("stays in the queue when nobody waits for it any more", async (t) => {
    const { queue, sent, mine, journal } = await startQueue(t);
    const stop = new AbortController();
    const mined = queue.submit(accept(1), stop.signal);
    await sent(1);
    stop.abort();
    await assert.rejects(mined, { code: "TIMED_OUT" });
    await mine();
    assert.equal(journal.get(1)?.state, "mined");
  });

  it("is not sent while the chain cannot be read", async (t) => {
    const { submit, rpc, reader } = await startQueue(t);
    rpc.mood = "down";
    await reader.look();
    rpc.mood = "answers";
    await assert.rejects(submit(complete), { code: "RPC_UNAVAILABLE" });
    assert.equal(sends(rpc), 0);
  });
});

describe("a transaction that is not mined", () => {
  it("is replaced at a higher fee under the same nonce, and done whichever is mined", async (t) => {
    const { submit, sent, look, mine, chain, clock, journal } = await startQueue(t);
    chain.includes = false;
    const mined = submit(accept(1));
    await sent(1);
    clock.ms += 29_999;
    await look();
    assert.equal(journal.pending()[0]?.sends.length, 1);
    clock.ms += 1;
    await look();
    const [pending] = journal.pending();
    const [first, second] = pending?.sends ?? [];
    assert.ok(first && second && second.maxFee * 10n >= first.maxFee * 11n);
    assert.deepEqual([...chain.mempool.keys()], [second.hash]);
    chain.includes = true;
    await mine();
    assert.equal((await mined).hash, second.hash);
  });

  it("is never paid more than the cap: there the same is sent again", async (t) => {
    const { submit, sent, look, clock, journal, chain, rpc } = await startQueue(t, { maxFeePerGas: 23n });
    chain.includes = false;
    submit(accept(1));
    await sent(1);
    for (let round = 0; round < 3; round++) {
      clock.ms += 30_000;
      await look();
    }
    const [pending] = journal.pending();
    assert.deepEqual(
      pending?.sends.map(({ maxFee }) => maxFee),
      [21n],
    );
    assert.ok(sends(rpc) > 1);
  });

  it("is not sent at all where the base fee is over the cap", async (t) => {
    const { submit, rpc } = await startQueue(t, { maxFeePerGas: 10n });
    await assert.rejects(submit(complete), { code: "GAS_CAP_REACHED" });
    assert.equal(sends(rpc), 0);
  });

  it("is given up when its nonce went to somebody else, and only after many looks", async (t) => {
    const { submit, sent, look, chain, account, journal } = await startQueue(t);
    chain.includes = false;
    const mined = submit(accept(1));
    await sent(1);
    chain.mempool.clear();
    chain.spendNonce(account.address);
    for (let looks = 0; looks < 19; looks++) await look();
    assert.equal(journal.get(1)?.state, "pending");
    await look();
    await assert.rejects(mined, { code: "TRANSACTION_REVERTED" });
    assert.equal(journal.get(1)?.state, "replaced");
  });

  it("is not given up for an RPC that knows no receipt of a mined one for a while", async (t) => {
    const { submit, sent, mine, look, rpc, chain } = await startQueue(t);
    const mined = submit(accept(1));
    await sent(1);
    rpc.handlers.set("eth_getTransactionReceipt", () => null);
    for (let looks = 0; looks < 10; looks++) await mine();
    for (const [method, handler] of Object.entries(chain.handlers())) rpc.handlers.set(method, handler);
    await look();
    await mined;
    assert.equal(sends(rpc), 1);
  });
});

describe("a transaction that was sent into the dark", () => {
  it("keeps its nonce and is sent again as it is: it may have arrived", async (t) => {
    const { submit, mine, rpc, chain, journal, events } = await startQueue(t);
    const { eth_sendRawTransaction: take } = chain.handlers();
    rpc.handlers.set("eth_sendRawTransaction", async (...raw) => {
      await take?.(...raw);
      await new Promise(() => undefined);
    });
    const mined = submit(accept(1));
    await until(() => events.includes("transaction-not-sent"));
    assert.equal(journal.pending()[0]?.nonce, 0);
    await mine();
    await mined;
  });

  it("gives its nonce back where every RPC has refused it", async (t) => {
    const { submit, sent, mine, rpc, chain, journal } = await startQueue(t);
    rpc.handlers.set("eth_sendRawTransaction", () => {
      throw new RpcFault(-32000, "insufficient funds for gas * price + value");
    });
    await assert.rejects(submit(accept(1)), { code: "INSUFFICIENT_GAS" });
    assert.equal(journal.get(1)?.state, "refused");
    for (const [method, handler] of Object.entries(chain.handlers())) rpc.handlers.set(method, handler);
    const mined = submit(accept(1));
    await sent(2);
    assert.equal(journal.pending()[0]?.nonce, 0);
    await mine();
    await mined;
  });
});

describe("after a crash", () => {
  it("what was journalled and never sent is sent once, with the same nonce and bytes", async (t) => {
    const { submit, rpc, restart, look, chain, journal } = await startQueue(t);
    rpc.handlers.set("eth_sendRawTransaction", () => new Promise(() => undefined));
    submit(accept(1));
    await until(() => journal.pending().length === 1);
    const after = restart();
    for (const [method, handler] of Object.entries(chain.handlers())) rpc.handlers.set(method, handler);
    const again = submit(accept(1), after.queue);
    await look(after.queue);
    assert.deepEqual([...chain.mempool.keys()], [journal.pending()[0]?.sends[0]?.hash]);
    chain.mine();
    await look(after.queue);
    await again;
    assert.equal(after.journal.highestNonce(), 0);
  });

  it("what was mined meanwhile is found, and sent no second time", async (t) => {
    const { submit, sent, rpc, restart, look, chain } = await startQueue(t);
    submit(accept(1));
    await sent(1);
    chain.mine();
    const after = restart();
    await look(after.queue);
    assert.equal(after.journal.get(1)?.state, "mined");
    assert.equal(sends(rpc), 1);
  });

  it("what waits in the mempool is not paid twice", async (t) => {
    const { submit, sent, restart, look, chain, journal } = await startQueue(t);
    submit(accept(1));
    await sent(1);
    const after = restart();
    await look(after.queue);
    submit(accept(1), after.queue);
    await look(after.queue);
    assert.deepEqual([...chain.mempool.keys()], [journal.pending()[0]?.sends[0]?.hash]);
  });
});

describe("a reorg", () => {
  it("opens a mined transaction again and sends the same bytes; once final it is left alone", async (t) => {
    const { submit, sent, mine, look, chain, journal, events, rpc } = await startQueue(t);
    const mined = submit(accept(1));
    await sent(1);
    await mine();
    const { hash } = await mined;
    chain.drop(1);
    chain.mine("fork");
    chain.mine("fork");
    await look();
    assert.ok(events.includes("transaction-reorged"));
    assert.equal(journal.get(1)?.state, "pending");
    assert.deepEqual([...chain.mempool.keys()], [hash]);
    for (let block = 0; block < 5; block++) await mine();
    assert.equal(journal.get(1)?.state, "mined");
    const receipts = rpc.count("eth_getTransactionReceipt");
    await look();
    assert.equal(rpc.count("eth_getTransactionReceipt"), receipts);
  });
});

describe("the gas budgets", () => {
  it("let what can wait spend so much a day, and no more", async (t) => {
    const { submit, sent, mine, clock } = await startQueue(t, { dailyCap: COST * 2n });
    const first = submit(accept(1));
    await sent(1);
    await mine();
    await first;
    submit(accept(2));
    await sent(2);
    await assert.rejects(submit(accept(3)), { code: "GAS_CAP_REACHED", retryable: true });
    clock.ms += 86_400_001;
    submit(accept(3));
    await sent(3);
  });

  it("let a lease complete whatever the day has cost", async (t) => {
    const { submit, sent } = await startQueue(t, { dailyCap: 0n });
    await assert.rejects(submit(accept(1)), { code: "GAS_CAP_REACHED" });
    submit(complete);
    await sent(1);
  });

  it("keep what the live leases need to end: nothing that can wait touches it", async (t) => {
    const { submit, sent, chain } = await startQueue(t, { liveLeases: 2 });
    chain.balance = COST + 2n * RESERVE;
    await assert.rejects(submit(accept(1)), { code: "INSUFFICIENT_GAS" });
    submit({ name: "settle", args: [bytes32(1)] });
    await sent(1);
    chain.balance = COST;
    submit(complete);
    await sent(2);
  });

  it("count a lease that is being accepted, and what is sent but not yet paid", async (t) => {
    const { submit, sent, chain } = await startQueue(t);
    chain.includes = false;
    chain.balance = COST + RESERVE;
    submit(accept(1));
    await sent(1);
    await assert.rejects(submit(accept(2)), { code: "INSUFFICIENT_GAS" });
    chain.balance = 2n * (COST + RESERVE) - 1n;
    await assert.rejects(submit(accept(2)), { code: "INSUFFICIENT_GAS" });
    chain.balance = 2n * (COST + RESERVE);
    submit(accept(2));
    await sent(2);
  });
});

describe("a frozen queue", () => {
  it("signs and sends nothing any more, new, stuck or taken back by a reorg, and still sees what is mined", async (t) => {
    const { submit, sent, mine, look, queue, chain, clock, rpc, journal } = await startQueue(t);
    const mined = submit(accept(1));
    await sent(1);
    await mine();
    await mined;
    chain.includes = false;
    submit(accept(2));
    await sent(2);
    queue.freeze(new DekuperError("LEADER_LOCK_HELD", "Another daemon has the key."));
    await assert.rejects(submit(complete), { code: "LEADER_LOCK_HELD" });
    chain.drop(1);
    chain.mine("fork");
    chain.mine("fork");
    clock.ms += 60_000;
    for (let looks = 0; looks < 3; looks++) await look();
    assert.equal(sends(rpc), 2);
    assert.equal(journal.pending().length, 2);
  });
});
