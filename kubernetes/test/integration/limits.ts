import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { POD_PIDS_LIMIT } from "../../src/configuration.ts";
import {
  apply,
  eventually,
  execute,
  getNode,
  getPod,
  kubectl,
  namespaceObject,
  type PodOptions,
  podObject,
  waitForPods,
} from "./cluster-fixture.ts";
import type { ClusterPair } from "./cluster-pair.ts";
import { podProcesses, readPodCgroup } from "./pod-cgroup.ts";

const GREEDY = "greedy";
const MODEST = "modest";

/** Each process makes two more for as long as it is let; the first one outlives them all. */
const FORK_BOMB = `bomb() { bomb | bomb & }
(while true; do bomb; sleep 0.1; done) 2>/dev/null &
exec sleep 3600`;

const ENDLESS_FILE = "dd if=/dev/zero of=/tmp/full bs=1M count=256; exec sleep 3600";

/** What a task takes beyond its share is its own loss. */
export function describeLimits(pair: ClusterPair): void {
  describe("a pod that takes without end", () => {
    const greedy = (options: Omit<PodOptions, "namespace">): unknown =>
      podObject({ namespace: GREEDY, ...options });
    before(async () => {
      await apply(
        pair.second,
        namespaceObject(GREEDY),
        namespaceObject(MODEST),
        podObject({ namespace: MODEST, name: "neighbour", script: "exec sleep 3600" }),
      );
      await waitForPods(pair.second, MODEST);
      await apply(
        pair.second,
        greedy({ name: "forks", script: FORK_BOMB, limits: { memory: "512Mi" } }),
        greedy({ name: "volume", script: ENDLESS_FILE, volumeSize: "16Mi" }),
        greedy({ name: "disk", script: ENDLESS_FILE, limits: { "ephemeral-storage": "16Mi" } }),
        greedy({ name: "memory", script: "tail /dev/zero" }),
      );
    });

    const assertNeighbourIsFine = async (): Promise<void> => {
      assert.equal(await execute(pair.second, MODEST, "neighbour", "echo fine"), "fine\n");
      const { status } = await getPod(pair.second, MODEST, "neighbour");
      assert.equal(status.phase, "Running");
      assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
      const node = await getNode(pair.second);
      const conditions = Object.fromEntries(node.status.conditions.map(({ type, status: is }) => [type, is]));
      assert.equal(conditions.Ready, "True");
      assert.equal(conditions.DiskPressure, "False");
      assert.equal(conditions.PIDPressure, "False");
    };

    it("of processes stays at its limit", async () => {
      const { metadata } = await getPod(pair.second, GREEDY, "forks");
      const processes = (): number =>
        Number(readPodCgroup(pair.second.stateDir, metadata.uid, "pids.current"));
      await eventually(
        "as many processes as it may have",
        60,
        async () => processes() > 0.9 * POD_PIDS_LIMIT,
      );
      for (let look = 0; look < 20; look++) {
        assert.ok(processes() <= POD_PIDS_LIMIT);
        await delay(100);
      }
      await assertNeighbourIsFine();
    });

    it("of processes goes with all of them when it is deleted", async () => {
      const { metadata } = await getPod(pair.second, GREEDY, "forks");
      await kubectl(pair.second, ["delete", "pod", "-n", GREEDY, "forks", "--timeout=60s"]);
      assert.deepEqual(podProcesses(pair.second.stateDir, metadata.uid), []);
    });

    it("of memory is killed", async () => {
      await eventually("the pod's end", 60, async () => {
        const { status } = await getPod(pair.second, GREEDY, "memory");
        return status.containerStatuses?.[0]?.state.terminated?.reason === "OOMKilled";
      });
      await assertNeighbourIsFine();
    });

    for (const name of ["volume", "disk"] as const) {
      it(`of its ${name} is evicted`, async () => {
        await eventually("the pod's eviction", 90, async () => {
          const { status } = await getPod(pair.second, GREEDY, name);
          return status.phase === "Failed" && status.reason === "Evicted";
        });
        await assertNeighbourIsFine();
      });
    }
  });
}
