import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  apply,
  eventually,
  getJson,
  getNode,
  kubectl,
  namespaceObject,
  type PodStatus,
  podObject,
} from "./cluster-fixture.ts";
import type { ClusterPair } from "./cluster-pair.ts";

const NAMESPACE = "gpus";
const ONE_GPU = { "nvidia.com/gpu": "1" };

/** The node has no GPU; whoever schedules by them cannot tell. */
export function describeGpus(pair: ClusterPair): void {
  describe("simulated GPUs", () => {
    before(() => apply(pair.second, namespaceObject(NAMESPACE)));
    after(() => kubectl(pair.second, ["delete", "pods", "-n", NAMESPACE, "--all"]));

    it("are advertised as NVIDIA's device plugin and feature discovery do", async () => {
      const { metadata, status } = await getNode(pair.second);
      assert.equal(status.allocatable["nvidia.com/gpu"], "8");
      assert.equal(metadata.labels["nvidia.com/gpu.product"], "NVIDIA-H100-80GB-HBM3");
      assert.equal(metadata.labels["nvidia.com/gpu.memory"], "81559");
      assert.equal(metadata.labels["nvidia.com/gpu.count"], "8");
    });

    it("run eight pods that ask for one each, and the ninth when one of them ends", async () => {
      const names = Array.from({ length: 9 }, (_, index) => `pod-${index}`);
      // A pod ends when it is told to, so that nothing here depends on how quick the machine is.
      const pods = names.map((name) =>
        podObject({ namespace: NAMESPACE, name, script: "exec sleep 3600", limits: ONE_GPU }),
      );
      await apply(pair.second, ...pods);
      const phases = async (): Promise<string[]> => {
        const { items } = await getJson<{ items: PodStatus[] }>(pair.second, "pods", "-n", NAMESPACE);
        return items.map(({ status }) => status.phase).sort();
      };
      const eightRun = [...Array<string>(1).fill("Pending"), ...Array<string>(8).fill("Running")];
      await eventually("eight running pods", 60, async () => {
        return JSON.stringify(await phases()) === JSON.stringify(eightRun);
      });
      const { items } = await getJson<{ items: PodStatus[] }>(pair.second, "pods", "-n", NAMESPACE);
      const waiting = items.find(({ status }) => status.phase === "Pending");
      const reason = waiting?.status.conditions?.find(({ type }) => type === "PodScheduled");
      assert.equal(reason?.reason, "Unschedulable");
      assert.match(reason?.message ?? "", /Insufficient nvidia\.com\/gpu/);
      const running = items.find(({ status }) => status.phase === "Running");
      await kubectl(pair.second, ["delete", "pod", "-n", NAMESPACE, running?.metadata.name ?? ""]);
      await eventually("the ninth pod's turn", 60, async () => {
        return JSON.stringify(await phases()) === JSON.stringify(Array<string>(8).fill("Running"));
      });
    });
  });
}
