import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { signalProcess } from "@dekuper/kubernetes/processes";
import type { ClusterDriver } from "../../src/cluster/driver.ts";
import { ApiProxy, type Fate } from "./api-proxy.ts";
import { apiServerPid, core } from "./embedded-cluster.ts";
import { anInstance, renewedAt } from "./leader-locks.ts";
import { anOrder, begin, dismiss, look, openDriver, sh, soon, until } from "./leases.ts";

/** Whether a look at the cluster fails for a cause that is retried. */
async function assertUnreachable(driver: ClusterDriver, why: string): Promise<void> {
  await assert.rejects(driver.observe(soon()), { code: "CLUSTER_UNREACHABLE", retryable: true }, why);
}

describe("an API server that is away", () => {
  it("is unreachable, not empty, and takes neither pods nor the leader lock", async () => {
    const driver = await openDriver();
    const order = anOrder();
    const { podUid } = await begin(driver, order);
    const instance = anInstance();
    const lock = await driver.acquireLeaderLock(instance, soon());
    const before = await renewedAt(instance);
    const pid = await apiServerPid();
    signalProcess(pid, "SIGSTOP");
    try {
      // Longer than a renewal of the lock takes to come due; the driver gives each call up by itself.
      await assertUnreachable(driver, "stopped");
    } finally {
      signalProcess(pid, "SIGCONT");
    }
    const seen = await until(driver, order, "it is seen again", Boolean);
    assert.equal(seen.podUid, podUid);
    assert.equal(seen.stage, "running");
    while ((await renewedAt(instance)) <= before) await sleep(250);
    assert.equal(lock.lost.aborted, false);
    await lock.release();
    await dismiss(order);
  });
});

describe("a connection that fails", { concurrency: 3 }, () => {
  it("never makes a look at the cluster tell less than there is", async () => {
    const proxy = await ApiProxy.open();
    const driver = await openDriver({ kubeconfig: proxy.kubeconfig });
    const order = anOrder({ resources: { gpus: 1, gpuModel: "none" } });
    await driver.ensureAttempt(order, soon());
    assert.ok(await look(driver, order));
    const fates: Fate[] = [
      "break",
      "lose",
      { status: 503 },
      { status: 429 },
      { status: 410, body: '{"kind":"Status","code":410,"reason":"Expired"}' },
      { status: 200, body: '{"kind":"PodList","items":[' },
      { status: 200, body: '{"kind":"Status","status":"Failure"}' },
      { downAfter: 150 },
    ];
    for (const list of ["/api/v1/namespaces", "/apis/batch/v1/jobs", "/api/v1/pods"]) {
      for (const fate of fates) {
        proxy.decide = ({ path, query }) => (path === list && !query.has("watch") ? fate : "pass");
        await assertUnreachable(driver, `${list} ${JSON.stringify(fate)}`);
      }
    }
    proxy.decide = () => "pass";
    assert.ok(await look(driver, order));
    await dismiss(order);
  });

  it("does not make a Job look deleted that is made while the cluster is looked at", async () => {
    const proxy = await ApiProxy.open();
    const [driver, looking] = [await openDriver(), await openDriver({ kubeconfig: proxy.kubeconfig })];
    const order = anOrder({ resources: { gpus: 1, gpuModel: "none" } });
    let made: Promise<void> | undefined;
    proxy.decide = async ({ path, query }): Promise<Fate> => {
      if (query.has("watch") || path !== "/api/v1/namespaces") return "pass";
      made ??= driver.ensureAttempt(order, soon());
      await made;
      return "pass";
    };
    assert.notEqual((await look(looking, order))?.stage, "gone");
    await dismiss(order);
  });

  it("costs hints and no more when it goes silent: a look tells the truth, and hints come back", async () => {
    const proxy = await ApiProxy.open();
    const driver = await openDriver({ kubeconfig: proxy.kubeconfig, watchSeconds: 2 });
    let hints = 0;
    const off = driver.onHint(() => {
      hints += 1;
    });
    const order = anOrder({ command: sh("sleep 600") });
    const { namespace } = await begin(driver, order);
    assert.ok(hints > 0, "a pod that changes is a hint");
    let watches = 0;
    proxy.decide = ({ query }) => {
      if (!query.has("watch")) return "pass";
      watches += 1;
      return watches === 1 ? "silent" : "pass";
    };
    while (watches === 0) await sleep(50);
    await core().deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 1 });
    await until(driver, order, "a look tells that it is gone", (seen) => seen?.stage === "gone");
    while (watches === 1) await sleep(100);
    hints = 0;
    const next = anOrder({ resources: { gpus: 1, gpuModel: "none" } });
    await driver.ensureAttempt(next, soon());
    while (hints === 0) await sleep(100);
    off();
    await Promise.all([dismiss(order), dismiss(next)]);
  });
});
