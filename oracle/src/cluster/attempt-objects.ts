import type {
  V1LimitRange,
  V1Namespace,
  V1NetworkPolicy,
  V1ResourceQuota,
  V1ServiceAccount,
} from "@kubernetes/client-node";
import type { Hex } from "viem";
import type { AttemptOrder, AttemptRef } from "./driver.ts";
import { annotations, attemptLabels, names, namespaceOf } from "./names.ts";
import { type AttemptResources, GPU } from "./resources.ts";

/**
 * The attempt's namespace. Pod security `restricted` is enforced by the API server itself: whatever asks for more in
 * here, ours or not, is refused (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted).
 */
export function renderNamespace(node: Hex, order: AttemptOrder, jobUid?: string): V1Namespace {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: namespaceOf(order),
      labels: {
        ...attemptLabels(node, order),
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest",
      },
      annotations: {
        [annotations.chainId]: String(order.chainId),
        [annotations.registry]: order.registry,
        [annotations.taskId]: order.taskId,
        [annotations.leaseId]: order.leaseId,
        [annotations.attempt]: String(order.attempt),
        ...(jobUid === undefined ? {} : { [annotations.jobUid]: jobUid }),
      },
    },
  };
}

/** What has to stand before the first pod: an account without a token, no network at all, and exactly the room that was ordered. */
export function renderFences(
  node: Hex,
  ref: AttemptRef,
  resources: AttemptResources,
): (V1ServiceAccount | V1NetworkPolicy | V1ResourceQuota | V1LimitRange)[] {
  const metadata = (name: string) => ({
    name,
    namespace: namespaceOf(ref),
    labels: attemptLabels(node, ref),
  });
  const { requests, limits } = resources.pod;
  return [
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadata(names.serviceAccount),
      automountServiceAccountToken: false,
    },
    {
      // No rule allows anything: covers IPv6, metadata, private ranges, the API server, kubelets and DNS alike.
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata(names.policy),
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    },
    {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: metadata(names.quota),
      spec: {
        hard: {
          pods: "1",
          "count/jobs.batch": "1",
          services: "0",
          secrets: "0",
          configmaps: "1", // kube-root-ca.crt, which the controller manager puts into every namespace
          persistentvolumeclaims: "0",
          "requests.cpu": requests.cpu,
          "limits.cpu": limits.cpu,
          "requests.memory": requests.memory,
          "limits.memory": limits.memory,
          "requests.ephemeral-storage": requests["ephemeral-storage"],
          "limits.ephemeral-storage": limits["ephemeral-storage"],
          [`requests.${GPU}`]: requests[GPU] ?? "0",
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: metadata(names.limits),
      spec: { limits: [{ type: "Container", max: resources.largest }] },
    },
  ];
}
