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

/** What spends the eight GPUs before either job is whole, and the two pods that would make one whole. */
const FIRST = ["six-1", "six-2", "six-3", "six-4", "six-5", "four-1", "four-2", "four-3"];
const LAST = ["six-6", "four-4"];
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

async function createGroups(pair: ClusterPair, namespace: string, isGang: boolean): Promise<void> {
  await apply(
    pair.second,
    namespaceObject(namespace),
    podGroup(namespace, "six", isGang),
    podGroup(namespace, "four", isGang),
  );
}

async function createPods(
  pair: ClusterPair,
  namespace: string,
  names: readonly string[],
  script: string,
): Promise<void> {
  const pods = names.map((name) =>
    podObject({ namespace, name, script, limits: { "nvidia.com/gpu": "1" }, podGroup: jobOf(name) }),
  );
  await apply(pair.second, ...pods);
}

async function podsOf(pair: ClusterPair, namespace: string): Promise<PodStatus[]> {
  return (await getJson<{ items: PodStatus[] }>(pair.second, "pods", "-n", namespace)).items;
}

/** Kubernetes' own gang scheduling (gate GenericWorkload): all pods of a group are placed, or none. */
export function describeGangs(pair: ClusterPair): void {
  describe("two jobs of 6 and 4 GPUs on 8", () => {
    const namespaces = { gang: "gang", basic: "no-gang" };
    before(async () => {
      await createGroups(pair, namespaces.gang, true);
      await createPods(pair, namespaces.gang, [...FIRST, ...LAST], "sleep 1");
    });
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

    // Pods of one second have no order in the scheduler's queue: the first eight run before the last two are made.
    it("block each other half-started where they are no gangs", async () => {
      const inPhase = async (phase: string): Promise<string[]> =>
        (await podsOf(pair, namespaces.basic))
          .filter(({ status }) => status.phase === phase)
          .map(({ metadata }) => metadata.name);
      await createGroups(pair, namespaces.basic, false);
      await createPods(pair, namespaces.basic, FIRST, "exec sleep 3600");
      await eventually("five and three running pods", 60, async () => {
        return (await inPhase("Running")).length === FIRST.length;
      });
      await createPods(pair, namespaces.basic, LAST, "exec sleep 3600");
      await eventually("the refusal of the last of each job", 60, async () => {
        const pods = await podsOf(pair, namespaces.basic);
        const refused = pods.filter(({ status }) =>
          status.conditions?.some(({ reason }) => reason === "Unschedulable"),
        );
        return refused.length === LAST.length;
      });
      assert.deepEqual((await inPhase("Running")).sort(), [...FIRST].sort());
      assert.deepEqual((await inPhase("Pending")).sort(), [...LAST].sort());
    });
  });
}
