import type { V1APIResourceList, V1Node } from "@kubernetes/client-node";
import { ApiError } from "../cluster/api-errors.ts";
import type { ClusterCapacity } from "../cluster/driver.ts";
import type { KubernetesApi, Wire } from "../cluster/kubernetes-api.ts";
import { GPU } from "../cluster/resources.ts";
import { type DoctorCheck, failed, passed } from "./report.ts";

export type WireNode = Wire<V1Node>;

/** Heartbeats are dropped at 30 s, and the chain takes no times more than its *drift* ahead. */
const MAX_SKEW_MS = 5_000;

/** Compares the API server's clock with this machine's; it tells whole seconds. */
export async function checkClock(api: KubernetesApi, signal: AbortSignal): Promise<DoctorCheck> {
  const before = Date.now();
  const theirs = await api.clock(signal);
  return clockCheck("clock", "the API server's clock", theirs, before, Date.now());
}

/** Whether a clock that said `told`, cut to whole seconds, while ours went from `before` to `after`, is right. */
export function clockCheck(
  check: string,
  whose: string,
  told: number,
  before: number,
  after: number,
): DoctorCheck {
  const skew = told > after ? told - after : Math.max(0, before - (told + 1000));
  return skew <= MAX_SKEW_MS
    ? passed(check, `${whose} and this machine's agree`)
    : failed(
        check,
        `${whose} is ${Math.round(skew / 1000)} s ${told > after ? "ahead" : "behind"}`,
        "Keep all machines in time by NTP: leases are paid by these clocks.",
      );
}

export function checkRoom({ vCpus, memoryMiB, storageMiB }: ClusterCapacity): DoctorCheck {
  const detail = `${vCpus} vCPUs, ${memoryMiB} MiB memory, ${storageMiB} MiB storage`;
  return vCpus > 0 && memoryMiB > 0 && storageMiB > 0
    ? passed("room", detail)
    : failed("room", detail, "No schedulable node says that it has all three.");
}

/** Whether GPUs carry the labels by which an order names them. */
export function checkGpus(nodes: readonly WireNode[]): DoctorCheck {
  const counts = new Map<string, number>();
  for (const { metadata, status, spec } of nodes) {
    const count = Number(status?.allocatable?.[GPU] ?? 0);
    if (!(count > 0) || spec?.unschedulable === true) continue;
    const product = metadata?.labels?.["nvidia.com/gpu.product"] ?? "";
    const known = product !== "" && Number(metadata?.labels?.["nvidia.com/gpu.memory"]) > 0;
    counts.set(known ? product : "", (counts.get(known ? product : "") ?? 0) + count);
  }
  if (counts.size === 0) return passed("gpus", "none");
  const detail = [...counts].map(([product, count]) => `${count}x ${product || "without labels"}`).join(", ");
  if (counts.has(""))
    return failed(
      "gpus",
      detail,
      "Install NVIDIA's GPU feature discovery: it labels nodes with product and memory.",
    );
  return counts.size === 1
    ? passed("gpus", detail)
    : failed("gpus", detail, "A node sells one model: use a cluster, or a kubeconfig, for each.");
}

/** Gangs come later than version 1; a cluster without them takes every task of one member. */
export async function checkGangs(api: KubernetesApi, signal: AbortSignal): Promise<DoctorCheck> {
  const version = await podGroupVersion(api, signal);
  return passed(
    "gangs",
    version === undefined
      ? "no PodGroup API: tasks of one member only"
      : `PodGroup is served as ${version}: members start together or not at all`,
  );
}

async function podGroupVersion(api: KubernetesApi, signal: AbortSignal): Promise<string | undefined> {
  const { groups } = await api.get<{ groups: { name: string; versions: { groupVersion: string }[] }[] }>(
    "/apis",
    signal,
  );
  const versions = groups.find(({ name }) => name === "scheduling.k8s.io")?.versions ?? [];
  for (const { groupVersion } of versions) {
    try {
      const { resources } = await api.get<Wire<V1APIResourceList>>(`/apis/${groupVersion}`, signal);
      if (resources.some(({ name }) => name === "podgroups")) return groupVersion;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return undefined;
}
