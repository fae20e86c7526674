import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sweep, undoAll } from "../../src/daemon/upkeep.ts";

describe("stopping the daemon", () => {
  it("takes everything back, newest first, whatever one of the parts says", async () => {
    const done: string[] = [];
    const steps = [
      () => done.push("lock"),
      () => {
        throw new Error("the API server is away");
      },
      async () => done.push("peer"),
    ];
    await assert.rejects(undoAll(steps), /the API server is away/);
    assert.deepEqual(done, ["peer", "lock"]);
  });
});

describe("the sweep of what nobody retains", () => {
  it("outlives a disk that is full: a sweep that fails is tried again", async () => {
    const stop = new AbortController();
    const said: string[] = [];
    let sweeps = 0;
    const full = {
      sweep: async () => {
        throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
      },
    };
    const other = {
      sweep: async () => {
        if (++sweeps === 3) stop.abort();
        return 0;
      },
    };
    await sweep(
      [full, other],
      { now: () => 0, sleep: async () => undefined },
      { warn: (_, event) => said.push(event) },
      stop.signal,
    );
    assert.equal(sweeps, 3);
    assert.deepEqual(said, ["sweep-failed", "sweep-failed", "sweep-failed"]);
  });
});
