import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accept, sends, startQueue, until } from "./queue.ts";

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

  for (const [when, isRestarted] of [
    ["while nobody looked", false],
    ["while the daemon was down", true],
  ] as const) {
    it(`${when}, and that is below the final block by now, is found all the same: nothing waits behind a lost nonce`, async (t) => {
      const { submit, sent, mine, look, chain, journal, queue, restart } = await startQueue(t);
      const mined = submit(accept(1));
      await sent(1);
      await mine();
      const { hash } = await mined;
      await look();
      chain.drop(1);
      for (let block = 0; block < 10; block++) chain.mine("fork");
      const after = isRestarted ? restart() : { queue, journal };
      await look(after.queue);
      await look(after.queue);
      assert.deepEqual([...chain.mempool.keys()], [hash]);
      chain.mine("fork");
      await look(after.queue);
      assert.equal(after.journal.get(1)?.state, "mined");
    });
  }
});
