import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IMPATIENT } from "./builders.ts";
import { accept, complete, sends, startQueue, until } from "./queue.ts";
import { RpcFault } from "./rpc-server.ts";

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

  it("is never paid more than the cap: there the same is sent again, as seldom as a replacement would be", async (t) => {
    const { submit, sent, look, clock, journal, chain, rpc } = await startQueue(t, { maxFeePerGas: 23n });
    chain.includes = false;
    submit(accept(1));
    await sent(1);
    for (let round = 0; round < 3; round++) {
      clock.ms += 30_000;
      for (let looks = 0; looks < 5; looks++) await look();
    }
    const [pending] = journal.pending();
    assert.deepEqual(
      pending?.sends.map(({ maxFee }) => maxFee),
      [21n],
    );
    assert.equal(sends(rpc), 1 + 3);
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
    const { submit, look, rpc, chain, journal, events } = await startQueue(t, IMPATIENT);
    const { eth_sendRawTransaction: take } = chain.handlers();
    rpc.handlers.set("eth_sendRawTransaction", async (...raw) => {
      await take?.(...raw);
      await new Promise(() => undefined);
    });
    const mined = submit(accept(1));
    await until(() => events.includes("transaction-not-sent"));
    assert.equal(journal.pending()[0]?.nonce, 0);
    chain.mine();
    for (let looks = 0; looks < 20 && journal.pending().length > 0; looks++) await look();
    assert.equal(journal.get(1)?.state, "mined");
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
