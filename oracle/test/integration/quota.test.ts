import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AttemptObservation, AttemptOrder, ClusterDriver } from "../../src/cluster/driver.ts";
import { anOrder, begin, collect, dismiss, look, openDriver, sh, soon, until } from "./leases.ts";

/** Processes in a pod, and how many it may have, as the kernel counts them. */
async function processesOf({ podUid }: AttemptObservation): Promise<{ current: number; max: number }> {
  for await (const folder of glob(`/sys/fs/cgroup/{,pids/}dekuper-*/kubepods/*/pod${podUid}`)) {
    const read = (file: string) => Number(readFileSync(`${folder}/${file}`, "utf8"));
    return { current: read("pids.current"), max: read("pids.max") };
  }
  throw new Error(`pod ${podUid} has no cgroup`);
}

describe("a task that takes all it can get", { concurrency: true }, () => {
  let driver: ClusterDriver;
  let neighbour: AttemptOrder;
  let podUid: string | undefined;

  before(async () => {
    driver = await openDriver();
    neighbour = anOrder({ command: sh("while :; do date +%s%N >/checkpoint/now; sleep 0.2; done") });
    podUid = (await begin(driver, neighbour)).podUid;
  });

  /** The neighbour still does its work. */
  async function assertUnharmed(): Promise<void> {
    const seen = await look(driver, neighbour);
    assert.equal(seen?.stage, "running");
    assert.equal(seen?.podUid, podUid);
    const first = Buffer.from(await driver.checkpointManifest(neighbour, soon())).toString();
    for (let again = 0; again < 20; again += 1) {
      await sleep(250);
      if (Buffer.from(await driver.checkpointManifest(neighbour, soon())).toString() !== first) return;
    }
    assert.fail("the neighbour does nothing any more");
  }

  it("is held to its number of processes, can be stopped, and its output read", async () => {
    const bomb =
      "echo kept >/output/kept; trap '' TERM; while :; do ( while :; do sleep 600 & done ) 2>/dev/null; done";
    const order = anOrder({ command: sh(bomb), resources: { memoryMiB: 1024 } });
    const running = await begin(driver, order);
    const end = Date.now() + 45_000;
    for (;;) {
      const { current, max } = await processesOf(running);
      assert.ok(max <= 1024 && current <= max, `${current} of ${max} processes`);
      if (current >= max - 1) break;
      assert.ok(Date.now() < end, `only ${current} of ${max} processes`);
      await sleep(200);
    }
    await assertUnharmed();
    await driver.stopMain(order, soon());
    const ended = await until(driver, order, "it has ended", (seen) => seen?.stage === "exited");
    assert.notEqual(ended.exitCode, 0);
    assert.match((await collect(driver.readOutput(order, soon()))).toString("latin1"), /kept/);
    await dismiss(order);
  });

  it("is evicted when it fills more disk than it ordered", async () => {
    const order = anOrder({
      command: sh("dd if=/dev/zero of=/output/fill bs=1M count=48; sleep 600"),
      resources: { storageMiB: 16 },
    });
    await driver.ensureAttempt(order, soon());
    // Its containers are stopped before the pod says why.
    const gone = await until(driver, order, "it is evicted", (seen) => seen?.reason === "Evicted");
    assert.equal(gone.stage, "gone");
    await assertUnharmed();
    await dismiss(order);
  });
});
