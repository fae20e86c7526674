import type { LeaseState } from "./lease-state.ts";

/** A state for people: a few words, and what it means for them. */
export interface StateWords {
  readonly title: string;
  readonly text: string;
}

/** Each state in plain words, of a task or of one of its leases. */
export const stateWords: Readonly<Record<LeaseState, StateWords>> = {
  Open: {
    title: "Waiting for a node",
    text: "The order is on chain. Nodes that fit may accept it; nothing is paid while it waits.",
  },
  Reopened: {
    title: "Looking for another node",
    text: "Its node was lost or gave up, and is paid to its last claim. Another may go on from the last checkpoint, out of the same reservation.",
  },
  AwaitingKey: {
    title: "Waiting for your key",
    text: "A node has it, but cannot read spec and inputs before you hand it the task's key.",
  },
  Assigned: {
    title: "Being prepared",
    text: "A node has accepted, fetches spec and inputs, and starts the container. Paid time has not begun.",
  },
  Waiting: {
    title: "Waiting for the others to start",
    text: "Its container runs. Paid time begins when the last member of the gang has started.",
  },
  Interrupted: {
    title: "Stopped: a member was lost",
    text: "Paid time stands still until another node has taken the lost member's place, or nobody has in time.",
  },
  Running: { title: "Running", text: "The container runs and each second counts." },
  Stopping: {
    title: "Stopping",
    text: "It was cancelled, or its gang has ended. The clock stands still; the node's last claim is awaited.",
  },
  Completed: {
    title: "Completed",
    text: "The run has ended and the node has signed its result. Look at the output; approving pays the node at once, else it is paid when the window ends.",
  },
  Settled: {
    title: "Settled",
    text: "The node is paid and the rest is back in your account.",
  },
  Cancelled: {
    title: "Cancelled",
    text: "The task was cancelled. What was not used is back in your account.",
  },
  Failed: {
    title: "Given up",
    text: "The node gave it up or was lost, and no other took it over. What was not used is back in your account.",
  },
  Expired: {
    title: "Expired",
    text: "A deadline passed. What was not used is back in your account.",
  },
  Committed: {
    title: "Result sealed",
    text: "This replica has ended and has bound itself to its result. It is opened when every replica has.",
  },
  Revealed: {
    title: "Result opened",
    text: "This replica's result is open. When all are, those that agree are paid.",
  },
  Disputed: {
    title: "Delivery disputed",
    text: "You said that the result cannot be fetched. The node answers with your receipt, or attesters try to fetch it.",
  },
};
