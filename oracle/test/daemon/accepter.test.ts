import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DekuperError, leaseId, type Order } from "@dekuper/protocol";
import type { Hex } from "viem";
import { Accepter } from "../../src/daemon/accepter.ts";
import type { MaterialStore } from "../../src/daemon/material.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { FactStore } from "../../src/journal/facts.ts";
import { openDatabase } from "../journal/crash.ts";
import { aSpec, deployment, hex, node, orderOf, terms } from "./builders.ts";

const signal = AbortSignal.timeout(60_000);
const leaseOf = (number: number): Hex => leaseId(taskOf(number), 0);
const taskOf = (number: number): Hex => hex((0x80 + number).toString(16));

/** A node that could take all of some open orders, on a chain where everything is as it should be. */
function aNode(
  t: TestContext,
  options: {
    orders?: number;
    /** Of them, how many a node has lost: their second attempt is open. */
    lost?: number;
    isExcluded?: boolean;
    /** What a lost lease pays. */
    ratePerHour?: bigint;
    posted?: bigint;
    maxLeases?: number;
    gpus?: number;
    accept?: (task: Hex) => Promise<unknown>;
    material?: ReturnType<MaterialStore["of"]>;
  } = {},
) {
  const { db } = openDatabase(t);
  const store = new FactStore(db);
  const journal = new AttemptJournal(db, () => 0);
  const order = orderOf(aSpec());
  const orders = options.orders ?? 1;
  const facts = Array.from({ length: orders }, (_, number) => ({
    kind: "task" as const,
    block: 5,
    logIndex: number,
    task: { taskId: taskOf(number), consumer: terms.consumer, order },
  }));
  const { lost = 0 } = options;
  const losses = Array.from({ length: lost }, (_, number) =>
    (["LeaseAssigned", "AttemptLost", "LeaseReopened"] as const).map((event, step) => ({
      kind: "lease" as const,
      event,
      leaseId: leaseOf(number),
      ...(event === "LeaseReopened" ? { deadline: 2_000 } : {}),
      block: 5,
      logIndex: 100 + 3 * number + step,
    })),
  );
  store.record([...facts, ...losses.flat()], { number: 5, hash: hex("0b") });
  const submitted: Hex[] = [];
  const pending = new Set<Hex>();
  const said: string[] = [];
  const decided: string[] = [];
  const forgotten: Hex[] = [];
  const known = new Set(facts.map((_, number) => leaseOf(number)));
  const calls: string[] = [];
  const answers: Record<string, unknown> = {
    admittedAt: 0n,
    takeOverFrom: 0n,
    getLease: {
      status: 1,
      node,
      attempt: 0,
      deadline: 2_000n,
      ratePerHour: options.ratePerHour ?? order.ratePerHour,
    },
    stakeOf: [100n, 0n, 0n, 0n],
    stakeRequired: 1n,
  };
  const lostLeases = new Set(losses.flat().map(({ leaseId }) => leaseId));
  const client = {
    readContract: async ({ functionName, args }: { functionName: string; args: [Hex] }) => {
      const answer = answers[functionName];
      return functionName === "getLease" && lostLeases.has(args[0])
        ? { ...(answer as object), attempt: 1 }
        : answer;
    },
  };
  const head = { number: 9, hash: hex("0c"), timestamp: 1_000, baseFee: 0n };
  const accepter = new Accepter({
    deployment,
    node,
    store,
    journal,
    reader: {
      view: { evidence: "readable", head, final: head, confirmed: 9 },
      lastReadable: { head },
      read: (work: (of: typeof client) => unknown) => work(client),
    },
    queue: {
      submit: async ({ name, args: [task] }: { name: string; args: [Hex] }) => {
        submitted.push(task);
        calls.push(name);
        return options.accept?.(task);
      },
      isPending: ({ args: [task] }: { args: [Hex] }) => pending.has(task),
    },
    nodes: {
      read: async () => ({
        status: "Active",
        isolation: 3,
        gpuModel: "",
        storageMiB: 10n ** 6n,
        posted: { perGpuHour: 0n, perVCpuHour: options.posted ?? 0n },
        floor: { perGpuHour: 0n, perVCpuHour: 0n },
        available: { gpus: options.gpus ?? 64, vCpus: 64, memoryMiB: 10n ** 6n },
      }),
    },
    material: {
      of: () => options.material ?? { kind: "ready", spec: aSpec() },
      forget: (lease: Hex) => forgotten.push(lease),
      hold: async (_: Hex, __: Order) => undefined,
      forgetUnless: (isWanted: (lease: Hex) => boolean) => {
        for (const lease of known) if (!isWanted(lease)) known.delete(lease);
      },
    },
    exclusions: { isExcluded: async () => options.isExcluded ?? false, prune: () => undefined },
    log: {
      info: ({ decision }: { decision?: string }, event: string) => {
        said.push(event);
        if (decision !== undefined) decided.push(decision);
      },
    },
    settings: {
      isLocalNetwork: true,
      imageHosts: ["ghcr.io"],
      maxLeases: options.maxLeases ?? 64,
      maxInputBytes: 1_000,
    },
  } as never);
  const round = async () => {
    const all = { mayAct: true, maySign: true, isStopping: false, diskFull: false, clusterReachable: true };
    await accepter.consider(all, signal);
    await sleep(1);
  };
  return { accepter, journal, store, submitted, calls, pending, round, known, head, decided, forgotten };
}

