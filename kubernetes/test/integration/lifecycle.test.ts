import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { lockHolder } from "../../src/file-lock.ts";
import {
  clusterStatus,
  KubernetesError,
  type RunningCluster,
  startCluster,
  stopCluster,
} from "../../src/index.ts";
import { clusterLayout } from "../../src/layout.ts";
import { signalProcess } from "../../src/processes.ts";
import { clusterProcesses } from "../../src/sweep.ts";
import {
  apply,
  cacheDir,
  eventually,
  execute,
  getNode,
  getPod,
  kubectl,
  namespaceObject,
  podObject,
  waitForPods,
} from "./cluster-fixture.ts";
import { leftoversOf, machineChanges, machineState } from "./leftovers.ts";
import { makeTestFolder } from "./test-folder.ts";

const folder = makeTestFolder();
const stateDir = join(folder, "cluster");
const layout = clusterLayout(stateDir);
const machine = machineState();
const NAMESPACE = "work";
const COUNT = "n=0; while true; do n=$((n + 1)); echo $n; sleep 0.5; done";

const start = (): Promise<RunningCluster> =>
  startCluster({
    name: "lifecycle",
    stateDir,
    cacheDir,
    images: ["busybox"],
    gpus: { count: 8, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 },
  });

const isCode = (code: string) => (error: unknown) => error instanceof KubernetesError && error.code === code;

function kill(pids: readonly (number | undefined)[]): void {
  for (const pid of pids) if (pid) signalProcess(pid, "SIGKILL");
}

/** Programs of the host that have the ports which a cluster's parts listen at. */
async function occupyPorts(): Promise<Server[]> {
  const ports = [53, 2379, 2380, 6443, 8181, 10_250, 10_257, 10_259];
  const servers = ports.map((port) => ({ port, server: createServer() }));
  await Promise.all(
    servers.map(
      ({ port, server }) =>
        // One that is taken already serves as well.
        new Promise<void>((resolve) =>
          server.once("error", () => resolve()).listen(port, "0.0.0.0", resolve),
        ),
    ),
  );
  return servers.map(({ server }) => server);
}

// In the order of a cluster's life: each test goes on where the one before it ended.
describe("the life of one cluster", () => {
  let cluster: RunningCluster;
  let occupied: Server[] = [];
  before(async () => {
    occupied = await occupyPorts();
  });
  after(async () => {
    for (const server of occupied) server.close();
    await stopCluster(stateDir, { remove: true });
    rmSync(folder, { recursive: true, force: true });
  });

  const runCounter = async (): Promise<void> => {
    await apply(
      cluster,
      namespaceObject(NAMESPACE),
      podObject({ namespace: NAMESPACE, name: "counter", script: COUNT, limits: { "nvidia.com/gpu": "1" } }),
    );
    await waitForPods(cluster, NAMESPACE);
  };
  const counted = async (): Promise<number[]> =>
    (await kubectl(cluster, ["logs", "-n", NAMESPACE, "counter"])).trim().split("\n").map(Number);
  const pidsOf = async (...names: string[]): Promise<(number | undefined)[]> => {
    const { components } = await clusterStatus(stateDir);
    return components.filter(({ name }) => names.length === 0 || names.includes(name)).map(({ pid }) => pid);
  };

  it("starts though programs of the host hold every port that it uses", async (t) => {
    cluster = await start();
    const { phase, memoryMiB, components } = await clusterStatus(stateDir);
    assert.equal(phase, "ready");
    const parts = components.map(({ name, memoryMiB: own }) => `${name} ${own}`).join(", ");
    t.diagnostic(`ready after ${cluster.timeline.ready} ms; idle ${memoryMiB} MiB (${parts})`);
  });

  it("refuses a second start and names the holder", async () => {
    const holder = lockHolder(layout.supervisorLock)?.pid;
    await assert.rejects(start(), (error: unknown) => {
      assert.ok(isCode("CLUSTER_RUNS")(error));
      return (
        error instanceof Error && error.message.includes(`pid ${holder}`) && error.message.includes(stateDir)
      );
    });
    assert.equal(lockHolder(layout.supervisorLock)?.pid, holder);
    await runCounter();
  });

  for (const killed of [
    ["kubelet", "containerd"],
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "coredns"],
  ]) {
    it(`starts ${killed.join(", ")} again when they are killed, and the pod notices nothing`, async () => {
      const { metadata } = await getPod(cluster, NAMESPACE, "counter");
      const before = await pidsOf(...killed);
      kill(before);
      await eventually("new processes", 60, async () => {
        const now = await pidsOf(...killed);
        return now.every((pid) => pid !== undefined && !before.includes(pid));
      });
      await eventually("a command in the pod", 60, async () => {
        return (await execute(cluster, NAMESPACE, "counter", "echo here")) === "here\n";
      });
      await eventually("the node's GPUs", 60, async () => {
        const { status } = await getNode(cluster);
        const ready = status.conditions.find(({ type }) => type === "Ready");
        return ready?.status === "True" && status.allocatable["nvidia.com/gpu"] === "8";
      });
      const after = await getPod(cluster, NAMESPACE, "counter");
      assert.equal(after.metadata.uid, metadata.uid);
      assert.equal(after.status.phase, "Running");
      assert.equal(after.status.containerStatuses?.[0]?.restartCount, 0);
      const seen = await counted();
      await eventually("more of the pod's log", 20, async () => (await counted()).length > seen.length);
      const numbers = await counted();
      assert.deepEqual(
        numbers,
        numbers.map((_, index) => index + 1),
      );
    });
  }

  it("lets new pods run after that", async () => {
    await apply(cluster, podObject({ namespace: NAMESPACE, name: "later", script: "exec sleep 3600" }));
    await waitForPods(cluster, NAMESPACE);
  });

  it("is stopped without its supervisor, and leaves nothing", async () => {
    kill([lockHolder(layout.supervisorLock)?.pid]);
    await eventually("the supervisor's end", 10, async () => !lockHolder(layout.supervisorLock));
    assert.equal((await clusterStatus(stateDir)).phase, "abandoned");
    await stopCluster(stateDir);
    assert.deepEqual(await leftoversOf(stateDir), []);
    assert.equal((await clusterStatus(stateDir)).phase, "stopped");
  });

  it("stops twice as well as once", async () => {
    await stopCluster(stateDir);
    assert.equal((await clusterStatus(stateDir)).phase, "stopped");
  });

  it("comes back with its objects and images", async () => {
    cluster = await start();
    await kubectl(cluster, ["get", "namespace", NAMESPACE]);
    await kubectl(cluster, ["delete", "pods", "-n", NAMESPACE, "--all"]);
    await runCounter();
  });

  it("comes back after everything of it was killed at once", async () => {
    kill(clusterProcesses(layout));
    await eventually("the end of all", 10, async () => !lockHolder(layout.supervisorLock));
    cluster = await start();
    await kubectl(cluster, ["delete", "pods", "-n", NAMESPACE, "--all"]);
    await runCounter();
  });

  it("is removed whole, and the machine is as it was", async () => {
    await stopCluster(stateDir, { remove: true });
    assert.deepEqual(await leftoversOf(stateDir), []);
    assert.deepEqual(machineChanges(machine), []);
    assert.equal((await clusterStatus(stateDir)).phase, "none");
  });

  it("may be stopped where none ever was", async () => {
    await stopCluster(join(folder, "never"), { remove: true });
    assert.deepEqual(await leftoversOf(join(folder, "never")), []);
  });
});
