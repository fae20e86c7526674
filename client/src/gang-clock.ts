/**
 * The common clock of a gang, second for second as the contract's `Clocks` counts it (rule 13): it runs while every member
 * does, once from the first time that all have started, and once more after a replacement has. Unix seconds, 0: not yet.
 */
export interface GangClock {
  readonly firstFrom: bigint;
  readonly firstTo: bigint;
  readonly secondFrom: bigint;
  readonly secondTo: bigint;
}

/** Since when the clock runs, 0 while it stands. */
export function runsSince(gang: GangClock): bigint {
  if (gang.secondFrom !== 0n) return gang.secondTo === 0n ? gang.secondFrom : 0n;
  return gang.firstTo === 0n ? gang.firstFrom : 0n;
}

/** Seconds of `[from, to]` in which the clock ran: what a member that ran in them may bill (rules 13, 14). */
export function ranWithin(gang: GangClock, from: bigint, to: bigint): bigint {
  return overlap(from, to, gang.firstFrom, gang.firstTo) + overlap(from, to, gang.secondFrom, gang.secondTo);
}

/** Seconds that `[from, to]` and a span of the clock have in common; a span without an end is still open. */
function overlap(from: bigint, to: bigint, spanFrom: bigint, spanTo: bigint): bigint {
  if (spanFrom === 0n) return 0n;
  const start = from > spanFrom ? from : spanFrom;
  const end = spanTo === 0n || to < spanTo ? to : spanTo;
  return end > start ? end - start : 0n;
}
