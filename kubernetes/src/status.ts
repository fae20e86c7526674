import { lockHolder } from "./file-lock.ts";
import { clusterLayout } from "./layout.ts";
import { proportionalKiB } from "./processes.ts";
import {
  type ClusterPhase,
  type ClusterSettings,
  type ComponentStatus,
  readJson,
  type SupervisorStatus,
} from "./settings.ts";
import { clusterProcesses } from "./sweep.ts";

export interface ClusterStatus {
  /** `none`: nothing was ever started here. `abandoned`: the supervisor died and left its parts running. */
  phase: ClusterPhase | "none" | "abandoned";
  name: string | undefined;
  kubeconfigPath: string;
  supervisorPid: number | undefined;
  components: (ComponentStatus & { memoryMiB: number })[];
  /** Of all the cluster's processes, pods and shims included. A page that several share counts once, by shares. */
  memoryMiB: number;
  /** Milliseconds from the supervisor's start to each step. */
  timeline: Record<string, number>;
  error: SupervisorStatus["error"] | undefined;
}

const toMiB = (kib: number): number => Math.round(kib / 1024);

/** What can be said of the cluster of a state folder without asking the cluster itself. */
export async function clusterStatus(stateDir: string): Promise<ClusterStatus> {
  const layout = clusterLayout(stateDir);
  const status = readJson<SupervisorStatus>(layout.statusFile);
  const supervisor = lockHolder(layout.supervisorLock);
  const processes = clusterProcesses(layout);
  return {
    phase: phaseOf(status, supervisor !== undefined, processes.length > 0),
    name: readJson<ClusterSettings>(layout.clusterFile)?.name,
    kubeconfigPath: layout.kubeconfig,
    supervisorPid: supervisor?.pid,
    components: (status?.components ?? []).map((component) => ({
      ...component,
      memoryMiB: component.pid ? toMiB(proportionalKiB(component.pid)) : 0,
    })),
    memoryMiB: toMiB(processes.reduce((sum, pid) => sum + proportionalKiB(pid), 0)),
    timeline: status?.timeline ?? {},
    error: status?.error,
  };
}

/** Pure: what the three facts mean together. */
export function phaseOf(
  status: Pick<SupervisorStatus, "phase"> | undefined,
  hasSupervisor: boolean,
  hasProcesses: boolean,
): ClusterStatus["phase"] {
  if (hasSupervisor) return status?.phase ?? "starting";
  if (hasProcesses) return "abandoned";
  if (!status) return "none";
  return status.phase === "failed" ? "failed" : "stopped";
}
