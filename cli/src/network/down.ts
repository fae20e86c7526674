import { existsSync } from "node:fs";
import { stopCluster } from "@dekuper/kubernetes";
import { clearCluster } from "./external-cluster.ts";
import type { Progress } from "./output.ts";
import { stopProcess } from "./processes.ts";
import type { NetworkState } from "./state.ts";

/**
 * Stops whatever `up` started and removes its state: oracles first, so that none of them sees its cluster vanish, then
 * clusters, then the chain. Works on a half-started network and after kill -9; safe to repeat.
 */
export async function stopNetwork(state: NetworkState, progress: Progress): Promise<{ stopped: boolean }> {
  const record = state.load();
  if (record === undefined) return { stopped: false };
  const isChain = (name: string) => name === "chain";
  await Promise.all(
    record.processes.filter(({ name }) => !isChain(name)).map((process) => stopProcess(process)),
  );
  progress.detail("oracles stopped");
  for (const provider of record.providers.filter(({ clusterDir }) => clusterDir === undefined)) {
    await clearCluster(provider).catch((error: unknown) =>
      progress.detail(`${provider.name}: leases' namespaces are left on its cluster: ${String(error)}`),
    );
  }
  await Promise.all(
    record.clusterDirs.filter((dir) => existsSync(dir)).map((stateDir) => stopCluster(stateDir)),
  );
  progress.detail("clusters stopped");
  await Promise.all(
    record.processes.filter(({ name }) => isChain(name)).map((process) => stopProcess(process)),
  );
  state.remove();
  progress.done("everything is stopped and removed");
  return { stopped: true };
}
