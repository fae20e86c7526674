import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Hex } from "viem";
import { type GasBudget, TransactionJournal } from "../../src/journal/transactions.ts";
import { address, bytes32 } from "./builders.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

function openJournal(t: TestContext) {
  const { db, dir } = openDatabase(t);
  const clock = { now: 1_000 };
  const journal = new TransactionJournal(db, () => clock.now);
  const afterCrash = () => new TransactionJournal(reopenAfterCrash(t, dir).db, () => clock.now);
  return { journal, clock, afterCrash };
}

const call = (nonce: number, purpose = `settle:${nonce}`, budget: GasBudget = "capped") => ({
  purpose,
  budget,
  nonce,
  target: address(1),
  data: "0xdada" as Hex,
  gas: 100n,
});
const send = (fill: number, maxFee = 10n) => ({
  hash: bytes32(fill),
  raw: `0x0${fill}` as Hex,
  maxFee,
  tip: 1n,
});

describe("the transaction journal", () => {
  it("has nonce and signed bytes before anything is sent", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const id = journal.prepare(call(7), send(1));
    const [pending] = afterCrash().pending();
    assert.deepEqual(pending, {
      id,
      ...call(7),
      state: "pending",
      createdAt: 1_000,
      sends: [{ ...send(1), sentAt: 1_000 }],
    });
  });

  it("keeps every replacement, the newest last, and none twice", (t) => {
    const { journal, clock, afterCrash } = openJournal(t);
    const id = journal.prepare(call(7), send(1));
    clock.now = 2_000;
    journal.addSend(id, send(2, 12n));
    journal.addSend(id, send(2, 12n));
    assert.deepEqual(
      afterCrash()
        .get(id)
        ?.sends.map(({ hash, sentAt }) => [hash, sentAt]),
      [
        [bytes32(1), 1_000],
        [bytes32(2), 2_000],
      ],
    );
  });

  it("is pending until it is mined, reverted, replaced or refused; a reorg opens it again", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const ids = [1, 2, 3, 4].map((nonce) => journal.prepare(call(nonce), send(nonce)));
    const [mined, reverted, replaced, refused] = ids as [number, number, number, number];
    journal.finish(mined, "mined", { block: 10, cost: 5n });
    journal.finish(reverted, "reverted", { block: 11, cost: 5n });
    journal.finish(replaced, "replaced");
    journal.finish(refused, "refused");
    assert.deepEqual(afterCrash().pending(), []);
    assert.deepEqual(
      journal.unsettled().map(({ id }) => id),
      [mined, reverted],
    );
    journal.settle(reverted);
    assert.deepEqual(
      afterCrash()
        .unsettled()
        .map(({ id, block }) => [id, block]),
      [[mined, 10]],
    );
    journal.reopen(mined);
    const [again] = afterCrash().pending();
    assert.equal(again?.id, mined);
    assert.equal(again?.block, undefined);
  });

  it("lists what is pending by nonce, so that the oldest is looked at first", (t) => {
    const { journal } = openJournal(t);
    for (const nonce of [9, 7, 8]) journal.prepare(call(nonce), send(nonce));
    assert.deepEqual(
      journal.pending().map(({ nonce }) => nonce),
      [7, 8, 9],
    );
  });

  it("gives a refused transaction's nonce back, and no other", (t) => {
    const { journal } = openJournal(t);
    assert.equal(journal.highestNonce(), undefined);
    for (const nonce of [0, 1]) journal.prepare(call(nonce), send(nonce));
    journal.finish(1, "replaced");
    journal.finish(2, "refused");
    assert.equal(journal.highestNonce(), 0);
  });

  it("gives the same bytes to the later transaction when a refusal had freed their nonce", (t) => {
    const { journal, afterCrash } = openJournal(t);
    journal.finish(journal.prepare(call(0), send(1)), "refused");
    const again = journal.prepare(call(0), send(1));
    assert.deepEqual(
      afterCrash()
        .get(again)
        ?.sends.map(({ hash }) => hash),
      [bytes32(1)],
    );
  });

  it("counts what a budget has cost: what was paid, and the most of what is pending", (t) => {
    const { journal, clock } = openJournal(t);
    journal.finish(journal.prepare(call(0), send(1)), "mined", { block: 1, cost: 300n });
    clock.now = 2_000;
    const stuck = journal.prepare(call(1), send(2, 10n));
    clock.now = 3_000;
    journal.addSend(stuck, send(3, 12n));
    journal.prepare(call(2, "completeLease", "reserved"), send(4));
    journal.finish(journal.prepare(call(3), send(5)), "refused");
    journal.finish(journal.prepare(call(4), send(6)), "reverted", { block: 2, cost: 70n });
    assert.equal(journal.spentSince("capped", 0), 300n + 100n * 12n + 70n);
    assert.equal(journal.spentSince("capped", 1_500), 100n * 12n + 70n);
    assert.equal(journal.spentSince("reserved", 0), 100n * 10n);
    assert.equal(journal.spentSince("capped", 9_999), 0n);
  });
});
