import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AttemptOrder } from "../../src/cluster/driver.ts";
import { namespaceOf } from "../../src/cluster/names.ts";
import { markScript } from "../../src/cluster/scripts.ts";
import { core, kubectl, see } from "./embedded-cluster.ts";
import {
  anOrder,
  begin,
  collect,
  dismiss,
  type LeaseWish,
  look,
  openDriver,
  sh,
  soon,
  until,
} from "./leases.ts";

/** Runs a lease to the end of its main container. */
async function run(wish: LeaseWish) {
  const driver = await openDriver();
  const order = anOrder(wish);
  const ended = await begin(driver, order, "exited");
  return { driver, order, ended };
}

describe("how a run ends", { concurrency: 5 }, () => {
  it("tells success, with the times, the image and the CPU seconds", async () => {
    const { driver, order, ended } = await run({
      command: sh("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"),
    });
    assert.equal(ended.exitCode, 0);
    assert.equal(ended.outOfMemory, false);
    assert.equal(ended.timeLimit, false);
    assert.ok((ended.startedAt ?? 0) >= ended.createdAt && (ended.finishedAt ?? 0) >= (ended.startedAt ?? 0));
    assert.equal(ended.imageDigest, `0x${order.spec.image.split("sha256:")[1]}`);
    const cpuSeconds = await driver.cpuSeconds(order, soon());
    assert.ok(cpuSeconds !== undefined && cpuSeconds > 0.05 && cpuSeconds < 60, `${cpuSeconds} CPU seconds`);
    await dismiss(order);
  });

  it("tells the exit code that the command chose", async () => {
    const { order, ended } = await run({ command: sh("exit 3") });
    assert.equal(ended.exitCode, 3);
    assert.equal(ended.outOfMemory, false);
    await dismiss(order);
  });

  it("tells a run that took more memory than it ordered, and keeps its output", async () => {
    const script = "echo kept >/output/kept; a=x; while :; do a=$a$a; done";
    const { driver, order, ended } = await run({ command: sh(script), resources: { memoryMiB: 32 } });
    assert.equal(ended.exitCode, 137);
    assert.equal(ended.outOfMemory, true);
    assert.match((await collect(driver.readOutput(order, soon()))).toString("latin1"), /kept/);
    await dismiss(order);
  });

  it("ends a run whose time is over, also one that will not listen, and keeps its output", async () => {
    const script = "trap '' TERM; echo kept >/output/kept; while :; do sleep 1; done";
    const { driver, order, ended } = await run({ command: sh(script), maxDuration: 1 });
    assert.equal(ended.timeLimit, true);
    assert.equal(ended.outOfMemory, false);
    assert.notEqual(ended.exitCode, 0);
    assert.match((await collect(driver.readOutput(order, soon()))).toString("latin1"), /kept/);
    await dismiss(order);
  });

  it("lets a run go on for longer where more was paid for, by the wrapper's clock and by the cluster's", async () => {
    const driver = await openDriver();
    const script = "sleep 25; echo done >/output/done";
    const order = anOrder({ command: sh(script), maxDuration: 15, deadlineSeconds: 20 });
    await begin(driver, order);
    await driver.extendRun(order, { runSeconds: 300, deadlineSeconds: 400 }, soon());
    const ended = await until(driver, order, "it has ended", (seen) => seen?.stage === "exited");
    assert.deepEqual([ended.exitCode, ended.timeLimit], [0, false]);
    assert.match((await collect(driver.readOutput(order, soon()))).toString("latin1"), /done/);
    await dismiss(order);
  });

  it("tells a command that does not exist, in the log too", async () => {
    const { driver, order, ended } = await run({ command: ["/no/such/command"] });
    assert.equal(ended.exitCode, 127);
    assert.match(
      (await collect(driver.readLog(order, { follow: false }, soon()))).toString(),
      /no\/such\/command/,
    );
    await dismiss(order);
  });

  it("tells an image that cannot be had, and does not take it for an end", async () => {
    const driver = await openDriver();
    const order = anOrder({ image: `localhost/missing@sha256:${"ab".repeat(32)}` });
    await driver.ensureAttempt(order, soon());
    const seen = await until(driver, order, "it says why", ({ reason } = {} as never) =>
      /Image/.test(reason ?? ""),
    );
    assert.equal(seen.stage, "pending");
    assert.match(seen.reason ?? "", /^(ErrImagePull|ImagePullBackOff)$/);
    await dismiss(order);
  });

  it("stops the main container when it is asked to, with its children, and keeps its output", async () => {
    const driver = await openDriver();
    const script = "echo before >/output/a; trap 'echo told >/output/b; exit 9' TERM; sleep 600 & wait";
    const order = anOrder({ command: sh(script) });
    await begin(driver, order);
    await driver.stopMain(order, soon());
    await driver.stopMain(order, soon());
    const ended = await until(driver, order, "it has ended", (seen) => seen?.stage === "exited");
    assert.equal(ended.exitCode, 9);
    assert.equal(ended.timeLimit, false);
    const output = (await collect(driver.readOutput(order, soon()))).toString("latin1");
    assert.match(output, /before/);
    assert.match(output, /told/);
    await dismiss(order);
  });

  it("ends by the cluster's own clock when no oracle is there to end it", async () => {
    const driver = await openDriver();
    const order = anOrder({ deadlineSeconds: 4 });
    await driver.ensureAttempt(order, soon());
    const seen = await until(driver, order, "its deadline has come", (now) => now?.stage === "gone");
    assert.match(seen.reason ?? "", /DeadlineExceeded|Failed|PodDeleted/);
    await dismiss(order);
  });

  it("follows the log until the run ends", async () => {
    const driver = await openDriver();
    const order = anOrder({
      command: sh("echo first; while [ ! -e /tmp/go ]; do sleep 0.2; done; echo last"),
    });
    const { podName = "", namespace } = await begin(driver, order);
    let text = "";
    for await (const part of driver.readLog(order, { follow: true }, soon())) {
      text += Buffer.from(part).toString();
      if (text === "first\n")
        await kubectl(["exec", "-n", namespace, podName, "-c", "main", "--", "touch", "/tmp/go"]);
    }
    assert.equal(text, "first\nlast\n");
    await dismiss(order);
  });

  it("completes the Job when the helper is let go, and nothing can be read after it", async () => {
    const { driver, order } = await run({ command: sh("true") });
    await driver.release(order, soon());
    const seen = await until(driver, order, "it is gone", (now) => now?.stage === "gone");
    assert.match(seen.reason ?? "", /^(Succeeded|Completed)$/);
    const done = await jobConditions(order);
    assert.ok(done.includes("Complete"), done.join());
    await assert.rejects(collect(driver.readOutput(order, soon())));
    await dismiss(order);
  });

  it("keeps the helper until who let it go has ended: it would be killed with it, and report a failure", async () => {
    const { driver, order, ended } = await run({ command: sh("true") });
    const { podName = "", namespace } = ended;
    const slow = ["/bin/busybox", "sh", "-c", `${markScript}; sleep 3`, "mark", "done"];
    await kubectl(["exec", "-n", namespace, podName, "-c", "helper", "--", ...slow]);
    await until(driver, order, "it is gone", (now) => now?.stage === "gone");
    await dismiss(order);
  });
});

