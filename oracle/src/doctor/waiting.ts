import { setTimeout as delay } from "node:timers/promises";

export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return delay(milliseconds, undefined, { signal });
}
