import { setTimeout as sleep } from "node:timers/promises";
import { DekuperError } from "@dekuper/protocol";
import { CoreV1Api, KubeConfig, type V1Pod } from "@kubernetes/client-node";
import type { Hex } from "viem";

/** The pod of a lease as its own cluster shows it. Milliseconds by `since`. */
export interface ClusterWatch {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly scheduledMs: number;
  readonly runningMs: number;
}

const LEASE_LABEL = "dekuper.io/lease";

/** Watches a lease's pod from outside until its main container has started, by asking the cluster and nobody else. */
export async function watchAttempt(options: {
  kubeconfig: string;
  leaseId: Hex;
  timeoutMs: number;
  since: () => number;
  signal?: AbortSignal | undefined;
}): Promise<ClusterWatch> {
  const config = new KubeConfig();
  config.loadFromFile(options.kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const deadline = Date.now() + options.timeoutMs;
  let scheduledMs: number | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    const pod = (await api.listPodForAllNamespaces({ labelSelector: LEASE_LABEL })).items.find((candidate) =>
      belongsTo(candidate, options.leaseId),
    );
    if (pod?.spec?.nodeName !== undefined) scheduledMs ??= options.since();
    const main = pod?.status?.containerStatuses?.find(({ name }) => name === "main")?.state;
    if (pod?.metadata !== undefined && (main?.running !== undefined || main?.terminated !== undefined)) {
      const { namespace = "", name = "", uid = "" } = pod.metadata;
      const runningMs = options.since();
      return { namespace, podName: name, podUid: uid, scheduledMs: scheduledMs ?? runningMs, runningMs };
    }
    if (Date.now() > deadline) {
      throw new DekuperError(
        "TIMED_OUT",
        `The pod of lease ${options.leaseId} has not started in ${options.timeoutMs / 1000} s.`,
      );
    }
    await sleep(100);
  }
}

/** Labels hold at most 63 characters: the lease's id stands there without 0x, cut. */
function belongsTo(pod: V1Pod, leaseId: Hex): boolean {
  const label = pod.metadata?.labels?.[LEASE_LABEL] ?? "";
  return label !== "" && leaseId.slice(2).startsWith(label.replace(/^0x/, ""));
}
