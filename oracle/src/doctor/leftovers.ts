import type { V1Namespace } from "@kubernetes/client-node";
import type { Hex } from "viem";
import { isConflict, isNotFound } from "../cluster/api-errors.ts";
import type { KubernetesApi, Wire } from "../cluster/kubernetes-api.ts";
import { labels, MANAGED_BY } from "../cluster/names.ts";
import type { WirePod } from "../cluster/observe.ts";
import { sleep } from "./waiting.ts";

/** Namespaces of probes: no oracle has this address. */
async function probeNamespaces(
  api: KubernetesApi,
  node: Hex,
  signal: AbortSignal,
): Promise<Wire<V1Namespace>[]> {
  const labelSelector = `${labels.managedBy}=${MANAGED_BY},${labels.node}=${node}`;
  return api.list<Wire<V1Namespace>>("/api/v1/namespaces", { labelSelector }, signal);
}

/** Deletes what probes left that were killed: everything older than any probe takes. Another that runs now keeps its own. */
export async function sweepProbes(
  api: KubernetesApi,
  { node, olderThanSeconds }: { node: Hex; olderThanSeconds: number },
  signal: AbortSignal,
): Promise<number> {
  const now = await api.clock(signal);
  const stale = (await probeNamespaces(api, node, signal)).filter(
    ({ metadata }) => now - Date.parse(metadata?.creationTimestamp ?? "") > olderThanSeconds * 1000,
  );
  for (const namespace of stale) await remove(api, namespace, signal);
  return stale.length;
}

/** Deletes a namespace of this probe's and waits until it is gone. */
export async function removeNamespace(api: KubernetesApi, name: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const namespace = await api.get<Wire<V1Namespace>>(`/api/v1/namespaces/${name}`, signal);
      if (namespace.metadata?.deletionTimestamp === undefined) await remove(api, namespace, signal);
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    await sleep(200, signal);
  }
}

/** The pods first: the namespace's own deletion comes to them seconds later. */
async function remove(
  api: KubernetesApi,
  { metadata }: Wire<V1Namespace>,
  signal: AbortSignal,
): Promise<void> {
  const path = `/api/v1/namespaces/${metadata?.name}`;
  for (const pod of await api.list<WirePod>(`${path}/pods`, {}, signal))
    await api
      .delete(`${path}/pods/${pod.metadata?.name}`, pod.metadata?.uid ?? "", signal, 1)
      .catch(unlessGone);
  await api.delete(path, metadata?.uid ?? "", signal).catch(unlessGone);
}

function unlessGone(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}
