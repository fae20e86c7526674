import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { DekuperError } from "@dekuper/protocol";
import { createMetrics } from "../../src/daemon/metrics.ts";
import { Reconciler } from "../../src/daemon/reconciler.ts";
import { FactStore } from "../../src/journal/facts.ts";
import { openDatabase } from "../journal/crash.ts";
import { deployment, hex, node } from "./builders.ts";

const block = { number: 100, hash: hex("0b"), timestamp: 1_000, baseFee: 0n };
const view = { evidence: "readable", head: block, final: block, confirmed: 100, headSeenAt: 0 };

/** Some rounds of a reconciler without leases; `read` answers what the follower asks of the chain. */
async function rounds(t: TestContext, count: number, read: (round: number) => Promise<unknown>) {
  const stop = new AbortController();
  const took: string[] = [];
  const fatal: DekuperError[] = [];
  let round = 0;
  const reconciler = new Reconciler({
    deployment,
    node,
    store: new FactStore(openDatabase(t).db),
    reader: { view, lastReadable: view, look: async () => view, read: () => read(round) },
    queue: { poll: async () => took.push("poll"), backingOff: 0, pending: 0 },
    standstill: { check: async () => undefined },
    driver: { observe: async () => [], onHint: () => () => undefined },
    nodes: { refresh: async () => took.push("refresh") },
    journal: { live: () => [], isEmpty: () => true, find: () => undefined },
    watch: { round: async () => took.push("watch") },
    verdicts: { round: async () => undefined, settled: async () => undefined },
    accepter: { consider: async () => took.push("consider"), settled: async () => undefined },
    metrics: createMetrics(),
    clock: {
      now: () => 0,
      sleep: async () => {
        if (++round === count) stop.abort();
      },
    },
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    settings: { pollMs: 1, range: 2_000, adopt: false, claimInterval: 5, keepFinishedPods: false },
    onFatal: (error: DekuperError) => {
      fatal.push(error);
      stop.abort();
    },
  } as never);
  await reconciler.run(stop.signal);
  return { took, fatal, problem: reconciler.problem };
}

describe("a round of the daemon", () => {
  it("looks after its transactions also while the chain's events cannot be read: steps wait for them", async (t) => {
    const found = { kind: "facts", facts: [], block };
    const { took } = await rounds(t, 3, async (round) => {
      if (round > 0) throw new DekuperError("RPC_UNAVAILABLE", "The range is too large.");
      return found;
    });
    assert.equal(took.filter((step) => step === "poll").length, 3);
    for (const look of ["consider", "watch"])
      assert.equal(took.filter((step) => step === look).length, 3, look);
  });

  it("takes nothing new before the events were read once: the journal has not been checked", async (t) => {
    const { took, problem } = await rounds(t, 2, async () => {
      throw new DekuperError("RPC_UNAVAILABLE", "The range is too large.");
    });
    assert.deepEqual(took, ["poll", "poll"]);
    assert.equal(problem, "The range is too large.");
  });

  it("sends nothing on a chain that is not the deployment's", async (t) => {
    const { took, fatal } = await rounds(t, 5, async () => {
      throw new DekuperError("CHAIN_CHANGED", "Another chain.");
    });
    assert.deepEqual(took, []);
    assert.equal(fatal[0]?.code, "CHAIN_CHANGED");
  });
});
