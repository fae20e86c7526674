import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { lockHolder } from "../../src/file-lock.ts";
import { clusterStatus, KubernetesError, startCluster, stopCluster } from "../../src/index.ts";
import { clusterLayout } from "../../src/layout.ts";
import { readJson, type SupervisorStatus } from "../../src/settings.ts";
import { cacheDir } from "./cluster-fixture.ts";
import { leftoversOf, machineChanges, machineState } from "./leftovers.ts";
import { makeTestFolder } from "./test-folder.ts";

const folder = makeTestFolder();
const stateDir = join(folder, "cluster");
const layout = clusterLayout(stateDir);
const machine = machineState();
const COMMAND = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

const isRunning = (component: string): boolean => {
  const status = readJson<SupervisorStatus>(layout.statusFile);
  return status?.components.some(({ name, pid }) => name === component && pid !== undefined) ?? false;
};

/** Steps of a start, each told by what it leaves. */
const MOMENTS: Record<string, () => boolean> = {
  "its network is made": () => existsSync(layout.netnsPath),
  "its supervisor starts": () => lockHolder(layout.supervisorLock) !== undefined,
  "its API server starts": () => isRunning("kube-apiserver"),
  "its kubelet starts": () => isRunning("kubelet"),
};

/** Starts a cluster by the command, as a person does. */
function runUp(): ChildProcess {
  return spawn(process.execPath, [COMMAND, "up", "--state", stateDir, "--name", "killed"], {
    stdio: "ignore",
  });
}

async function untilMoment(what: string, hasCome: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!hasCome()) {
    if (Date.now() > end) throw new Error(`within a minute: ${what}`);
    await delay(2);
  }
}

async function startAndKillWhen(
  what: string,
  hasCome: () => boolean,
  withSupervisor: boolean,
): Promise<void> {
  const command = runUp();
  const ended = new Promise((resolve) => command.once("exit", resolve));
  await untilMoment(what, hasCome);
  command.kill("SIGKILL");
  const supervisor = lockHolder(layout.supervisorLock);
  if (withSupervisor && supervisor) {
    process.kill(supervisor.pid, "SIGKILL");
    await untilMoment("the supervisor's end", () => lockHolder(layout.supervisorLock) === undefined);
  }
  await ended;
}

describe("a start that does not go its way", () => {
  after(async () => {
    await stopCluster(stateDir, { remove: true });
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [what, hasCome] of Object.entries(MOMENTS)) {
    it(`and is killed when ${what}, is undone by a stop`, async () => {
      await startAndKillWhen(what, hasCome, true);
      await stopCluster(stateDir, { remove: true });
      assert.deepEqual(await leftoversOf(stateDir), []);
      assert.equal(existsSync(stateDir), false);
    });
  }

  it("and is killed without its supervisor, is undone by a stop too", async () => {
    await startAndKillWhen("the network", () => existsSync(layout.netnsPath), false);
    await stopCluster(stateDir, { remove: true });
    // A supervisor that was on its way must not come to life now.
    await delay(1000);
    assert.deepEqual(await leftoversOf(stateDir), []);
    assert.equal(existsSync(stateDir), false);
  });

  it("and is killed, is followed by one that succeeds", async () => {
    await startAndKillWhen("the kubelet", () => isRunning("kubelet"), true);
    const cluster = await startCluster({ name: "killed", stateDir, cacheDir, images: ["busybox"] });
    assert.equal((await clusterStatus(stateDir)).phase, "ready");
    await cluster.stop();
    assert.deepEqual(await leftoversOf(stateDir), []);
  });

  it("because another comes at the same time, is refused: one of the two succeeds", async () => {
    const options = { name: "killed", stateDir, cacheDir, images: ["busybox"] as const };
    const results = await Promise.allSettled([startCluster(options), startCluster(options)]);
    const refusals = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason as unknown] : [],
    );
    assert.equal(refusals.length, 1);
    assert.ok(
      refusals[0] instanceof KubernetesError && refusals[0].code === "CLUSTER_RUNS",
      String(refusals[0]),
    );
    assert.equal((await clusterStatus(stateDir)).phase, "ready");
  });

  it("because its caller gives it up, leaves nothing", async () => {
    await stopCluster(stateDir, { remove: true });
    const cancel = new AbortController();
    const starting = startCluster({
      name: "killed",
      stateDir,
      cacheDir,
      images: ["busybox"],
      signal: cancel.signal,
    });
    starting.catch(() => undefined);
    await untilMoment("the API server", () => isRunning("kube-apiserver"));
    cancel.abort();
    await assert.rejects(starting, { name: "AbortError" });
    assert.deepEqual(await leftoversOf(stateDir), []);
    assert.deepEqual(machineChanges(machine), []);
  });
});
