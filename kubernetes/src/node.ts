import type { ApiClient } from "./api-client.ts";
import { gpuLabels } from "./components.ts";
import type { SimulatedGpus } from "./settings.ts";

export interface NodeObject {
  metadata: { name: string; labels?: Record<string, string> };
  status?: {
    conditions?: { type: string; status: string; lastHeartbeatTime?: string }[];
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
  };
}

export const GPU_RESOURCE = "nvidia.com/gpu";

export function nodePath(name: string): string {
  return `/api/v1/nodes/${name}`;
}

/**
 * Whether a kubelet that started at `since` (milliseconds) has said that it is ready: a state folder's node still
 * shows what the last kubelet said. Heartbeats are told in whole seconds.
 */
export function isReady(node: NodeObject, since: number): boolean {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  const heartbeat = Date.parse(ready?.lastHeartbeatTime ?? "");
  return ready?.status === "True" && heartbeat >= Math.floor(since / 1000) * 1000;
}

/** Whether the node shows the GPUs it is to have; a kubelet that registers anew forgets them. */
export function showsGpus(node: NodeObject, gpus: SimulatedGpus | undefined): boolean {
  if (!gpus) return true;
  const count = String(gpus.count);
  const labels = Object.entries(gpuLabels(gpus));
  return (
    node.status?.capacity?.[GPU_RESOURCE] === count &&
    node.status.allocatable?.[GPU_RESOURCE] === count &&
    labels.every(([key, value]) => node.metadata.labels?.[key] === value)
  );
}

/** Makes the node advertise its simulated GPUs, as a device plugin and NVIDIA's feature discovery would. */
export async function advertiseGpus(api: ApiClient, name: string, gpus: SimulatedGpus): Promise<void> {
  const contentType = "application/merge-patch+json";
  const resources = { [GPU_RESOURCE]: String(gpus.count) };
  await api.call(`${nodePath(name)}/status`, {
    method: "PATCH",
    contentType,
    body: { status: { capacity: resources, allocatable: resources } },
  });
  await api.call(nodePath(name), {
    method: "PATCH",
    contentType,
    body: { metadata: { labels: gpuLabels(gpus) } },
  });
}
