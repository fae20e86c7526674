import { reasonWords } from "./decline-words.ts";

/** Why a node gave a lease up, in plain words, from the name that it put on chain (`LeaseFailed.reason`). */
export function failureWords(reason: string): string {
  const known = Object.hasOwn(FAILURES, reason) ? FAILURES[reason] : undefined;
  if (known !== undefined) return known;
  const unfit = /^Unfit:(.+)$/.exec(reason)?.[1];
  if (unfit !== undefined) return reasonWords(unfit) ?? `the task does not suit it: ${unfit}`;
  return reason === "" ? "it gave no reason" : `it gives as its reason: ${reason}`;
}

/** The reasons of the oracle's planner (`oracle/src/plan/plan.ts`). */
const FAILURES: Readonly<Record<string, string>> = {
  PodGoneBeforeStart: "its container was gone before it had started",
  PodGone: "its container was gone while it ran",
  NotStartedInTime: "it could not start the container in time",
  MaterialMissing: "it could not get spec or inputs",
  OutputUnreadable: "it could not read the output",
};
