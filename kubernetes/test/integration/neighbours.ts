import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { clusterStatus, type RunningCluster, stopCluster } from "../../src/index.ts";
import { clusterLayout } from "../../src/layout.ts";
import {
  apply,
  getJson,
  kubectl,
  namespaceObject,
  type PodStatus,
  podObject,
  waitForPods,
} from "./cluster-fixture.ts";
import { addressesOf, type ClusterPair } from "./cluster-pair.ts";
import { leftoversOf } from "./leftovers.ts";
import { podCgroups } from "./pod-cgroup.ts";

const NAMESPACE = "counters";
const SIDE_BY_SIDE_MS = 120_000;
const COUNT = "n=0; while true; do n=$((n + 1)); echo $n; sleep 0.5; done";

async function countersOf(cluster: RunningCluster): Promise<PodStatus[]> {
  return (await getJson<{ items: PodStatus[] }>(cluster, "pods", "-n", NAMESPACE)).items;
}

async function loggedNumbers(cluster: RunningCluster, pod: string): Promise<number[]> {
  return (await kubectl(cluster, ["logs", "-n", NAMESPACE, pod])).trim().split("\n").map(Number);
}

/** Pods that count aloud, in both clusters, from the start to the end of all other suites. */
export class Counters {
  readonly #pair: ClusterPair;
  #since = 0;
  readonly #uids = new Map<RunningCluster, string[]>();

  constructor(pair: ClusterPair) {
    this.#pair = pair;
  }

  async start(): Promise<void> {
    for (const cluster of [this.#pair.first, this.#pair.second]) {
      const pods = ["one", "two"].map((name) => podObject({ namespace: NAMESPACE, name, script: COUNT }));
      await apply(cluster, namespaceObject(NAMESPACE), ...pods);
      await waitForPods(cluster, NAMESPACE);
      this.#uids.set(
        cluster,
        (await countersOf(cluster)).map(({ metadata }) => metadata.uid),
      );
    }
    this.#since = Date.now();
  }

  async untilTwoMinutes(): Promise<void> {
    await delay(Math.max(0, this.#since + SIDE_BY_SIDE_MS - Date.now()));
  }

  /** The same pods run on, and have said every number once. */
  async assertUnharmed(cluster: RunningCluster): Promise<void> {
    const pods = await countersOf(cluster);
    assert.deepEqual(
      pods.map(({ metadata }) => metadata.uid),
      this.#uids.get(cluster),
    );
    for (const { metadata, status } of pods) {
      assert.equal(status.phase, "Running");
      assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
      const numbers = await loggedNumbers(cluster, metadata.name);
      assert.deepEqual(
        numbers,
        numbers.map((_, index) => index + 1),
      );
      await delay(1500);
      const later = await loggedNumbers(cluster, metadata.name);
      assert.ok(later.length > numbers.length, `${metadata.name} counts no more`);
    }
  }
}

/** A kubelet kills pods that it does not know and removes their logs: two must not see each other's. */
export function describeNeighbours(pair: ClusterPair, counters: Counters): void {
  describe("two clusters side by side for two minutes", () => {
    it("have namespaces, addresses, cgroups and log folders of their own", () => {
      const layouts = pair.stateDirs.map(clusterLayout);
      assert.notEqual(layouts[0]?.netns, layouts[1]?.netns);
      assert.notEqual(addressesOf(pair.first).index, addressesOf(pair.second).index);
    });

    it("keep their pods in their own cgroups and their logs in their own folders", async () => {
      const clusters = [pair.first, pair.second];
      for (const [index, cluster] of clusters.entries()) {
        const foreign = clusters[1 - index]?.stateDir ?? "";
        for (const { metadata } of await countersOf(cluster)) {
          assert.ok(podCgroups(cluster.stateDir, metadata.uid).length > 0);
          assert.deepEqual(podCgroups(foreign, metadata.uid), []);
          const logged = (stateDir: string): boolean =>
            readdirSync(clusterLayout(stateDir).podLogsDir).some((name) => name.endsWith(metadata.uid));
          assert.deepEqual([logged(cluster.stateDir), logged(foreign)], [true, false]);
        }
      }
    });

    it("lose no pod, no line of a log and none of their parts", async () => {
      await counters.untilTwoMinutes();
      for (const cluster of [pair.first, pair.second]) {
        await counters.assertUnharmed(cluster);
        const { components, phase } = await clusterStatus(cluster.stateDir);
        assert.equal(phase, "ready");
        assert.deepEqual(
          components.filter(({ restarts, pid }) => restarts > 0 || !pid),
          [],
        );
      }
    });

    it("end one without the other, and nothing is left of it", async () => {
      await stopCluster(pair.first.stateDir, { remove: true });
      assert.deepEqual(await leftoversOf(pair.first.stateDir), []);
      await counters.assertUnharmed(pair.second);
    });
  });
}
