import {
  type LeaseDeadline,
  type LeaseFacts,
  type LeaseState,
  stateWords,
  type TaskSummary,
} from "@dekuper/client";
import { formatTime } from "../../output/format.ts";
import type { Terminal } from "../../output/terminal.ts";

/** Green for what is done well, yellow for what goes on, red for what was lost. */
export function paintState(out: Terminal, state: LeaseState, text: string = state): string {
  if (state === "Settled" || state === "Completed") return out.paint("green", text);
  if (state === "Failed" || state === "Expired") return out.paint("red", text);
  return state === "Cancelled" ? out.dim(text) : out.paint("yellow", text);
}

/** A state's name, and its plain words where they say more: `Reopened (looking for another node)`. */
export function stateInWords(state: LeaseState): string {
  const { title } = stateWords[state];
  if (title === state) return state;
  return `${state} (${title.charAt(0).toLowerCase()}${title.slice(1)})`;
}

/** How many of a task's leases are so: `Running 3/4`; the state alone where it has one. */
export function shortState({ state, leases }: Pick<TaskSummary, "state" | "leases">): string {
  if (leases.length === 1) return state;
  const alike = leases.filter((lease) => lease.state === state).length;
  return `${state} ${alike}/${leases.length}`;
}

const WHAT: Readonly<Record<LeaseDeadline["what"], string>> = {
  accept: "open until",
  "take-over": "open until",
  grant: "key needed by",
  start: "starts by",
  report: "reported by",
  "last-claim": "last claim by",
  reveal: "results open by",
  approve: "window ends",
  answer: "answered by",
};

/** Until when who must act. */
export function dueOf({ due }: Pick<LeaseFacts, "due">): readonly [string, string] | undefined {
  return due === undefined ? undefined : [WHAT[due.what], formatTime(due.at)];
}
