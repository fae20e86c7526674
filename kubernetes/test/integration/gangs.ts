import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  apply,
  eventually,
  getJson,
  kubectl,
  namespaceObject,
  type PodStatus,
  podObject,
} from "./cluster-fixture.ts";
import type { ClusterPair } from "./cluster-pair.ts";

/** In the order of their making: the eight GPUs are spent before either job is whole. */
const PODS = [
  ...["six-1", "six-2", "six-3", "six-4", "six-5"],
  ...["four-1", "four-2", "four-3"],
  ...["six-6", "four-4"],
];
const SIZES = { six: 6, four: 4 };
type JobName = keyof typeof SIZES;

const jobOf = (pod: string): JobName => (pod.startsWith("six") ? "six" : "four");

function podGroup(namespace: string, name: JobName, isGang: boolean): unknown {
  const policy = isGang ? { gang: { minCount: SIZES[name] } } : { basic: {} };
  return {
    apiVersion: "scheduling.k8s.io/v1beta1",
    kind: "PodGroup",
    metadata: { name, namespace },
    spec: { schedulingPolicy: policy },
  };
}

async function submitTwoJobs(pair: ClusterPair, namespace: string, isGang: boolean): Promise<void> {
  const pods = PODS.map((name) =>
    podObject({
      namespace,
      name,
      script: isGang ? "sleep 1" : "exec sleep 3600",
      limits: { "nvidia.com/gpu": "1" },
      podGroup: jobOf(name),
    }),
  );
  await apply(
    pair.second,
    namespaceObject(namespace),
    podGroup(namespace, "six", isGang),
    podGroup(namespace, "four", isGang),
    ...pods,
  );
}

async function podsOf(pair: ClusterPair, namespace: string): Promise<PodStatus[]> {
  return (await getJson<{ items: PodStatus[] }>(pair.second, "pods", "-n", namespace)).items;
}

/** Kubernetes' own gang scheduling (gate GenericWorkload): all pods of a group are placed, or none. */
export function describeGangs(pair: ClusterPair): void {
  describe("two jobs of 6 and 4 GPUs on 8", () => {
    const namespaces = { gang: "gang", basic: "no-gang" };
    before(() => submitTwoJobs(pair, namespaces.gang, true));
    after(() => kubectl(pair.second, ["delete", "pods", "-n", namespaces.basic, "--all"]));

    it("run one after the other as gangs", async () => {
      await eventually("the end of both jobs", 90, async () => {
        const pods = await podsOf(pair, namespaces.gang);
        assert.ok(!pods.some(({ status }) => status.phase === "Failed"));
        return pods.every(({ status }) => status.phase === "Succeeded");
      });
      const runs = (await podsOf(pair, namespaces.gang)).map(({ metadata, status }) => {
        const ended = status.containerStatuses?.[0]?.state.terminated;
        return {
          job: jobOf(metadata.name),
          from: Date.parse(ended?.startedAt ?? ""),
          to: Date.parse(ended?.finishedAt ?? ""),
        };
      });
      const span = (job: JobName): { from: number; to: number } => {
        const own = runs.filter((run) => run.job === job);
        return { from: Math.min(...own.map(({ from }) => from)), to: Math.max(...own.map(({ to }) => to)) };
      };
      const [earlier, later] = [span("six"), span("four")].sort((a, b) => a.from - b.from);
      assert.ok(earlier && later && earlier.to <= later.from, JSON.stringify({ earlier, later }));
    });

    it("block each other half-started where they are no gangs", async () => {
      await submitTwoJobs(pair, namespaces.basic, false);
      await eventually("five and three running pods, two that wait for ever", 60, async () => {
        const pods = await podsOf(pair, namespaces.basic);
        const inPhase = (job: JobName, phase: string): number =>
          pods.filter(({ metadata, status }) => jobOf(metadata.name) === job && status.phase === phase)
            .length;
        const placed = [inPhase("six", "Running"), inPhase("four", "Running")];
        const waiting = [inPhase("six", "Pending"), inPhase("four", "Pending")];
        return placed.join() === "5,3" && waiting.join() === "1,1";
      });
    });
  });
}
