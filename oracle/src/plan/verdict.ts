import type { Seconds } from "./plan.ts";

/** What an attester knows of a claim that an output was not delivered. */
export interface VerdictFacts {
  readonly claimedAt: Seconds;
  /** Until when the chain takes an answer. */
  readonly answerUntil: Seconds;
  /** The claim's block, which draws the chunks, has `minConfirmations`. */
  readonly isConfirmed: boolean;
  /** What this node has said; undefined: nothing yet. It never says anything else. */
  readonly verdict: boolean | undefined;
  /** How often it could not fetch, and when it tries again. */
  readonly failures: number;
  readonly retryAt: Seconds;
}

/**
 * `fetch`: try to get the drawn chunks. `deny`: say that they cannot be had. `collect`: see whether enough say so. Who has
 * fetched has nothing more to do: the node that is accused asks for that.
 */
export type VerdictPlan = "fetch" | "deny" | "collect" | "wait";

/** Tries that must have failed before a node is said to withhold. */
export const MIN_FAILURES = 3;

/**
 * The next step of an attester (rules 20 and 23). A node has half of the time to serve the chunks, however often it could not
 * be reached before; the other half is for collecting.
 */
export function planVerdict(facts: VerdictFacts, now: Seconds): VerdictPlan {
  const { verdict, isConfirmed, failures, retryAt } = facts;
  if (now > facts.answerUntil) return "wait";
  if (verdict !== undefined) return verdict ? "wait" : "collect";
  if (!isConfirmed) return "wait";
  if (failures >= MIN_FAILURES && now > denyFrom(facts)) return "deny";
  return now >= retryAt ? "fetch" : "wait";
}

/** Half of the answer's window. */
export function denyFrom({
  claimedAt,
  answerUntil,
}: Pick<VerdictFacts, "claimedAt" | "answerUntil">): Seconds {
  return claimedAt + Math.floor((answerUntil - claimedAt) / 2);
}

/** When a failed try is repeated: soon at first, later a few times an hour, so that an outage of the node's is not taken for more. */
export function retryOf(
  { claimedAt, answerUntil }: Pick<VerdictFacts, "claimedAt" | "answerUntil">,
  now: Seconds,
): Seconds {
  const longest = Math.floor((answerUntil - claimedAt) / 16);
  return now + Math.max(1, Math.min(longest, Math.floor((now - claimedAt) / 4)));
}
