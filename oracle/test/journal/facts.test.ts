import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { leaseId, type Order } from "@dekuper/protocol";
import fc from "fast-check";
import type { Hex } from "viem";
import { type ChainFact, FactStore, type LeaseEvent } from "../../src/journal/facts.ts";
import { anOrder } from "../plan/builders.ts";
import { address, bytes32, CONSUMER } from "./builders.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

const NODE = address(9);
const block = (number: number, fork = 0) => ({
  number,
  hash: `0x${(number * 16 + fork).toString(16)}` as Hex,
});

const task = (number: number) => bytes32(number + 100);
const lease = (number: number, index = 0) => leaseId(task(number), index);

const created = (
  at: number,
  number: number,
  openUntil = 5_000n,
  change: Partial<Order> = {},
): ChainFact & { kind: "task" } => ({
  kind: "task",
  block: at,
  logIndex: number,
  task: { taskId: task(number), consumer: CONSUMER, order: anOrder({ openUntil, ...change }) },
});

const happened = (
  at: number,
  number: number,
  event: LeaseEvent,
  change: { index?: number; attempt?: number; deadline?: number; logIndex?: number } = {},
): ChainFact => ({
  kind: "lease",
  block: at,
  logIndex: change.logIndex ?? 50 + number,
  event,
  leaseId: lease(number, change.index),
  ...(["LeaseAssigned", "LeaseStarted", "AttemptLost", "UndeliveredClaimed"].includes(event)
    ? { node: NODE, attempt: change.attempt ?? 1 }
    : {}),
  ...(change.deadline === undefined ? {} : { deadline: change.deadline }),
});

const assigned = (number: number, at: number, isStarted = false) => ({
  leaseId: lease(number),
  attempt: 1,
  block: at,
  isStarted,
});

const open = (store: FactStore, now = 1_000) => store.openTasks(now, 10).map(({ leaseId }) => leaseId);

/** Leases of one block come in the order of their ids. */
const sorted = (...numbers: number[]) => numbers.sort((a, b) => (lease(a) < lease(b) ? -1 : 1));

describe("the facts of the chain", () => {
  it("move with their cursor: a crash finds both or neither", (t) => {
    const { db, dir } = openDatabase(t);
    const store = new FactStore(db);
    store.record([created(1, 1)], block(10));
    const poisoned = { ...created(12, 2), block: "x" } as unknown as ChainFact;
    assert.throws(() => store.record([created(11, 3), poisoned], block(20)));
    const restarted = new FactStore(reopenAfterCrash(t, dir).db);
    assert.deepEqual(restarted.cursor(), block(10));
    assert.deepEqual(open(restarted), [lease(1)]);
  });

  it("are the same however often a range is read", (t) => {
    const store = new FactStore(openDatabase(t).db);
    const facts = [created(1, 1), created(2, 2), happened(3, 2, "LeaseAssigned")];
    for (let times = 0; times < 3; times++) store.record(facts, block(10));
    assert.deepEqual(open(store), [lease(1)]);
    assert.deepEqual(store.assignedTo(NODE), [assigned(2, 3)]);
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
        assert.deepEqual(open(store), [lease(1)]);
        assert.deepEqual(store.assignedTo(NODE), [assigned(2, 4)]);
      }),
      { numRuns: 30 },
    );
  });

  it("read back as they were", (t) => {
    const { db, dir } = openDatabase(t);
    const fact = created(1, 1);
    new FactStore(db).record([fact], block(1));
    const restarted = new FactStore(reopenAfterCrash(t, dir).db);
    const found = { ...fact.task, leaseId: lease(1), index: 0 };
    assert.deepEqual(restarted.lease(lease(1)), found);
    assert.deepEqual(restarted.openTasks(1_000, 1)[0], found);
    assert.equal(restarted.lease(lease(2)), undefined);
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
    assert.deepEqual(open(store), [lease(1)]);
    assert.deepEqual(store.assignedTo(NODE), []);
    store.record([created(12, 2)], block(12, 1));
    assert.deepEqual(open(store), [lease(1), lease(2)]);
    assert.deepEqual(store.cursor(), block(12, 1));
  });

  it("rewind to what was known at that block, whatever was read since", (t) => {
    const anyFact = fc.record({
      at: fc.integer({ min: 1, max: 40 }),
      lease: fc.integer({ min: 1, max: 9 }),
      event: fc.constantFrom("TaskCreated" as const, "LeaseAssigned" as const, "LeaseSettled" as const),
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
        happened(2, 3, "LeaseEnded"),
        created(1, 4),
        happened(2, 4, "LeaseAssigned"),
      ],
      block(2),
    );
    assert.deepEqual(open(store, 1_000), [lease(2)]);
  });

  it("come oldest first, in rounds that reach every one", (t) => {
    const store = new FactStore(openDatabase(t).db);
    store.record([created(2, 1), created(2, 4), created(1, 9), created(3, 2), created(3, 3)], block(3));
    const seen: Hex[] = [];
    let after: Hex | null = null;
    for (let round = 0; round < 3; round++) {
      const batch: Hex[] = store.openTasks(0, 2, after).map(({ leaseId }) => leaseId);
      seen.push(...batch);
      after = batch.at(-1) ?? null;
    }
    assert.deepEqual(
      seen,
      [9, ...sorted(1, 4), ...sorted(2, 3)].map((number) => lease(number)),
    );
    assert.deepEqual(store.openTasks(0, 2, lease(77)), []);
  });
});