describe("an attempt that is over", { concurrency: 5 }, () => {
  it("stays over when its pod is deleted", async () => {
    const driver = await openDriver();
    const order = anOrder();
    const { namespace } = await begin(driver, order);
    await kubectl(["delete", "pod", "--all", "-n", namespace, "--grace-period=1"]);
    await driver.ensureAttempt(order, soon());
    await until(driver, order, "it is gone", (now) => now?.stage === "gone");
    await staysWithoutPod(order);
    assert.equal((await look(driver, order))?.stage, "gone");
    await dismiss(order);
  });

  it("stays over when its Job is deleted, also for an oracle that asks for it again", async () => {
    const driver = await openDriver();
    const order = anOrder();
    const { namespace } = await begin(driver, order);
    await kubectl(["delete", "job", "--all", "-n", namespace, "--grace-period=1"]);
    await until(driver, order, "it is gone", (now) => now?.stage === "gone");
    await (await openDriver()).ensureAttempt(order, soon());
    await staysWithoutPod(order);
    assert.equal((await look(driver, order))?.stage, "gone");
    await dismiss(order);
  });

  it("stays away when its namespace is deleted", async () => {
    const driver = await openDriver();
    const order = anOrder();
    const { namespace } = await begin(driver, order);
    await kubectl(["delete", "namespace", namespace, "--wait=true"]);
    await sleep(2_000);
    assert.equal(await look(driver, order), undefined);
    assert.equal(await kubectl(["get", "namespace", namespace, "--ignore-not-found"]), "");
  });

  it("is torn down with everything in it, and nothing of its neighbour", async () => {
    const driver = await openDriver();
    const [ended, neighbour] = [anOrder(), anOrder()];
    const [, other] = await Promise.all([begin(driver, ended), begin(driver, neighbour)]);
    await driver.tearDown(ended, soon());
    await driver.tearDown(ended, soon());
    assert.equal(await kubectl(["get", "namespace", namespaceOf(ended), "--ignore-not-found"]), "");
    assert.equal(await look(driver, ended), undefined);
    const still = await look(driver, neighbour);
    assert.equal(still?.podUid, other.podUid);
    assert.equal(still?.stage, "running");
    await dismiss(neighbour);
  });

  it("is not seen by, nor torn down for, another node's oracle", async () => {
    const driver = await openDriver();
    const stranger = await openDriver({ node: `0x${"99".repeat(20)}` });
    const order = anOrder({ resources: { gpus: 1, gpuModel: "none" } });
    await driver.ensureAttempt(order, soon());
    assert.equal(await look(stranger, order), undefined);
    await assert.rejects(stranger.tearDown(order, soon()), { code: "CLUSTER_REFUSED" });
    assert.notEqual(await look(driver, order), undefined);
    await dismiss(order);
  });
});

async function jobConditions(order: AttemptOrder): Promise<string[]> {
  interface Job {
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }
  const end = Date.now() + 20_000;
  for (;;) {
    const { status } = await see<Job>("job", "-n", namespaceOf(order), "run");
    const types = (status.conditions ?? []).filter((one) => one.status === "True").map(({ type }) => type);
    if (types.includes("Complete") || Date.now() > end) return types;
    await sleep(200);
  }
}

/** For as long as a controller would take to make another. */
async function staysWithoutPod(order: AttemptOrder): Promise<void> {
  const api = core();
  for (let look = 0; look < 12; look += 1) {
    const { items } = await api.listNamespacedPod({ namespace: namespaceOf(order) });
    const living = items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    assert.equal(living.length, 0, "a pod came back");
    await sleep(250);
  }
}
