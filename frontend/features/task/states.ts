import {
  isOver,
  type LeaseDeadline,
  type LeaseDetail,
  type LeaseFacts,
  type LeaseState,
  type StateWords as PlainWords,
  stateWords as plainWords,
  type TaskDetail,
  type TaskSummary,
} from "@dekuper/client";
import { type Outcome, outcomes } from "@dekuper/protocol";
import type { Tone } from "../../ui/notice.tsx";

interface StateWords extends PlainWords {
  readonly tone: Tone;
}

const TONES: Readonly<Record<LeaseState, Tone>> = {
  Open: "info",
  Reopened: "warning",
  AwaitingKey: "warning",
  Assigned: "info",
  Waiting: "info",
  Interrupted: "warning",
  Running: "good",
  Stopping: "warning",
  Completed: "info",
  Settled: "neutral",
  Cancelled: "neutral",
  Failed: "bad",
  Expired: "bad",
  Committed: "info",
  Revealed: "info",
  Disputed: "warning",
};

/** A state in plain words, with its tone. */
export function stateWords(state: LeaseState): StateWords {
  return { ...plainWords[state], tone: TONES[state] };
}

/** How a run ended, where it did not end well. */
const endings: Readonly<Record<Exclude<Outcome, "Success">, string>> = {
  NonZeroExit: "Ended with exit code",
  OutOfMemory: "Ran out of memory",
  TimeLimit: "Stopped at its time limit",
  OutputTooLarge: "Wrote too much output",
  Cancelled: "Cancelled by you",
  PeerLost: "Ended when another member was lost",
};

/** How the node says that the run ended, in a few words. */
export function endingOf(outcome: number, exitCode: number): string {
  const name = outcomes[outcome];
  if (name === undefined) return `Outcome ${outcome}, exit code ${exitCode}`;
  return name === "Success" ? name : name === "NonZeroExit" ? `${endings[name]} ${exitCode}` : endings[name];
}

/** The state of a lease in words, with how the run ended once the node has signed it. */
export function leaseWords({ state, attestation }: Pick<LeaseDetail, "state" | "attestation">): StateWords {
  const words = stateWords(state);
  if (attestation === undefined) return words;
  const { outcome, exitCode } = attestation.attestation;
  if (outcomes[outcome] === "Success") return state === "Completed" ? { ...words, tone: "good" } : words;
  const title = endingOf(outcome, exitCode);
  return state === "Completed"
    ? {
        tone: "warning",
        title,
        text: "Every ending is paid alike, for the seconds that ran. Log and output are here; approving pays the node at once, else it is paid when the window ends.",
      }
    : { ...words, title: `${title}, ${words.title.toLowerCase()}` };
}

/** The task's state in words; of several leases, with how many of them are in it. */
export function wordsOf(detail: Pick<TaskDetail, "state" | "lease" | "leases">): StateWords {
  if (detail.leases.length === 1) return leaseWords(detail.lease);
  return { ...stateWords(detail.state), title: titleOf(detail) };
}

/** A task's state in a few words: `Running, 3 of 4` where it has several leases. */
export function titleOf({ state, leases }: Pick<TaskSummary, "state" | "leases">): string {
  const { title } = plainWords[state];
  if (leases.length === 1) return title;
  return `${title}, ${leases.filter((lease) => lease.state === state).length} of ${leases.length}`;
}

/** The words of a task's row in the list: how its run ended as soon as that is read, else its state. */
export function rowWords(
  summary: Pick<TaskSummary, "state" | "leases">,
  ended: Parameters<typeof wordsOf>[0] | undefined,
): Pick<StateWords, "title" | "tone"> {
  if (ended !== undefined) return wordsOf(ended);
  return { title: titleOf(summary), tone: stateWords(summary.state).tone };
}

/** Whether the container has run and its time is known. */
export function hasRun(state: LeaseState): boolean {
  return isOver(state) && (state === "Completed" || state === "Settled");
}

/** The deadline of the present state, and what anyone may do once it has passed. */
export interface Deadline {
  readonly label: string;
  /** Unix seconds, chain time. */
  readonly at: number;
  /** From then on anyone may enforce it, by this call. */
  readonly enforceableAt: number;
  readonly enforce: LeaseDeadline["enforce"];
}

const LABELS: Readonly<Record<LeaseDeadline["what"], string>> = {
  accept: "Nodes may accept until",
  "take-over": "Another node may take over until",
  grant: "Your key must be handed over by",
  start: "The node must start by",
  report: "The run must be reported by",
  "last-claim": "The last claim must come by",
  reveal: "Results must be opened by",
  approve: "Paid without your approval after",
  answer: "Your claim is answered by",
};

export function deadlineOf({ due }: Pick<LeaseFacts, "due">): Deadline | undefined {
  if (due === undefined) return undefined;
  return {
    label: LABELS[due.what],
    at: Number(due.at),
    enforceableAt: Number(due.enforceableAt),
    enforce: due.enforce,
  };
}

/** Of a task's deadlines the one that passes first. */
export function nextDeadline(leases: readonly Pick<LeaseFacts, "due">[]): Deadline | undefined {
  return leases.flatMap((lease) => deadlineOf(lease) ?? []).sort((one, other) => one.at - other.at)[0];
}
