import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import type { LocalProvider } from "./state.ts";

/** Removes what a provider's oracle made on a cluster that stays: its leases' namespaces, and nothing else. */
export async function clearCluster({ kubeconfig, operator }: LocalProvider): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const { items } = await api.listNamespace({
    labelSelector: `app.kubernetes.io/managed-by=dekuper,dekuper.io/node=${operator.address.toLowerCase()}`,
  });
  for (const { metadata } of items) await api.deleteNamespace({ name: metadata?.name ?? "" });
}
