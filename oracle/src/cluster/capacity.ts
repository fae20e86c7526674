import type { V1Node } from "@kubernetes/client-node";
import type { ClusterCapacity, ClusterImages } from "./driver.ts";
import type { KubernetesApi, Wire } from "./kubernetes-api.ts";
import { GPU } from "./resources.ts";

const LABELS = { product: "nvidia.com/gpu.product", memory: "nvidia.com/gpu.memory" } as const;

/** What the cluster's schedulable nodes have together. A node that says nothing of its disk counts with none. */
export async function clusterCapacity(
  api: KubernetesApi,
  userNamespaces: boolean,
  signal: AbortSignal,
): Promise<ClusterCapacity> {
  const nodes = await schedulableNodes(api, signal);
  const sum = (of: (node: Wire<V1Node>) => number) => nodes.reduce((total, node) => total + of(node), 0);
  const allocatable = (resource: string) =>
    sum((node) => quantity(node.status?.allocatable?.[resource] ?? "0"));
  const withGpus = nodes.filter((node) => quantity(node.status?.allocatable?.[GPU] ?? "0") > 0);
  const labelsOf = withGpus[0]?.metadata?.labels ?? {};
  return {
    gpus: allocatable(GPU),
    gpuModel: labelsOf[LABELS.product] ?? "",
    gpuMemoryMiB: Number(labelsOf[LABELS.memory] ?? 0),
    vCpus: Math.floor(allocatable("cpu")),
    memoryMiB: Math.floor(allocatable("memory") / 2 ** 20),
    storageMiB: Math.floor(allocatable("ephemeral-storage") / 2 ** 20),
    isolation: userNamespaces ? "user-namespace" : "container",
  };
}

/** The kubelet's `nodeStatusMaxImages`, where nobody set another. */
const LISTED_IMAGES = 50;

export async function clusterImages(api: KubernetesApi, signal: AbortSignal): Promise<ClusterImages> {
  const lists = (await schedulableNodes(api, signal)).map(({ status }) => status?.images ?? []);
  return {
    names: new Set(lists.flatMap((images) => images.flatMap(({ names }) => names ?? []))),
    isComplete: lists.every((images) => images.length < LISTED_IMAGES),
  };
}

async function schedulableNodes(api: KubernetesApi, signal: AbortSignal): Promise<Wire<V1Node>[]> {
  const nodes = await api.list<Wire<V1Node>>("/api/v1/nodes", {}, signal);
  return nodes.filter(({ spec }) => spec?.unschedulable !== true);
}

const SUFFIXES: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity as a number (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/). */
export function quantity(text: string): number {
  const [, number, exponent, suffix] =
    /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([a-zA-Z]*))$/.exec(text) ?? [];
  if (exponent !== undefined) return Number(`${number}e${exponent}`);
  return Number(number ?? Number.NaN) * (SUFFIXES[suffix ?? ""] ?? Number.NaN);
}