const never = () => new Promise<never>(() => undefined);

describe("taking open orders", () => {
  it("never exceeds maxLeases, however many orders come at once", async (t) => {
    const { submitted, round } = aNode(t, { orders: 5, maxLeases: 2, accept: never });
    await round();
    assert.equal(submitted.length, 2);
    await round();
    assert.equal(submitted.length, 2);
  });

  it("asks for no more than what is free of the node: the rest would be paid for and refused", async (t) => {
    const { submitted, round } = aNode(t, { orders: 5, gpus: 5, accept: never });
    await round();
    assert.equal(submitted.length, 2, "two GPUs each");
  });

  it("leaves no trace of an accept that was not sent, and takes the order later", async (t) => {
    let gas = false;
    const { accepter, journal, submitted, round } = aNode(t, {
      maxLeases: 1,
      accept: async () => {
        if (!gas) throw new DekuperError("INSUFFICIENT_GAS", "Too little coin.");
      },
    });
    await round();
    await accepter.settled();
    assert.equal(journal.find(leaseOf(0), 1), undefined);
    gas = true;
    await round();
    await accepter.settled();
    assert.equal(submitted.length, 2);
    assert.ok(journal.find(leaseOf(0), 1)?.steps.has("accepted"));
  });

  it("keeps an accept that is still in the queue, and counts it", async (t) => {
    const node = aNode(t, {
      orders: 2,
      maxLeases: 1,
      accept: async (task) => {
        node.pending.add(task);
        throw new DekuperError("TIMED_OUT", "It stays in the queue.");
      },
    });
    await node.round();
    await node.accepter.settled();
    assert.ok(node.journal.find(leaseOf(0), 1));
    await node.round();
    await node.accepter.settled();
    assert.equal(new Set(node.submitted).size, 1, "the second order has to wait");
  });

  it("keeps one that was mined and reverted: a reorg may turn it, and a lease must not be held unknown", async (t) => {
    const { accepter, journal, round } = aNode(t, {
      accept: async () => {
        throw new DekuperError("TRANSACTION_REVERTED", "It reverted.", { details: { state: "reverted" } });
      },
    });
    await round();
    await accepter.settled();
    assert.ok(journal.find(leaseOf(0), 1));
  });

  it("forgets one that the contract refused before it was sent", async (t) => {
    const { accepter, journal, round } = aNode(t, {
      accept: async () => {
        throw new DekuperError("TRANSACTION_REVERTED", "No.", { details: { reason: "WrongStatus" } });
      },
    });
    await round();
    await accepter.settled();
    assert.equal(journal.find(leaseOf(0), 1), undefined);
  });

  for (const problem of ["image-not-on-cluster", "image-not-found", "image-too-large"])
    it(`refuses an order for its image (${problem}), and asks again only when it is time`, async (t) => {
      const material = { kind: "ready", spec: aSpec(), imageProblem: problem, retryAt: 1_015 } as const;
      const { submitted, round, decided, forgotten, head } = aNode(t, { material });
      await round();
      await round();
      assert.deepEqual(decided, [`refuse: ${problem}`]);
      assert.deepEqual(forgotten, []);
      head.timestamp = 1_015;
      await round();
      assert.deepEqual(forgotten, [leaseOf(0)]);
      assert.deepEqual(submitted, []);
    });

  it("waits while the image's registry cannot be asked, and asks again", async (t) => {
    const material = { kind: "missing", what: "image-answer", retryAt: 1_005 } as const;
    const { submitted, round, decided, forgotten, head } = aNode(t, { material });
    await round();
    assert.deepEqual([decided, forgotten], [["wait: image-not-checked"], []]);
    head.timestamp = 1_005;
    await round();
    assert.deepEqual([submitted, forgotten], [[], [leaseOf(0)]]);
  });

  it("remembers nothing of orders that others have taken", async (t) => {
    const { store, round, known, head } = aNode(t, { orders: 2, accept: never });
    await round();
    assert.equal(known.size, 2);
    const taken = { kind: "lease", event: "LeaseAssigned", leaseId: leaseOf(1), node, attempt: 1 } as const;
    store.record([{ ...taken, block: 6, logIndex: 0 }], { number: 6, hash: hex("0d") });
    head.timestamp += 60;
    await round();
    assert.deepEqual([...known], [leaseOf(0)]);
  });
});

