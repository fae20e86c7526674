import type { Clock } from "../chain/clock.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

const SWEEP_MS = 60_000;

/** Takes back what was started, newest first: all of it, whatever one of the steps says. */
export async function undoAll(steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps.toReversed()) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** A sweep that fails, on a full disk say, is tried again: the daemon lives on. */
export async function sweep(
  stores: readonly { sweep(now: number): Promise<number> }[],
  clock: Clock,
  log: Pick<OracleLog, "warn">,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(SWEEP_MS, signal);
    if (signal.aborted) return;
    for (const store of stores)
      await store
        .sweep(Math.floor(clock.now() / 1000))
        .catch((error: unknown) => log.warn({ error: errorFields(error) }, "sweep-failed"));
  }
}
