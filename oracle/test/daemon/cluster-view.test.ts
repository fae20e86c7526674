import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DekuperError } from "@dekuper/protocol";
import { ClusterView, RELIST_MS } from "../../src/daemon/cluster-view.ts";

const never = new AbortController().signal;

/** A view over a cluster that counts how often it is listed. */
function aView(observe: () => Promise<[]> = async () => []) {
  const state = { lists: 0, now: 1_000_000 };
  const clock = { now: () => state.now, sleep: async () => undefined };
  const driver = {
    observe: () => {
      state.lists++;
      return observe();
    },
  };
  return { state, view: new ClusterView(driver, clock) };
}

describe("the view of the cluster", () => {
  it("lists once while nothing changes, and again by the clock", async () => {
    const { state, view } = aView();
    for (let look = 0; look < 10; look++) await view.look(never);
    assert.equal(state.lists, 1);
    state.now += RELIST_MS;
    await view.look(never);
    assert.equal(state.lists, 2);
  });

  it("lists again after a hint, also one that came while it listed", async () => {
    const { state, view } = aView(async () => {
      if (state.lists === 1) view.changed();
      return [];
    });
    await view.look(never);
    await view.look(never);
    await view.look(never);
    assert.equal(state.lists, 2);
    view.changed();
    await view.look(never);
    assert.equal(state.lists, 3);
  });

  it("says when it was listed, so that a pod is missing only in fresh answers", async () => {
    const { state, view } = aView();
    const first = await view.look(never);
    state.now += RELIST_MS - 1;
    assert.equal((await view.look(never))?.listedAt, first?.listedAt);
  });

  it("knows nothing, and asks again at once, while the API server does not answer", async () => {
    let down = true;
    const { state, view } = aView(async () => {
      if (down) throw new DekuperError("CLUSTER_UNREACHABLE", "It does not answer.");
      return [];
    });
    assert.equal(await view.look(never), undefined);
    assert.equal(await view.look(never), undefined);
    assert.equal(state.lists, 2);
    down = false;
    assert.deepEqual((await view.look(never))?.observations, []);
  });

  it("passes on an error that is no outage", async () => {
    const { view } = aView(async () => {
      throw new TypeError("a mistake of ours");
    });
    await assert.rejects(view.look(never), TypeError);
  });
});