it("knows a node's leases until an event has ended them", (t) => {
  const store = new FactStore(openDatabase(t).db);
  for (const [number, end] of [
    [1],
    [2, "LeaseCompleted"],
    [3, "LeaseSettled"],
    [4, "LeaseEnded"],
    [5, "AttemptLost"],
    // It says only that the operator has given up: what becomes of the lease is the next event.
    [6, "LeaseFailed"],
  ] as const) {
    store.record([created(1, number), happened(2, number, "LeaseAssigned")], block(2));
    if (end !== undefined) store.record([happened(3, number, end)], block(3));
  }
  assert.deepEqual(
    store.assignedTo(NODE).map(({ leaseId }) => leaseId),
    [lease(1), lease(2), lease(6)],
  );
  assert.deepEqual(store.assignedTo(address(8)), []);
});

it("tells an attempt that was started from one that was only given", (t) => {
  const store = new FactStore(openDatabase(t).db);
  store.record(
    [
      created(1, 1, 5_000n, { maxAttempts: 3 }),
      happened(2, 1, "LeaseAssigned"),
      happened(3, 1, "LeaseStarted"),
      happened(4, 1, "AttemptLost"),
      happened(5, 1, "LeaseReopened", { deadline: 900 }),
      happened(6, 1, "LeaseAssigned", { attempt: 2 }),
    ],
    block(6),
  );
  assert.deepEqual(store.assignedTo(NODE), [{ leaseId: lease(1), attempt: 2, block: 6, isStarted: false }]);
  store.record([happened(7, 1, "LeaseStarted", { attempt: 2 })], block(7));
  assert.equal(store.assignedTo(NODE)[0]?.isStarted, true);
});

describe("an awarded order", () => {
  it("has each of its leases, assigned as it was created: none is open", (t) => {
    const store = new FactStore(openDatabase(t).db);
    const order = { leases: 3 };
    const awards = [0, 1, 2].map((index) => happened(1, 1, "LeaseAssigned", { index, logIndex: 60 + index }));
    store.record([created(1, 1, 5_000n, order), ...awards], block(1));
    assert.deepEqual(open(store), []);
    assert.deepEqual(
      [0, 1, 2].map((index) => store.lease(lease(1, index))?.index),
      [0, 1, 2],
    );
    assert.equal(store.assignedTo(NODE).length, 3);
    assert.equal(store.liveLeases(1_000, 10).length, 3);
    store.rewind(0);
    assert.equal(store.lease(lease(1, 2)), undefined);
  });
});

