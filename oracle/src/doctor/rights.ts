import type { KubernetesApi } from "../cluster/kubernetes-api.ts";
import { type DoctorCheck, failed, passed } from "./report.ts";

/** What may be done with one kind of object, in every namespace. */
export interface Right {
  readonly group: string;
  /** With its subresource, such as `pods/log`. */
  readonly resource: string;
  readonly verbs: readonly string[];
}

/** All that driver and doctor do; deploy/rbac.yaml grants this and nothing more. */
export const neededRights: readonly Right[] = [
  { group: "", resource: "namespaces", verbs: ["get", "list", "create", "patch", "delete"] },
  { group: "", resource: "nodes", verbs: ["list"] },
  { group: "", resource: "pods", verbs: ["list", "watch", "create", "delete"] },
  { group: "", resource: "pods/log", verbs: ["get"] },
  { group: "", resource: "pods/exec", verbs: ["get", "create"] },
  { group: "", resource: "serviceaccounts", verbs: ["create", "patch"] },
  { group: "", resource: "resourcequotas", verbs: ["create", "patch"] },
  { group: "", resource: "limitranges", verbs: ["create", "patch"] },
  { group: "networking.k8s.io", resource: "networkpolicies", verbs: ["create", "patch"] },
  { group: "batch", resource: "jobs", verbs: ["get", "list", "create", "patch"] },
  { group: "coordination.k8s.io", resource: "leases", verbs: ["get", "create", "update"] },
];

/** Asks the API server for each verb whether this account may. */
export async function checkRights(api: KubernetesApi, signal: AbortSignal): Promise<DoctorCheck> {
  const asked = neededRights.flatMap(({ group, resource, verbs }) =>
    verbs.map((verb) => ({ group, resource, verb })),
  );
  const answers = await Promise.all(asked.map((right) => mayI(api, right, signal)));
  const missing = asked
    .filter((_, index) => !answers[index])
    .map(({ resource, verb }) => `${verb} ${resource}`);
  return missing.length === 0
    ? passed("rights", `all ${asked.length} that the oracle uses`)
    : failed(
        "rights",
        `this account may not ${missing.join(", ")}`,
        "Apply deploy/rbac.yaml and use its account.",
      );
}

async function mayI(
  api: KubernetesApi,
  { group, resource: path, verb }: { group: string; resource: string; verb: string },
  signal: AbortSignal,
): Promise<boolean> {
  const [resource, subresource = ""] = path.split("/");
  const review = await api.create(
    {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { group, resource, subresource, verb } },
    },
    signal,
  );
  return (review as { status?: { allowed?: boolean } }).status?.allowed === true;
}
