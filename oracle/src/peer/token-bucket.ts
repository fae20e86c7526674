/** Token buckets by key, at most `maxKeys` of them: the one unused for longest goes first, and with it only a full bucket's memory. */
export class TokenBuckets {
  private readonly buckets = new Map<string, { tokens: number; at: number }>();
  private readonly burst: number;
  private readonly perSecond: number;
  private readonly now: () => number;
  private readonly maxKeys: number;

  constructor(options: { burst: number; perSecond: number; now: () => number; maxKeys?: number }) {
    this.burst = options.burst;
    this.perSecond = options.perSecond;
    this.now = options.now;
    this.maxKeys = options.maxKeys ?? 4096;
  }

  /** Takes a token if there is one. */
  tryTake(key: string): boolean {
    if (this.level(key) < 1) return false;
    this.take(key);
    return true;
  }

  /**
   * Takes a token in advance and says how long to wait for it, in milliseconds. Undefined if that is longer than `mostMs`:
   * nothing is taken then, so that who is refused does not wait the longer for it.
   */
  takeInTurn(key: string, mostMs: number): number | undefined {
    const level = this.level(key);
    const waitMs = level >= 1 ? 0 : ((1 - level) / this.perSecond) * 1000;
    if (waitMs > mostMs) return undefined;
    this.take(key);
    return waitMs;
  }

  private level(key: string): number {
    const bucket = this.buckets.get(key);
    if (bucket === undefined) return this.burst;
    return Math.min(
      this.burst,
      bucket.tokens + (Math.max(0, this.now() - bucket.at) / 1000) * this.perSecond,
    );
  }

  private take(key: string): void {
    const tokens = this.level(key) - 1;
    this.buckets.delete(key);
    this.buckets.set(key, { tokens, at: this.now() });
    if (this.buckets.size <= this.maxKeys) return;
    const oldest = this.buckets.keys().next().value;
    if (oldest !== undefined) this.buckets.delete(oldest);
  }
}