describe("lost leases", () => {
  const lost = (number: number, at: number, deadline = 2_000) => [
    created(1, number, 5_000n, { maxAttempts: 3 }),
    happened(2, number, "LeaseAssigned"),
    happened(at, number, "AttemptLost", { logIndex: 70 + 2 * number }),
    happened(at, number, "LeaseReopened", { deadline, logIndex: 71 + 2 * number }),
  ];
  const reopened = (store: FactStore, now: number) =>
    store.reopenedLeases(now, 10).map(({ leaseId }) => leaseId);

  it("may be taken over until their deadline, or until somebody has", (t) => {
    const store = new FactStore(openDatabase(t).db);
    store.record([...lost(1, 3), ...lost(2, 3, 999), ...lost(3, 3)], block(3));
    assert.deepEqual(new Set(reopened(store, 1_000)), new Set([lease(1), lease(3)]));
    assert.ok(store.isOpen(lease(1), 2_000) && !store.isOpen(lease(1), 2_001));
    assert.deepEqual(open(store), [], "an open order is one that nobody ever had");
    store.record([happened(4, 3, "LeaseAssigned", { attempt: 2 })], block(4));
    assert.deepEqual(reopened(store, 1_000), [lease(1)]);
    assert.ok(!store.isOpen(lease(3), 1_000));
    store.record([happened(5, 1, "LeaseEnded")], block(5));
    assert.deepEqual(reopened(store, 1_000), []);
    store.rewind(3);
    assert.equal(reopened(store, 1_000).length, 2);
  });
});

it("knows which leases are neither completed nor over, in rounds", (t) => {
  const store = new FactStore(openDatabase(t).db);
  for (const [number, ...events] of [
    [1],
    [2, "LeaseAssigned"],
    [3, "LeaseAssigned", "LeaseStarted"],
    [4, "LeaseAssigned", "LeaseCompleted"],
    [5, "LeaseAssigned", "LeaseEnded"],
    [6, "LeaseAssigned", "AttemptLost", "LeaseReopened"],
  ] as const)
    store.record(
      [
        created(1, number),
        ...events.map((event, at) => happened(2 + at, number, event, { deadline: 2_000 })),
      ],
      block(9),
    );
  const seen: Hex[] = [];
  let after: Hex | null = null;
  for (let round = 0; round < 3; round++) {
    const batch: Hex[] = store.liveLeases(1_000, 1, after).map(({ leaseId }) => leaseId);
    seen.push(...batch);
    after = batch.at(-1) ?? null;
  }
  assert.deepEqual(
    seen,
    sorted(2, 3, 6).map((number) => lease(number)),
  );
  assert.deepEqual(store.liveLeases(10 ** 9, 10), [], "long after its order nobody looks after a lease");
});

describe("delivery claims", () => {
  function claimed(t: TestContext) {
    const { db, dir } = openDatabase(t);
    const store = new FactStore(db);
    store.record(
      [
        created(1, 1),
        happened(2, 1, "LeaseAssigned"),
        happened(3, 1, "LeaseCompleted"),
        happened(4, 1, "UndeliveredClaimed", { deadline: 2_000 }),
      ],
      block(4),
    );
    return { store, dir };
  }
  const claim = (number: number) => ({
    leaseId: lease(1),
    attempt: 1,
    node: NODE,
    block: number,
    attestedIn: 3,
  });

  it("are open until their deadline, with the block that they are judged by and that of the attestation", (t) => {
    const { store, dir } = claimed(t);
    assert.deepEqual(store.openClaims(2_000, 9), [claim(4)]);
    assert.deepEqual(store.openClaims(2_001, 9), []);
    assert.deepEqual(new FactStore(reopenAfterCrash(t, dir).db).openClaims(2_000, 9), [claim(4)]);
  });

  it("are over once they are judged or have lapsed, and a later one of the same lease is open", (t) => {
    for (const event of ["DeliveryJudged", "ClaimLapsed"] as const) {
      const { store } = claimed(t);
      store.record([happened(5, 1, event)], block(5));
      assert.deepEqual(store.openClaims(1_000, 9), []);
      store.record([happened(6, 1, "UndeliveredClaimed", { deadline: 2_000 })], block(6));
      assert.deepEqual(store.openClaims(1_000, 9), [claim(6)]);
      store.rewind(5);
      assert.deepEqual(store.openClaims(1_000, 9), []);
      store.rewind(4);
      assert.deepEqual(store.openClaims(1_000, 9), [claim(4)]);
    }
  });
});
