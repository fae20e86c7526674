import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type QuoteHold, QuoteJournal } from "../../src/journal/quotes.ts";
import { address, bytes32 } from "./builders.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

const START_MS = 1_800_000_000_000;
const NOW = 1_000;

const aHold = (change: Partial<QuoteHold> = {}): QuoteHold => ({
  consumer: address(1),
  orderHash: bytes32(1),
  asker: "host:10.0.0.1",
  memberIndex: 0,
  gpus: 1,
  vCpus: 2,
  memoryMiB: 2n ** 63n,
  lock: 2n ** 90n,
  expiry: NOW + 120,
  ...change,
});

function openJournal(t: TestContext) {
  const { db, dir } = openDatabase(t);
  const journal = new QuoteJournal(db, () => START_MS);
  const afterCrash = (nowMs = START_MS) => new QuoteJournal(reopenAfterCrash(t, dir).db, () => nowMs);
  return { journal, afterCrash };
}

describe("the journal of quotes", () => {
  it("has a quote before it is signed, and still has it after a crash", (t) => {
    const { journal, afterCrash } = openJournal(t);
    journal.issue([aHold(), aHold({ memberIndex: 1 })], NOW);
    assert.deepEqual(afterCrash().live(NOW), [aHold(), aHold({ memberIndex: 1 })]);
  });

  it("gives nonces in sequence, and no nonce twice, across crashes too", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const nonces = journal.issue([aHold(), aHold({ memberIndex: 1 })], NOW);
    nonces.push(...journal.issue([aHold({ orderHash: bytes32(2) })], NOW));
    const [first = 0n] = nonces;
    assert.deepEqual(nonces, [first, first + 1n, first + 2n]);
    assert.deepEqual(afterCrash().issue([aHold()], NOW), [first + 3n]);
  });

  it("gives no nonce twice when the state folder was lost, or put back from a copy", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const [before = 0n] = journal.issue([aHold()], NOW);
    const [restored = 0n] = afterCrash(START_MS + 1_000).issue([aHold()], NOW);
    const anew = new QuoteJournal(openDatabase(t).db, () => START_MS + 1_000);
    const [fresh = 0n] = anew.issue([aHold()], NOW);
    for (const later of [restored, fresh]) assert.ok(later > before + 1_000_000n, `${later} after ${before}`);
  });

  it("gives no nonce twice when the clock was set back", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const [first = 0n] = journal.issue([aHold()], NOW);
    assert.deepEqual(afterCrash(START_MS - 86_400_000).issue([aHold()], NOW), [first + 1n]);
  });

  it("begins again above what was cancelled, also after a crash, and never below what it gave out", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const [first = 0n] = journal.issue([aHold()], NOW);
    journal.skipTo(first, []);
    assert.deepEqual(journal.liveNonces(NOW), [first]);
    assert.equal(journal.nextNonce, first + 1n);
    journal.skipTo(first + 1_000n, [first]);
    assert.deepEqual([journal.live(NOW), journal.liveNonces(NOW)], [[], []]);
    assert.deepEqual(afterCrash().issue([aHold()], NOW), [first + 1_000n]);
  });

  it("holds a quote until it expires, and not a second longer", (t) => {
    const { journal } = openJournal(t);
    journal.issue([aHold()], NOW);
    assert.equal(journal.live(NOW + 120).length, 1);
    assert.equal(journal.live(NOW + 121).length, 0);
  });

  it("replaces what the same consumer was quoted for the same order, and nothing else", (t) => {
    const { journal } = openJournal(t);
    const others = [aHold({ consumer: address(2) }), aHold({ orderHash: bytes32(2) })];
    for (const other of others) journal.issue([other], NOW);
    journal.issue([aHold(), aHold({ memberIndex: 1 })], NOW);
    journal.issue([aHold({ memberIndex: 3 })], NOW);
    assert.deepEqual(journal.live(NOW), [...others, aHold({ memberIndex: 3 })]);
  });
});
