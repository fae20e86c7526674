import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Hex } from "viem";
import { type ChainFact, FactStore } from "../../src/journal/facts.ts";
import { anOrder } from "../plan/builders.ts";
import { address, bytes32, CONSUMER } from "./builders.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

const NODE = address(9);
const block = (number: number, fork = 0) => ({
  number,
  hash: `0x${(number * 16 + fork).toString(16)}` as Hex,
});

const created = (at: number, lease: number, openUntil = 5_000n): ChainFact => ({
  kind: "task",
  block: at,
  logIndex: lease,
  task: {
    taskId: bytes32(lease + 100),
    leaseId: bytes32(lease),
    consumer: CONSUMER,
    order: anOrder({ openUntil }),
  },
});

const happened = (at: number, lease: number, event: string): ChainFact => ({
  kind: "lease",
  block: at,
  logIndex: 50 + lease,
  event,
  leaseId: bytes32(lease),
  ...(event === "LeaseAssigned" ? { node: NODE, attempt: 1 } : {}),
});

const open = (store: FactStore, now = 1_000) => store.openTasks(now, 10).map(({ leaseId }) => leaseId);

describe("the facts of the chain", () => {
  it("move with their cursor: a crash finds both or neither", (t) => {
    const { db, dir } = openDatabase(t);
    const store = new FactStore(db);
    store.record([created(1, 1)], block(10));
    const poisoned = { ...created(12, 2), block: "x" } as unknown as ChainFact;
    assert.throws(() => store.record([created(11, 3), poisoned], block(20)));
    const restarted = new FactStore(reopenAfterCrash(t, dir).db);
    assert.deepEqual(restarted.cursor(), block(10));
    assert.deepEqual(open(restarted), [bytes32(1)]);
  });

  it("are the same however often a range is read", (t) => {
    const store = new FactStore(openDatabase(t).db);
    const facts = [created(1, 1), created(2, 2), happened(3, 2, "LeaseAssigned")];
    for (let times = 0; times < 3; times++) store.record(facts, block(10));
    assert.deepEqual(open(store), [bytes32(1)]);
    assert.deepEqual(store.assignedTo(NODE), [{ leaseId: bytes32(2), attempt: 1 }]);
    assert.deepEqual(store.blocks(), [block(10)]);
  });

  it("are the same in whatever order, and however often, an answer holds them", (t) => {
    const facts: ChainFact[] = [
      created(1, 1),
      created(2, 2),
      created(3, 3),
      happened(4, 2, "LeaseAssigned"),
      happened(5, 3, "LeaseAssigned"),
      happened(6, 3, "LeaseSettled"),
    ];
    const shuffledWithRepeats = fc
      .tuple(fc.shuffledSubarray(facts), fc.shuffledSubarray(facts, { minLength: facts.length }))
      .map(([repeats, all]) => [...repeats, ...all]);
    fc.assert(
      fc.property(shuffledWithRepeats, (answer) => {
        const store = new FactStore(openDatabase(t).db);
        store.record(answer, block(10));
        assert.deepEqual(open(store), [bytes32(1)]);
        assert.deepEqual(store.assignedTo(NODE), [{ leaseId: bytes32(2), attempt: 1 }]);
      }),
      { numRuns: 30 },
    );
  });

  it("read back as they were", (t) => {
    const { db, dir } = openDatabase(t);
    const fact = created(1, 1);
    new FactStore(db).record([fact], block(1));
    const restarted = new FactStore(reopenAfterCrash(t, dir).db);
    assert.deepEqual(fact.kind === "task" && fact.task, restarted.task(bytes32(1)));
    assert.deepEqual(fact.kind === "task" && fact.task, restarted.openTasks(1_000, 1)[0]);
    assert.equal(restarted.task(bytes32(2)), undefined);
  });

  it("are rewound with the cursor, and what the new chain says stands", (t) => {
    const store = new FactStore(openDatabase(t).db);
    store.record([created(10, 1)], block(10));
    store.record(
      [
        created(11, 2),
        happened(12, 1, "LeaseAssigned"),
        { kind: "node", block: 12, logIndex: 1, node: NODE },
      ],
      block(12),
    );
    store.rewind(10);
    assert.deepEqual(store.cursor(), block(10));
    assert.deepEqual(open(store), [bytes32(1)]);
    assert.deepEqual(store.assignedTo(NODE), []);
    store.record([created(12, 2)], block(12, 1));
    assert.deepEqual(open(store), [bytes32(1), bytes32(2)]);
    assert.deepEqual(store.cursor(), block(12, 1));
  });

  it("rewind to what was known at that block, whatever was read since", (t) => {
    const anyFact = fc.record({
      at: fc.integer({ min: 1, max: 40 }),
      lease: fc.integer({ min: 1, max: 9 }),
      event: fc.constantFrom("TaskCreated", "LeaseAssigned", "LeaseSettled"),
    });
    const store = new FactStore(openDatabase(t).db);
    const view = () => [open(store), store.assignedTo(NODE), store.cursor()];
    fc.assert(
      fc.property(fc.array(anyFact, { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (some, at) => {
        store.rewind(0);
        // A lease is created once, so a later block never writes over an earlier one's row.
        const facts = some
          .map(({ at, lease, event }) =>
            event === "TaskCreated" ? created(at, lease) : happened(at, lease, event),
          )
          .filter(
            (fact, index, all) =>
              fact.kind !== "task" ||
              all.findIndex((other) => other.kind === "task" && other.logIndex === fact.logIndex) === index,
          );
        store.record(
          facts.filter((fact) => fact.block <= at),
          block(at),
        );
        const before = view();
        store.record(
          facts.filter((fact) => fact.block > at),
          block(41),
        );
        store.rewind(at);
        assert.deepEqual(view(), before);
      }),
      { numRuns: 30 },
    );
  });

  it("keep enough blocks to find where a reorg began, and no more", (t) => {
    const store = new FactStore(openDatabase(t).db);
    for (const number of [50, 100, 400, 600, 700]) store.record([], block(number));
    assert.deepEqual(
      store.blocks().map(({ number }) => number),
      [700, 600, 400, 100],
    );
  });
});

describe("open orders", () => {
  it("are those that nobody has taken and that have not closed", (t) => {
    const store = new FactStore(openDatabase(t).db);
    store.record(
      [
        created(1, 1, 999n),
        created(1, 2, 1_000n),
        created(1, 3),
        happened(2, 3, "LeaseCancelled"),
        created(1, 4),
        happened(2, 4, "LeaseAssigned"),
      ],
      block(2),
    );
    assert.deepEqual(open(store, 1_000), [bytes32(2)]);
  });

  it("come oldest first, in rounds that reach every one", (t) => {
    const store = new FactStore(openDatabase(t).db);
    store.record([created(2, 1), created(2, 4), created(1, 9), created(3, 2), created(3, 3)], block(3));
    const seen: Hex[] = [];
    let after: Hex | undefined;
    for (let round = 0; round < 3; round++) {
      const batch = store.openTasks(0, 2, after).map(({ leaseId }) => leaseId);
      seen.push(...batch);
      after = batch.at(-1);
    }
    assert.deepEqual(seen, [9, 1, 4, 2, 3].map(bytes32));
    assert.deepEqual(store.openTasks(0, 2, bytes32(77)), []);
  });
});

it("knows a node's leases until an event has ended them", (t) => {
  const store = new FactStore(openDatabase(t).db);
  for (const [lease, end] of [
    [1],
    [2, "LeaseCompleted"],
    [3, "LeaseSettled"],
    [4, "LeaseFailed"],
    [5, "LeaseExpired"],
    [6, "LeaseCancelled"],
  ] as const) {
    store.record([created(1, lease), happened(2, lease, "LeaseAssigned")], block(2));
    if (end !== undefined) store.record([happened(3, lease, end)], block(3));
  }
  assert.deepEqual(
    store.assignedTo(NODE).map(({ leaseId }) => leaseId),
    [bytes32(1), bytes32(2)],
  );
  assert.deepEqual(store.assignedTo(address(8)), []);
});