describe("taking over what another node has lost", () => {
  it("takes the next attempt, at the lease's own rate, and never as a new order", async (t) => {
    const { accepter, journal, submitted, calls, round } = aNode(t, { lost: 1 });
    await round();
    await accepter.settled();
    assert.deepEqual([calls, submitted], [["takeOver"], [leaseOf(0)]]);
    assert.ok(journal.find(leaseOf(0), 2)?.steps.has("accepted"));
    assert.equal(journal.find(leaseOf(0), 1), undefined);
  });

  it("leaves it where its own owner has lost it", async (t) => {
    const { submitted, decided, round } = aNode(t, { lost: 1, isExcluded: true });
    await round();
    assert.deepEqual([submitted, decided], [[], ["refuse: owner-excluded"]]);
  });

  it("leaves it where it pays less than the node asks, whatever its order paid at most", async (t) => {
    const { submitted, decided, round } = aNode(t, { lost: 1, ratePerHour: 1n, posted: 1_000n });
    await round();
    assert.deepEqual([submitted, decided], [[], ["refuse: rate-below-posted"]]);
  });

  it("leaves one whose key it cannot open, and looks again: its consumer may hand over another wrap", async (t) => {
    const material = { kind: "invalid", reason: "key-wrap-invalid", retryAt: 1_005 } as const;
    const { submitted, round, decided, forgotten, head } = aNode(t, { lost: 1, material });
    await round();
    assert.deepEqual([decided, forgotten], [["refuse: key-wrap-invalid"], []]);
    head.timestamp = 1_005;
    await round();
    assert.deepEqual([submitted, forgotten], [[], [leaseOf(0)]]);
  });

  it("counts it against the same limits as open orders", async (t) => {
    const { submitted, round } = aNode(t, { orders: 3, lost: 1, maxLeases: 2, accept: never });
    await round();
    assert.equal(submitted.length, 2);
  });

  it("leaves no trace of one that somebody else was faster to take", async (t) => {
    const { accepter, journal, round } = aNode(t, {
      lost: 1,
      accept: async () => {
        throw new DekuperError("TRANSACTION_REVERTED", "No.", { details: { reason: "WrongStatus" } });
      },
    });
    await round();
    await accepter.settled();
    assert.equal(journal.find(leaseOf(0), 2), undefined);
  });
});
