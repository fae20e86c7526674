/** Waits longer each time that the same thing fails. */
export class Backoff {
  private readonly entries = new Map<string, { failures: number; until: number }>();
  private readonly baseMs: number;
  private readonly maxMs: number;

  constructor(baseMs: number, maxMs: number) {
    this.baseMs = baseMs;
    this.maxMs = maxMs;
  }

  /** Until when to wait (Unix milliseconds), or undefined when it may be tried. */
  waitingUntil(key: string, now: number): number | undefined {
    const entry = this.entries.get(key);
    return entry !== undefined && entry.until > now ? entry.until : undefined;
  }

  failed(key: string, now: number): number {
    const failures = (this.entries.get(key)?.failures ?? 0) + 1;
    const until = now + Math.min(this.maxMs, this.baseMs * 2 ** Math.min(failures - 1, 20));
    this.entries.set(key, { failures, until });
    return until;
  }

  succeeded(key: string): void {
    this.entries.delete(key);
  }

  /** How many are waiting now. */
  waiting(now: number): number {
    let count = 0;
    for (const entry of this.entries.values()) if (entry.until > now) count++;
    return count;
  }

  /** Forgets what was last seen failing long ago, so that the map stays small. */
  prune(now: number): void {
    for (const [key, entry] of this.entries) if (entry.until + this.maxMs < now) this.entries.delete(key);
  }
}
