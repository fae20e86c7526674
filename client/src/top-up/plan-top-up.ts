import { reservation } from "@dekuper/protocol";
import type { TaskSummary } from "../chain/tasks.ts";

/** What a consumer allows to be topped up by itself. Base units and seconds. */
export interface TopUpRules {
  /**
   * The most that all top-ups of the task may reserve together, those by hand and of earlier watches included. One by hand in
   * the same moment splits what is rounded up: a base unit more for each lease.
   */
  readonly cap: bigint;
  /** How much time a top-up adds at most. */
  readonly stepSeconds: number;
  /** How long before the funded time is over it is sent. */
  readonly leadSeconds: number;
  /** How long before that, at least, it is announced. */
  readonly noticeSeconds: number;
}

/** What the chain says. `now` is chain time, Unix seconds. */
export interface TopUpFacts extends Pick<TaskSummary, "task" | "leases"> {
  readonly now: bigint;
  /** The consumer's free balance less what a relay takes for one transaction, base units. */
  readonly free: bigint;
  /** What the task's top-ups have reserved so far, base units. */
  readonly toppedUp: bigint;
}

/** A top-up: so much time for so much money, and when the funded time is over without it. */
export interface TopUp {
  /** What was funded when it was reckoned: it is of no use once that has changed. */
  readonly fundedSeconds: number;
  readonly extraSeconds: number;
  /** Base units, all leases together. */
  readonly amount: bigint;
  /** Unix seconds, chain time. */
  readonly endsAt: bigint;
}

/** A top-up that was announced, and when it may be sent. */
export interface TopUpNotice extends TopUp {
  readonly announcedAt: bigint;
}

/** Why the funded time is not extended: the cap is used up, or the account is empty. */
export type TopUpHindrance = "cap" | "free";

export type TopUpStep =
  /** Nothing can be topped up any more: the task is over, or funded for all of its duration. */
  | { readonly kind: "done"; readonly why: "over" | "funded" }
  /** Nothing to do before `until` (chain time); undefined: before the task's state changes. */
  | { readonly kind: "wait"; readonly until: bigint | undefined }
  | { readonly kind: "announce"; readonly topUp: TopUp; readonly sendAt: bigint }
  | { readonly kind: "send"; readonly topUp: TopUp }
  | { readonly kind: "hindered"; readonly by: TopUpHindrance; readonly endsAt: bigint };

/**
 * The next step of a capped automatic top-up. Pure. A top-up is sent `noticeSeconds` after its notice at the earliest, even
 * where the funded time ends before; it never adds more than was announced, and all together never reserve more than the
 * cap. What a pending transaction reserves is not in the facts: see `watchTopUps`.
 */
export function planTopUp(facts: TopUpFacts, rules: TopUpRules, notice: TopUpNotice | undefined): TopUpStep {
  const { task, now } = facts;
  const live = facts.leases.filter(({ status }) => ["Open", "Assigned", "Running"].includes(status));
  if (live.length === 0) return { kind: "done", why: "over" };
  const missing = task.maxDuration - task.fundedSeconds;
  if (missing <= 0) return { kind: "done", why: "funded" };
  const endsAt = fundedUntil(facts);
  if (endsAt === undefined) return { kind: "wait", until: undefined };

  const announced = notice?.fundedSeconds === task.fundedSeconds ? notice : undefined;
  const lead = endsAt - BigInt(rules.leadSeconds);
  const announceFrom = lead - BigInt(rules.noticeSeconds);
  if (announced === undefined && now < announceFrom) return { kind: "wait", until: announceFrom };
  const noticeOver = announced === undefined ? now : announced.announcedAt + BigInt(rules.noticeSeconds);
  const sendAt = lead > noticeOver ? lead : noticeOver;
  if (announced !== undefined && now < sendAt) return { kind: "wait", until: sendAt };

  const capLeft = facts.toppedUp >= rules.cap ? 0n : rules.cap - facts.toppedUp;
  const limit = capLeft < facts.free ? capLeft : facts.free;
  const wanted = Math.min(missing, announced?.extraSeconds ?? rules.stepSeconds);
  const rates = live.map(({ ratePerHour }) => ratePerHour);
  const extraSeconds = affordable(rates, wanted, limit);
  if (extraSeconds === 0) return { kind: "hindered", by: capLeft <= facts.free ? "cap" : "free", endsAt };
  const amount = costOf(rates, extraSeconds);
  const topUp: TopUp = { fundedSeconds: task.fundedSeconds, extraSeconds, amount, endsAt };
  return announced === undefined
    ? { kind: "announce", topUp, sendAt: laterOf(lead, now + BigInt(rules.noticeSeconds)) }
    : { kind: "send", topUp };
}

/** When the first running lease has used up what is funded (chain time); undefined where no clock runs. */
function fundedUntil({ task, leases }: TopUpFacts): bigint | undefined {
  return leases
    .filter(({ state }) => state === "Running")
    .flatMap(({ due }) => (due === undefined ? [] : due.at - BigInt(task.terms.completionGrace)))
    .reduce<bigint | undefined>((first, at) => (first === undefined || at < first ? at : first), undefined);
}

/** What the contract reserves: for each lease, rounded up (rule 14). */
function costOf(rates: readonly bigint[], seconds: number): bigint {
  return rates.reduce((sum, rate) => sum + reservation(rate, seconds), 0n);
}

/** The most whole seconds, up to `wanted`, that cost no more than the limit. */
function affordable(rates: readonly bigint[], wanted: number, limit: bigint): number {
  let [most, tooMany] = [0, wanted + 1];
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (costOf(rates, middle) <= limit) most = middle;
    else tooMany = middle;
  }
  return most;
}

const laterOf = (one: bigint, other: bigint) => (one > other ? one : other);
