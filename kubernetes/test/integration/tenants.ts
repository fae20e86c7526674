import type { RunningCluster } from "../../src/index.ts";
import {
  apply,
  getPod,
  headlessService,
  namespaceObject,
  podObject,
  waitForPods,
} from "./cluster-fixture.ts";
import type { ClusterPair } from "./cluster-pair.ts";
import type { Target } from "./probe.ts";

/** Where each tenant's pods answer. */
export const TENANT_PORT = 7000;

const listener = (namespace: string, name: string): unknown =>
  podObject({ namespace, name, script: `exec nc -ll -p ${TENANT_PORT} -e true` });

/** Pods that answer: two tenants in the first cluster, and in the second a namespace of the same name as the first's. */
export async function startTenants({ first, second }: ClusterPair): Promise<void> {
  await apply(
    first,
    ...["tenant-a", "tenant-b"].flatMap((name) => [namespaceObject(name), headlessService(name)]),
    ...["a-1", "a-2"].map((name) => listener("tenant-a", name)),
    ...["b-1", "b-2"].map((name) => listener("tenant-b", name)),
  );
  await apply(second, namespaceObject("tenant-a"), listener("tenant-a", "c-1"));
  await Promise.all([
    waitForPods(first, "tenant-a"),
    waitForPods(first, "tenant-b"),
    waitForPods(second, "tenant-a"),
  ]);
}

export async function tenantAt(cluster: RunningCluster, namespace: string, pod: string): Promise<Target> {
  const { status } = await getPod(cluster, namespace, pod);
  return { what: `${namespace}/${pod}`, host: status.podIP ?? "", port: TENANT_PORT };
}
