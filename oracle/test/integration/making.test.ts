import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDekuperError } from "@dekuper/protocol";
import type { V1Pod } from "@kubernetes/client-node";
import type { AttemptOrder } from "../../src/cluster/driver.ts";
import { namespaceOf } from "../../src/cluster/names.ts";
import { ApiProxy, type Fate, type SeenRequest } from "./api-proxy.ts";
import { kubectl, see } from "./embedded-cluster.ts";
import { anOrder, begin, dismiss, look, NODE, openDriver, sh, soon, until } from "./leases.ts";

interface Listed {
  readonly items: readonly {
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly uid: string };
    readonly spec?: { readonly suspend?: boolean };
  }[];
}

/** No node has it: the pod stays where the scheduler left it, and costs nothing. */
const unschedulable = { gpus: 1, gpuModel: "none" };

async function objectsOf(order: AttemptOrder): Promise<Listed["items"]> {
  const kinds = "serviceaccount,networkpolicy,resourcequota,limitrange,job,pod";
  const { items } = await see<Listed>(kinds, "-n", namespaceOf(order), "-l", `dekuper.io/node=${NODE}`);
  return items;
}

describe("making an attempt", { concurrency: 4 }, () => {
  it("makes one Job and one pod, however often it is asked", async () => {
    const driver = await openDriver();
    const order = anOrder();
    const { podUid } = await begin(driver, order);
    for (let again = 0; again < 3; again += 1) await driver.ensureAttempt(order, soon());
    const restarted = await openDriver();
    await restarted.ensureAttempt(order, soon());
    const seen = await look(restarted, order);
    assert.equal(seen?.podUid, podUid);
    assert.equal(seen?.stage, "running");
    const objects = await objectsOf(order);
    assert.deepEqual(objects.map(({ kind }) => kind).sort(), [
      "Job",
      "LimitRange",
      "NetworkPolicy",
      "Pod",
      "ResourceQuota",
      "ServiceAccount",
    ]);
    await dismiss(order);
  });

  it("goes on where it was after a crash behind any of its calls, and never has a pod without its fences", async () => {
    const proxy = await ApiProxy.open();
    const whole = await openDriver();
    const crashing = await openDriver({ kubeconfig: proxy.kubeconfig });
    let steps = 1;
    for (let crashAfter = 1; crashAfter <= steps; crashAfter += 1) {
      const order = anOrder({ resources: unschedulable });
      let arrived = 0;
      proxy.decide = () => {
        arrived += 1;
        if (arrived < crashAfter) return "pass";
        return arrived === crashAfter ? "lose" : "break";
      };
      const crashed = await crashing.ensureAttempt(order, soon()).then(
        () => false,
        (error: unknown) => isDekuperError(error, "CLUSTER_UNREACHABLE"),
      );
      proxy.decide = () => "pass";
      steps = crashed ? crashAfter + 1 : steps;
      await sleep(100); // a pod that may come, comes
      const kinds = (await objectsOf(order)).map(({ kind }) => kind);
      if (kinds.includes("Job")) {
        for (const fence of ["ServiceAccount", "NetworkPolicy", "ResourceQuota", "LimitRange"])
          assert.ok(kinds.includes(fence), `after ${crashAfter} calls there is a Job without its ${fence}`);
      }
      await whole.ensureAttempt(order, soon());
      await until(whole, order, "its one pod is there", (seen) => seen?.podUid !== undefined);
      const jobs = (await objectsOf(order)).filter(({ kind }) => kind === "Job");
      assert.equal(jobs.length, 1);
      assert.equal(jobs[0]?.spec?.suspend, false);
      await dismiss(order);
    }
    assert.ok(steps >= 9, `the sweep saw ${steps} calls only`);
  });

  it("asks for the Job only after every fence has been answered, and lets it run only after the namespace names it", async () => {
    const proxy = await ApiProxy.open();
    const driver = await openDriver({ kubeconfig: proxy.kubeconfig });
    const order = anOrder({ resources: unschedulable });
    let fencesUnderWay = 0;
    let fencesAtJob: number | undefined;
    proxy.decide = async ({ method, path }): Promise<Fate> => {
      if (method === "PATCH" && /serviceaccounts|networkpolicies|quotas|limitranges/.test(path)) {
        fencesUnderWay += 1;
        await sleep(200);
        fencesUnderWay -= 1;
      }
      if (method === "POST" && path.endsWith("/jobs")) fencesAtJob = fencesUnderWay;
      return "pass";
    };
    await driver.ensureAttempt(order, soon());
    assert.equal(fencesAtJob, 0);
    const writes = proxy.seen.filter(({ method }) => method !== "GET").map(step);
    assert.deepEqual(writes.slice(-3), ["POST jobs", "PATCH namespace", "PATCH job"]);
    await dismiss(order);
  });

  it("takes the smallest lease that can be ordered", async () => {
    const driver = await openDriver();
    const order = anOrder({ command: sh("exit 0"), resources: { memoryMiB: 16, storageMiB: 1 } });
    assert.equal((await begin(driver, order, "exited")).exitCode, 0);
    await dismiss(order);
  });

  it("refuses a namespace of that name that somebody else made, and leaves it as it is", async () => {
    const driver = await openDriver();
    const order = anOrder();
    await kubectl(["create", "namespace", namespaceOf(order)]);
    const before = await see<object>("namespace", namespaceOf(order));
    await assert.rejects(driver.ensureAttempt(order, soon()), { code: "CLUSTER_REFUSED" });
    await assert.rejects(driver.tearDown(order, soon()), { code: "CLUSTER_REFUSED" });
    assert.deepEqual(await see<object>("namespace", namespaceOf(order)), before);
    assert.equal(await look(driver, order), undefined);
  });

  it("refuses a namespace that somebody else makes while it is looking", async () => {
    const proxy = await ApiProxy.open();
    const driver = await openDriver({ kubeconfig: proxy.kubeconfig });
    const order = anOrder();
    let written = false;
    proxy.decide = async ({ method }): Promise<Fate> => {
      if (method !== "GET" && !written) {
        written = true;
        await kubectl(["create", "namespace", namespaceOf(order)]);
      }
      return "pass";
    };
    await assert.rejects(driver.ensureAttempt(order, soon()), { code: "CLUSTER_REFUSED" });
    const { metadata } = await see<{ metadata: { labels: object } }>("namespace", namespaceOf(order));
    assert.deepEqual(Object.keys(metadata.labels), ["kubernetes.io/metadata.name"]);
  });

  it("does not run a lease in a weaker isolation than it was ordered with", async () => {
    const driver = await openDriver({ userNamespaces: false });
    const order = anOrder({ resources: { isolation: "user-namespace" } });
    await assert.rejects(driver.ensureAttempt(order, soon()), { code: "CLUSTER_REFUSED" });
    await assert.rejects(see("namespace", namespaceOf(order)), "nothing was made");
  });

  it("gives a GPU lease its GPUs and its model, and no other lease any", async () => {
    const driver = await openDriver();
    const order = anOrder({ resources: { gpus: 1, gpuModel: "NVIDIA-H100-80GB-HBM3" } });
    const { podName = "", namespace } = await begin(driver, order);
    const pod = await see<V1Pod>("pod", "-n", namespace, podName);
    const main = pod.spec?.containers.find(({ name }) => name === "main");
    assert.equal(main?.resources?.limits?.["nvidia.com/gpu"], "1");
    assert.equal(pod.spec?.nodeSelector?.["nvidia.com/gpu.product"], "NVIDIA-H100-80GB-HBM3");
    await dismiss(order);
  });
});

function step({ method, path }: SeenRequest): string {
  const parts = path.split("/");
  const last = parts.at(-1) ?? "";
  if (last.startsWith("dkp-")) return `${method} namespace`;
  return `${method} ${last === "run" ? parts.at(-2)?.replace(/s$/, "") : last}`;
}
