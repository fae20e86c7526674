import { isDekuperError } from "@dekuper/protocol";
import type { Clock } from "../chain/clock.ts";
import type { AttemptObservation, ClusterDriver } from "../cluster/driver.ts";

/** What a list of the cluster said, and when (the oracle's clock, milliseconds). */
export interface ClusterLook {
  readonly observations: readonly AttemptObservation[];
  readonly listedAt: number;
}

/** Hints may be lost: the cluster is listed at least so often. */
export const RELIST_MS = 5_000;

/**
 * The newest list of the cluster. It is asked for again after a hint, after each of our own steps, and by the clock: an
 * idle oracle costs the API server next to nothing.
 */
export class ClusterView {
  private readonly driver: Pick<ClusterDriver, "observe">;
  private readonly clock: Clock;
  private last: ClusterLook | undefined;
  private isStale = true;

  constructor(driver: Pick<ClusterDriver, "observe">, clock: Clock) {
    this.driver = driver;
    this.clock = clock;
  }

  /** Something may have changed: the next look lists. */
  changed(): void {
    this.isStale = true;
  }

  /** Undefined: the API server does not answer, and nothing is known (unreachable is not absent). */
  async look(signal: AbortSignal): Promise<ClusterLook | undefined> {
    const now = this.clock.now();
    if (this.last !== undefined && !this.isStale && now - this.last.listedAt < RELIST_MS) return this.last;
    this.isStale = false; // before the list: what changes while it runs is seen by the next
    try {
      this.last = { observations: await this.driver.observe(signal), listedAt: now };
    } catch (error) {
      this.last = undefined;
      if (!isDekuperError(error)) throw error;
    }
    return this.last;
  }
}
