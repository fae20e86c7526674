import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { stopCluster } from "../../src/index.ts";
import { readMachine } from "../../src/machine-registry.ts";

const PREFIX = "dkp-test-";

/** A new folder for the clusters of one test file; its name says whose it is. */
export function makeTestFolder(): string {
  return mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
}

/** Removes the clusters of test processes that were killed and could not do so themselves. */
export async function sweepKilledTests(): Promise<void> {
  for (const { stateDir } of Object.values(readMachine().clusters)) {
    const folder = dirname(stateDir);
    const pid = basename(folder).startsWith(PREFIX) ? basename(folder).split("-")[2] : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await stopCluster(stateDir, { remove: true });
    rmSync(folder, { recursive: true, force: true });
  }
}
