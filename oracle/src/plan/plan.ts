import type { StopReason } from "./facts.ts";

/** Unix seconds of the chain's clock: the head's timestamp. */
export type Seconds = number;

/** What to do about one lease. Every action is safe to repeat. */
export type LeaseAction =
  | { readonly kind: "fetchMaterial" }
  | { readonly kind: "ensureAttempt" }
  | { readonly kind: "sendInputs" }
  | { readonly kind: "startLease" }
  | { readonly kind: "claimCheckpoint"; readonly step: number }
  | { readonly kind: "extendRun"; readonly seconds: number }
  | { readonly kind: "stopMain" }
  | { readonly kind: "seal"; readonly stopped: StopCause | undefined }
  | { readonly kind: "attest" }
  | { readonly kind: "complete" }
  | { readonly kind: "commit" }
  | { readonly kind: "reveal" }
  | { readonly kind: "tally" }
  | { readonly kind: "giveKey" }
  | { readonly kind: "fail"; readonly reason: FailReason }
  | { readonly kind: "expire" }
  | { readonly kind: "release" }
  | { readonly kind: "settle" }
  | { readonly kind: "lapseClaim" }
  | { readonly kind: "answerWithReceipt" }
  | { readonly kind: "tearDown" };

/** Why the oracle ended a run that would have gone on; undefined: it ended by itself. */
export type StopCause = StopReason | "time-limit";

/** Goes on chain as the bytes of its name: at most 31 characters. */
export type FailReason =
  | "PodGoneBeforeStart"
  | "PodGone"
  | "NotStartedInTime"
  | "MaterialMissing"
  | "OutputUnreadable"
  | UnfitReason;

/** What is wrong with what was awarded, such as `Unfit:image-not-found`. */
export type UnfitReason = `Unfit:${string}`;
const MOST_REASON_BYTES = 31;
export const unfitReason = (problem: string): UnfitReason =>
  `Unfit:${problem.slice(0, MOST_REASON_BYTES - "Unfit:".length)}`;

export type WaitReason =
  | "chain-unreadable"
  | "cluster-unreachable"
  | "read-only"
  | "signing-stopped"
  | "confirmations"
  | "key"
  | "material-missing"
  | "disk-full"
  | "pod-pending"
  | "pod-missing"
  | "running"
  | "enforceable"
  | "challenge-window"
  | "disputed"
  | "replicas-run"
  | "replicas-reveal"
  | "finality"
  | "not-mine"
  | "terminating";

/**
 * The next safe step, or why there is none now, or that nothing will ever be left to do. `lookAgainAt` is when time alone
 * may change a wait; undefined where only a new fact can.
 */
export type Plan =
  | { readonly kind: "act"; readonly action: LeaseAction }
  | { readonly kind: "wait"; readonly reason: WaitReason; readonly lookAgainAt: Seconds | undefined }
  | { readonly kind: "done" };

export const act = (action: LeaseAction): Plan => ({ kind: "act", action });
export const wait = (reason: WaitReason, lookAgainAt?: Seconds): Plan => ({
  kind: "wait",
  reason,
  lookAgainAt,
});
export const done: Plan = { kind: "done" };

/** Room before a deadline, so that the transaction is mined in time: a quarter of the window, at most a minute. */
export function margin(window: number): number {
  return Math.max(1, Math.min(60, Math.floor(window / 4)));
}
