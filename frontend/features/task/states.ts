import type { LeaseFacts, TaskDetail, TaskFacts } from "@dekuper/client";
import { type LeaseStatus, type Outcome, outcomes } from "@dekuper/protocol";
import type { Tone } from "../../ui/notice.tsx";

interface StateWords {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
}

/** Each state of a lease in plain words. */
export const stateWords: Readonly<Record<LeaseStatus, StateWords>> = {
  None: { tone: "neutral", title: "Unknown", text: "The chain knows no such lease." },
  Open: {
    tone: "info",
    title: "Waiting for a node",
    text: "The order is on chain. Nodes that fit may accept it; nothing is paid while it waits.",
  },
  Assigned: {
    tone: "info",
    title: "Being prepared",
    text: "A node has accepted, fetches spec and inputs, and starts the container. Paid time has not begun.",
  },
  Running: { tone: "good", title: "Running", text: "The container runs and each second counts." },
  Stopping: {
    tone: "warning",
    title: "Stopping",
    text: "You cancelled. The clock stands still; the node's last claim is awaited.",
  },
  Completed: {
    tone: "info",
    title: "Completed",
    text: "The run has ended and the node has signed its result. Look at the output; approving pays the node at once, else it is paid when the window ends.",
  },
  Settled: {
    tone: "neutral",
    title: "Settled",
    text: "The node is paid and the rest is back in your account.",
  },
  Cancelled: {
    tone: "neutral",
    title: "Cancelled",
    text: "You cancelled the task. What was not used is back in your account.",
  },
  Failed: {
    tone: "bad",
    title: "Given up by the node",
    text: "The node gave the task up. What was not used is back in your account.",
  },
  Expired: {
    tone: "bad",
    title: "Expired",
    text: "A deadline passed. What was not used is back in your account.",
  },
};

/** How a run ended, where it did not end well. */
const endings: Readonly<Record<Exclude<Outcome, "Success">, string>> = {
  NonZeroExit: "Ended with exit code",
  OutOfMemory: "Ran out of memory",
  TimeLimit: "Stopped at its time limit",
  OutputTooLarge: "Wrote too much output",
  Cancelled: "Cancelled by you",
};

/** How the node says that the run ended, in a few words. */
export function endingOf(outcome: number, exitCode: number): string {
  const name = outcomes[outcome];
  if (name === undefined) return `Outcome ${outcome}, exit code ${exitCode}`;
  return name === "Success" ? name : name === "NonZeroExit" ? `${endings[name]} ${exitCode}` : endings[name];
}

/** The state in words, with how the run ended once the node has signed it. */
export function wordsOf({ lease, attestation }: TaskDetail): StateWords {
  const words = stateWords[lease.status];
  if (attestation === undefined) return words;
  const { outcome, exitCode } = attestation.attestation;
  if (outcomes[outcome] === "Success")
    return lease.status === "Completed" ? { ...words, tone: "good" } : words;
  const title = endingOf(outcome, exitCode);
  return lease.status === "Completed"
    ? {
        tone: "warning",
        title,
        text: "Every ending is paid alike, for the seconds that ran. Log and output are here; approving pays the node at once, else it is paid when the window ends.",
      }
    : { ...words, title: `${title}, ${words.title.toLowerCase()}` };
}

/** Whether the container has run and its time is known. */
export function hasRun(status: LeaseStatus): boolean {
  return status === "Completed" || status === "Settled";
}

/** Live states hold money; the others are final. */
export function isLive(status: LeaseStatus): boolean {
  return ["Open", "Assigned", "Running", "Stopping", "Completed"].includes(status);
}

/** The deadline of the present state, and what anyone may do once it has passed. */
export interface Deadline {
  readonly label: string;
  /** Unix seconds, chain time. */
  readonly at: number;
  /** From then on anyone may enforce it, by this call. */
  readonly enforceableAt: number;
  readonly enforce: "expire" | "settle";
}

export function deadlineOf(task: TaskFacts, lease: LeaseFacts): Deadline | undefined {
  const { outageGrace, completionGrace } = task.terms;
  const by = (label: string, at: number, enforce: Deadline["enforce"] = "expire"): Deadline => ({
    label,
    at,
    enforceableAt: at + outageGrace,
    enforce,
  });
  switch (lease.status) {
    case "Open":
      return by("Nodes may accept until", Number(task.openUntil));
    case "Assigned":
      return by("The node must start by", Number(lease.startDeadline));
    case "Running":
      return by("The run must be reported by", Number(lease.startedAt) + task.maxDuration + completionGrace);
    case "Stopping":
      return by("The last claim must come by", Number(lease.stoppedAt) + completionGrace);
    case "Completed":
      return by("Paid without your approval after", Number(lease.challengeEndsAt), "settle");
    default:
      return undefined;
  }
}
