import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { cgroupProcesses, killCgroups, removeCgroups } from "./cgroups.ts";
import { KubernetesError } from "./errors.ts";
import { type ClusterLayout, supervisorArguments } from "./layout.ts";
import { unregisterCluster } from "./machine-registry.ts";
import { networkLeftovers, removeNetwork } from "./network.ts";
import { processesInNetworkNamespace, processesWithArguments, signalProcess } from "./processes.ts";

const KILL_DEADLINE_MS = 15_000;

/**
 * Removes what a cluster has in the kernel, however it ended: processes are found by its network namespace and its
 * cgroups, not by what anybody wrote down, so this works after a kill -9 of everything and with an empty state folder.
 */
export async function sweepCluster(layout: ClusterLayout): Promise<void> {
  const end = Date.now() + KILL_DEADLINE_MS;
  while (allOf(layout).length > 0 && Date.now() < end) {
    for (const pid of allOf(layout)) signalProcess(pid, "SIGKILL");
    await killCgroups(layout.cgroup);
    await delay(20);
  }
  const cgroups = await removeCgroups(layout.cgroup);
  await removeNetwork(layout);
  // These describe what ran, and nothing runs: the next start is to containerd as a boot of the machine.
  const volatile = [layout.supervisorLock, layout.containerdSocket, layout.boundDir, layout.cniDataDir];
  for (const path of volatile) rmSync(path, { recursive: true, force: true });
  await unregisterCluster(layout.id);
  const left = [...allOf(layout).map((pid) => `process ${pid}`), ...cgroups, ...networkLeftovers(layout)];
  if (left.length > 0) {
    throw new KubernetesError(
      "CLUSTER_NOT_STOPPED",
      `the cluster in ${layout.stateDir} left something behind`,
      {
        details: { left },
        hint: "run `down` once more: a process that cannot be killed waits for the kernel",
      },
    );
  }
}

/** Also a supervisor that was started a moment ago and has entered neither lock nor cgroup yet. */
function allOf(layout: ClusterLayout): number[] {
  return [
    ...new Set([
      ...clusterProcesses(layout),
      ...processesWithArguments(supervisorArguments(layout.stateDir)),
    ]),
  ];
}

/** Every process of the cluster: its parts and shims by the network namespace, pods and supervisor by the cgroups. */
export function clusterProcesses(layout: ClusterLayout): number[] {
  return [...new Set([...processesInNetworkNamespace(layout.netnsPath), ...cgroupProcesses(layout.cgroup)])];
}
