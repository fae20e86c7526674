import { reasonWords } from "./decline-words.ts";

/** Why a node gave a lease up, in plain words, from the name that it put on chain (`LeaseFailed.reason`). */
export function failureWords(reason: string): string {
  const known = Object.hasOwn(FAILURES, reason) ? FAILURES[reason] : undefined;
  if (known !== undefined) return known;
  const unfit = /^Unfit:(.+)$/.exec(reason)?.[1];
  if (unfit !== undefined)
    return materialWords(unfit) ?? reasonWords(unfit) ?? `the task does not suit it: ${unfit}`;
  return reason === "" ? "it gave no reason" : `it gives as its reason: ${reason}`;
}

/** What is wrong with what it was sent (`oracle/src/daemon/material.ts`). The chain may hold only the beginning. */
function materialWords(reason: string): string | undefined {
  const field = /^spec-differs-in-(.+)$/.exec(reason)?.[1];
  if (field !== undefined) return `the spec is not what was ordered: ${field}`;
  return Object.hasOwn(MATERIAL, reason) ? MATERIAL[reason] : undefined;
}

const MATERIAL: Readonly<Record<string, string>> = {
  "key-wrap-invalid": "the task's key, as it was handed over, does not open with this node's encryption key",
  "spec-invalid": "the spec cannot be read",
  "input-size-differs": "an input has another size than the spec says",
  "input-differs": "an input is not the one that the spec names",
};

/** The reasons of the oracle's planner (`oracle/src/plan/plan.ts`). */
const FAILURES: Readonly<Record<string, string>> = {
  PodGoneBeforeStart: "its container was gone before it had started",
  PodGone: "its container was gone while it ran",
  NotStartedInTime: "it could not start the container in time",
  MaterialMissing: "it could not get spec or inputs",
  OutputUnreadable: "it could not read the output",
};
