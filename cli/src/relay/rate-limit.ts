/** At most `max` a minute of each name; names that were not heard of for a minute are forgotten. Milliseconds. */
export class RateLimit {
  private readonly max: number;
  private readonly now: () => number;
  private readonly heard = new Map<string, number[]>();

  constructor(max: number, now: () => number = Date.now) {
    this.max = max;
    this.now = now;
  }

  /** Whether there is room for one more of this name, which it then takes. */
  take(name: string): boolean {
    const since = this.now() - 60_000;
    for (const [known, times] of this.heard) {
      const late = times.filter((time) => time > since);
      if (late.length === 0) this.heard.delete(known);
      else this.heard.set(known, late);
    }
    const times = this.heard.get(name) ?? [];
    if (times.length >= this.max) return false;
    this.heard.set(name, [...times, this.now()]);
    return true;
  }
}
