import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DekuperError } from "@dekuper/protocol";
import { loadKubeconfig } from "../../src/cluster/kubeconfig.ts";
import { untilReachable } from "../../src/daemon/start-checks.ts";

const away = () => new DekuperError("CLUSTER_UNREACHABLE", "It does not answer.");

describe("a cluster at the daemon's start", () => {
  it("is waited for while it is away, and each try is said", async () => {
    const said: string[] = [];
    let tries = 0;
    const reached = await untilReachable(
      async () => {
        if (++tries < 3) throw away();
        return "here";
      },
      { warn: (_, event) => said.push(event) },
      { waitMs: 1 },
    );
    assert.equal(reached, "here");
    assert.deepEqual(said, ["waiting-for-cluster", "waiting-for-cluster"]);
  });

  it("ends the daemon by what it refuses", async () => {
    const refused = new DekuperError("LEADER_LOCK_HELD", "Somebody else holds it.");
    await assert.rejects(
      untilReachable(() => Promise.reject(refused), { warn: () => undefined }),
      refused,
    );
  });

  it("is not waited for any longer once the daemon is to stop", async () => {
    const stop = new AbortController();
    const waiting = untilReachable(
      async () => {
        throw away();
      },
      { warn: () => stop.abort(new Error("stopped")) },
      { waitMs: 60_000, signal: stop.signal },
    );
    await assert.rejects(waiting, /stopped/);
  });
});

describe("a daemon without a kubeconfig", () => {
  it("outside a pod is told that none is named", () => {
    const host = process.env.KUBERNETES_SERVICE_HOST;
    delete process.env.KUBERNETES_SERVICE_HOST;
    try {
      assert.throws(() => loadKubeconfig(undefined), { code: "CONFIG_INVALID", message: /not a pod/ });
    } finally {
      if (host !== undefined) process.env.KUBERNETES_SERVICE_HOST = host;
    }
  });
});
