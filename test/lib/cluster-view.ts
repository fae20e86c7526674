import { setTimeout as sleep } from "node:timers/promises";
import { clusterStatus } from "@dekuper/kubernetes";
import { signalProcess } from "@dekuper/kubernetes/processes";
import { CoreV1Api, KubeConfig, type V1Pod } from "@kubernetes/client-node";
import type { Hex } from "viem";
import type { NetworkFixture } from "./network-fixture.ts";

/** A lease's pods on whichever cluster they are, seen past the oracle. */
async function podsOf(network: NetworkFixture, leaseId: Hex): Promise<{ api: CoreV1Api; pod: V1Pod }[]> {
  const found = await Promise.all(
    apis(network).map(async (api) => {
      const { items } = await api.listPodForAllNamespaces({
        labelSelector: `dekuper.io/lease=${network.labelOf(leaseId)}`,
      });
      return items.map((pod) => ({ api, pod }));
    }),
  );
  return found.flat();
}

export async function podUids(network: NetworkFixture, leaseId: Hex): Promise<string[]> {
  return (await podsOf(network, leaseId)).map(({ pod }) => pod.metadata?.uid ?? "").sort();
}

export async function deletePods(network: NetworkFixture, leaseId: Hex): Promise<void> {
  for (const { api, pod } of await podsOf(network, leaseId)) {
    const { name = "", namespace = "" } = pod.metadata ?? {};
    await api.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 });
  }
}

/** Waits until no cluster holds a namespace of the lease any more. */
export async function untilGone(network: NetworkFixture, leaseId: Hex, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const labelSelector = `dekuper.io/lease=${network.labelOf(leaseId)}`;
  for (;;) {
    const lists = await Promise.all(apis(network).map((api) => api.listNamespace({ labelSelector })));
    if (lists.every(({ items }) => items.length === 0)) return;
    if (Date.now() > deadline)
      throw new Error(`the namespace of ${leaseId} is still there after ${timeoutMs} ms`);
    await sleep(300);
  }
}

/** Stops or resumes a part of an embedded cluster: an outage that no connection error announces. */
export async function signalComponent(
  clusterDir: string,
  component: "kube-apiserver" | "kubelet",
  signal: "SIGSTOP" | "SIGCONT",
): Promise<void> {
  const { components } = await clusterStatus(clusterDir);
  const pid = components.find(({ name }) => name === component)?.pid;
  if (pid === undefined) throw new Error(`the cluster has no ${component}`);
  signalProcess(pid, signal);
}

function apis(network: NetworkFixture): CoreV1Api[] {
  return network.record.providers.map(({ kubeconfig }) => {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return config.makeApiClient(CoreV1Api);
  });
}
