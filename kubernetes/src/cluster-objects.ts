import type { ApiClient } from "./api-client.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const FIELD_MANAGER = "fieldManager=dekuper-kubernetes&force=true";

/** What CoreDNS reads; Kubernetes' own role for it dates from before EndpointSlices. */
const DNS_ROLE = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: "dekuper:dns" },
  rules: [
    { apiGroups: [""], resources: ["services", "namespaces"], verbs: ["list", "watch"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
  ],
};

const DNS_BINDING = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "dekuper:dns" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "dekuper:dns" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "dekuper:dns" }],
};

/** Applies the few objects that the cluster's own parts need. */
export async function applyClusterObjects(api: ApiClient): Promise<void> {
  const contentType = "application/apply-patch+yaml";
  const apply = (path: string, body: unknown): Promise<unknown> =>
    api.call(`${RBAC}/${path}?${FIELD_MANAGER}`, { method: "PATCH", contentType, body });
  await Promise.all([
    apply("clusterroles/dekuper:dns", DNS_ROLE),
    apply("clusterrolebindings/dekuper:dns", DNS_BINDING),
  ]);
}
