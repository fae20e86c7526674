import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { ApiError } from "../cluster/api-errors.ts";
import { locked } from "../cluster/attempt-job.ts";
import type { KubernetesApi } from "../cluster/kubernetes-api.ts";
import { type DoctorCheck, failed, passed } from "./report.ts";

/** Pods that nobody may have in a lease's namespace, each for one reason. */
const outlaws: Readonly<Record<string, (container: V1Container) => V1PodSpec>> = {
  privileged: (container) => ({ containers: [{ ...container, securityContext: { privileged: true } }] }),
  "of the host's network": (container) => ({ hostNetwork: true, containers: [container] }),
  "of the host's processes": (container) => ({ hostPID: true, containers: [container] }),
  "with the host's files": (container) => ({
    containers: [container],
    volumes: [{ name: "host", hostPath: { path: "/" } }],
  }),
  "as root": (container) => ({
    containers: [{ ...container, securityContext: { ...locked, runAsNonRoot: false, runAsUser: 0 } }],
  }),
};

/** Whether pod security `restricted` is enforced, in a namespace where nothing else would refuse these pods. */
export async function checkPodSecurity(
  api: KubernetesApi,
  namespace: string,
  image: string,
  signal: AbortSignal,
): Promise<DoctorCheck> {
  const container = { name: "main", image, securityContext: locked };
  if ((await refusal(api, namespace, { containers: [container] }, signal)) !== undefined)
    return failed(
      "pod security",
      "not proved: a harmless pod is refused too",
      "See what else refuses pods in namespaces that the oracle makes.",
    );
  const taken: string[] = [];
  for (const [kind, specOf] of Object.entries(outlaws)) {
    if ((await refusal(api, namespace, specOf(container), signal)) === undefined) taken.push(kind);
  }
  return taken.length === 0
    ? passed("pod security", "restricted is enforced")
    : failed(
        "pod security",
        `the cluster takes pods ${taken.join(", ")}`,
        "Turn on the PodSecurity admission plugin of the API server.",
      );
}

/** Whether a lease's namespace, whose one pod runs, takes another pod, or one that is larger than was ordered. */
export async function checkQuota(
  api: KubernetesApi,
  namespace: string,
  image: string,
  signal: AbortSignal,
): Promise<DoctorCheck> {
  const pod = (cpu: string): V1PodSpec => {
    const limits = { cpu, memory: "16Mi", "ephemeral-storage": "1Mi" };
    const requests = { ...limits, cpu: "1m" };
    return {
      containers: [{ name: "main", image, securityContext: locked, resources: { requests, limits } }],
    };
  };
  const second = await refusal(api, namespace, pod("1m"), signal);
  const large = await refusal(api, namespace, pod("1000"), signal);
  const problems = [
    ...(second?.includes("exceeded quota")
      ? []
      : [`a second pod is ${second === undefined ? "taken" : "refused for another reason"}`]),
    ...(large !== undefined ? [] : ["a pod larger than the order is taken"]),
  ];
  return problems.length === 0
    ? passed("quota", "neither a second nor a larger pod is taken")
    : failed("quota", problems.join("; "), "Turn on the ResourceQuota and LimitRanger admission plugins.");
}

/** Why the cluster would not take a pod; undefined if it would. Nothing is made. */
async function refusal(
  api: KubernetesApi,
  namespace: string,
  spec: V1PodSpec,
  signal: AbortSignal,
): Promise<string | undefined> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "dekuper-probe", namespace },
    spec: { automountServiceAccountToken: false, ...spec },
  };
  try {
    await api.create(pod, signal, true);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 422)) return error.message;
    throw error;
  }
}
