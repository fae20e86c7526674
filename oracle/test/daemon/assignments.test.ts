import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { leaseId } from "@dekuper/protocol";
import { Assignments } from "../../src/daemon/assignments.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { FactStore, type LeaseEvent } from "../../src/journal/facts.ts";
import { openDatabase } from "../journal/crash.ts";
import { anOrder } from "../plan/builders.ts";
import { hex, node, terms } from "./builders.ts";

const BORN = 100;
const taskOf = (number: number) => hex((0x80 + number).toString(16));
const leaseOf = (number: number) => leaseId(taskOf(number), 0);

/** A node whose journal begins at block 100, unless it has written to it before. */
function aNode(t: TestContext, options: { adopt?: boolean } = {}) {
  const { db } = openDatabase(t);
  const store = new FactStore(db);
  const journal = new AttemptJournal(db, () => 0);
  const errors: string[] = [];
  const head = { number: BORN };
  const start = () =>
    new Assignments({
      node,
      store,
      journal,
      reader: { lastReadable: { head } } as never,
      log: { info: () => undefined, error: (_, event) => errors.push(event) },
      adopt: options.adopt ?? false,
    });
  const happen = (block: number, number: number, ...events: LeaseEvent[]) => {
    const task = { taskId: taskOf(number), consumer: terms.consumer, order: anOrder() };
    const facts = events.map((event, step) => ({
      kind: "lease" as const,
      event,
      leaseId: leaseOf(number),
      node,
      attempt: 1,
      block,
      logIndex: 10 * number + step + 1,
    }));
    store.record([{ kind: "task", block: 1, logIndex: number, task }, ...facts], {
      number: Math.max(block, BORN),
      hash: hex("0b"),
    });
  };
  return { store, journal, errors, head, start, happen, assignments: start() };
}

describe("a lease that the node was awarded", () => {
  it("is new work: it gets a journal of its own, once", (t) => {
    const { assignments, journal, happen } = aNode(t);
    assignments.meet();
    happen(BORN + 1, 1, "LeaseAssigned");
    for (let looks = 0; looks < 3; looks++) assignments.meet();
    assert.equal(journal.find(leaseOf(1), 1)?.adopted, false);
    assert.equal(journal.live().length, 1);
    assert.ok(assignments.mayAct);
  });

  it("is new work also where it came while the node was down, however long", (t) => {
    const { assignments, journal, happen, start, head } = aNode(t);
    assignments.meet();
    happen(BORN + 5_000, 1, "LeaseAssigned");
    head.number = BORN + 9_000;
    const restarted = start();
    restarted.meet();
    assert.ok(restarted.mayAct);
    assert.ok(journal.find(leaseOf(1), 1));
  });

  it("is none of the node's where its operator has started it already: another daemon has the key", (t) => {
    const { assignments, journal, happen, errors } = aNode(t);
    assignments.meet();
    happen(BORN + 1, 1, "LeaseAssigned", "LeaseStarted");
    for (let looks = 0; looks < 3; looks++) assignments.meet();
    assert.equal(journal.find(leaseOf(1), 1), undefined);
    assert.deepEqual(errors, ["unknown-leases-on-chain"]);
    assert.ok(assignments.mayAct, "what the node knows it goes on with");
  });

  it("is left alone once it is over", (t) => {
    const { assignments, journal, happen } = aNode(t);
    assignments.meet();
    happen(BORN + 1, 1, "LeaseAssigned", "AttemptLost");
    happen(BORN + 1, 2, "LeaseAssigned", "LeaseEnded");
    assignments.meet();
    assert.deepEqual(journal.live(), []);
  });
});

describe("an empty journal", () => {
  it("that meets live leases from before its time was lost: nothing is done, nor written, until it is told to adopt", (t) => {
    const { assignments, journal, happen, errors, start } = aNode(t);
    happen(BORN - 1, 1, "LeaseAssigned");
    happen(BORN + 1, 2, "LeaseAssigned");
    assignments.meet();
    assert.equal(assignments.mayAct, false);
    assert.ok(journal.isEmpty(), "written to, it would be believed after the next start");
    assert.deepEqual(errors, ["unknown-leases-on-chain"]);
    const restarted = start();
    restarted.meet();
    assert.equal(restarted.mayAct, false);
  });

  it("adopts them when it is told to, and takes what is new as new", (t) => {
    const { assignments, journal, happen } = aNode(t, { adopt: true });
    happen(BORN - 1, 1, "LeaseAssigned", "LeaseStarted");
    happen(BORN + 1, 2, "LeaseAssigned");
    assignments.meet();
    assert.ok(assignments.mayAct);
    assert.deepEqual(
      [1, 2].map((number) => journal.find(leaseOf(number), 1)?.adopted),
      [true, false],
    );
  });
});

it("a journal that was written to before it knew when it began has always been there", (t) => {
  const { assignments, journal, happen } = aNode(t);
  const known = { leaseId: leaseOf(7), attempt: 1, taskId: taskOf(7), consumer: terms.consumer };
  journal.open({ ...known, order: anOrder() });
  happen(2, 1, "LeaseAssigned");
  assignments.meet();
  assert.ok(assignments.mayAct);
  assert.ok(journal.find(leaseOf(1), 1));
});
