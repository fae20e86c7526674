import { existsSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { acquireLock, lockHolder } from "./file-lock.ts";
import { type ClusterLayout, clusterLayout } from "./layout.ts";
import { isAlive, signalProcess } from "./processes.ts";
import { readJson, type SupervisorStatus, writeJson } from "./settings.ts";
import { sweepCluster } from "./sweep.ts";

export interface StopOptions {
  /** Also delete the state folder with its data, logs and certificates. Default false. */
  remove?: boolean;
}

/** How long the supervisor may take to stop its parts in order before everything is killed. */
const ORDERLY_STOP_MS = 15_000;

/**
 * Stops the cluster of a state folder and leaves nothing behind, whether its supervisor is alive or not. Does nothing
 * when there is no such cluster. Its data stay: the next start goes on with them.
 */
export async function stopCluster(stateDir: string, { remove = false }: StopOptions = {}): Promise<void> {
  const layout = clusterLayout(stateDir);
  const lock = await acquireLock(layout.lifecycleLock, { waitMs: 180_000 });
  try {
    await stopLocked(layout);
    if (remove) rmSync(layout.stateDir, { recursive: true, force: true });
  } finally {
    lock.release();
  }
}

/** As `stopCluster`, for who holds the lifecycle lock. */
export async function stopLocked(layout: ClusterLayout): Promise<void> {
  const supervisor = lockHolder(layout.supervisorLock);
  if (supervisor) {
    signalProcess(supervisor.pid, "SIGTERM");
    const end = Date.now() + ORDERLY_STOP_MS;
    while (isAlive(supervisor) && Date.now() < end) await delay(20);
  }
  await sweepCluster(layout);
  const status = existsSync(layout.stateDir) ? readJson<SupervisorStatus>(layout.statusFile) : undefined;
  if (status && status.phase !== "failed")
    writeJson(layout.statusFile, { ...status, phase: "stopped", components: [] });
}
