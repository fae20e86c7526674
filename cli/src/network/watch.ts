import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "@dekuper/kubernetes/processes";
import type { Progress } from "./output.ts";
import type { NetworkState } from "./state.ts";

const LOOK_EVERY_MS = 1_000;

/** Until it is interrupted: says once of each part that has ended, and where its log is. */
export async function watchNetwork(
  state: NetworkState,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const told = new Set<number>();
  while (!signal.aborted) {
    for (const { name, identity, logFile } of state.load()?.processes ?? []) {
      if (told.has(identity.pid) || isAlive(identity)) continue;
      told.add(identity.pid);
      progress.step(`${name} has ended; see ${logFile}`);
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
