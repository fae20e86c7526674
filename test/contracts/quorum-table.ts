/**
 * What may happen to a quorum of three of which two must agree: situation x actor x deadline x money. `docs/protocol.md`
 * shows it, `quorum-states.test.ts` holds the contracts to it, row by row. Each lease's own rows are in `state-table.ts`.
 */
import type { Status } from "./market.ts";

/** Nothing but the first has committed in the second; in the others all have, and so many have revealed. */
export const votings = [
  "all run",
  "one has committed",
  "all have committed",
  "two are open and alike",
  "all are open, two alike",
  "all are open, none alike",
] as const;
export type Voting = (typeof votings)[number];

export type QuorumCall =
  | "commitResult"
  | "revealResult"
  | "tallyResults"
  | "failLease"
  | "expire"
  | "cancelTask";

export interface QuorumRow {
  readonly voting: Voting;
  readonly actor: string;
  /** About the first replica, or the task. */
  readonly call: QuorumCall;
  readonly deadline: "none" | string;
  readonly enforces: boolean;
  /** Statuses of the three leases after it, or the error. */
  readonly becomes: readonly [Status, Status, Status] | string;
  /** Replicas whose owners are paid by it. */
  readonly pays: readonly number[];
  /** Replicas whose lock is taken by it. */
  readonly slashes: readonly number[];
  readonly money: string;
}

const end = "startedAt + maxSeconds + completionGrace";
const reveal = "last commitment, or loss + revealWindow";
const counted =
  "it counts against n; paid to its last checkpoint, the rest back to the consumer; capacity and lock released";

const row = (
  voting: Voting,
  actor: string,
  call: QuorumCall,
  deadline: string,
  becomes: QuorumRow["becomes"],
  money: string,
  more: Partial<QuorumRow> = {},
): QuorumRow => ({
  voting,
  actor,
  call,
  deadline,
  enforces: false,
  becomes,
  pays: [],
  slashes: [],
  money,
  ...more,
});
const enforced = { enforces: true };

export const quorumRows: readonly QuorumRow[] = [
  row(
    "all run",
    "operator",
    "commitResult",
    end,
    ["Committed", "Running", "Running"],
    "nothing yet; capacity released, lock and reservation stay",
  ),
  row("all run", "anyone", "expire", end, ["Expired", "Running", "Running"], counted, enforced),
  row("all run", "operator", "failLease", "none", ["Failed", "Running", "Running"], counted),
  row(
    "all run",
    "consumer",
    "cancelTask",
    "none",
    ["Stopping", "Stopping", "Stopping"],
    "each is paid to the cancel on its attestation, at least minBilled: nobody is left to agree with",
  ),
  row(
    "one has committed",
    "consumer",
    "cancelTask",
    "none",
    "TaskIsOver",
    "a result that is bound could not be agreed with any more",
  ),
  row(
    "one has committed",
    "anyone with the attestation and its salt",
    "revealResult",
    "none",
    "StillCommitting",
    "nobody sees a result while another may still choose its own",
  ),
  row("one has committed", "anyone", "tallyResults", "none", "StillCommitting", "nothing"),
  row(
    "all have committed",
    "anyone with the attestation and its salt",
    "revealResult",
    reveal,
    ["Revealed", "Committed", "Committed"],
    "billed seconds are fixed, to the commitment at most",
  ),
  row(
    "all have committed",
    "anyone",
    "tallyResults",
    reveal,
    ["Failed", "Failed", "Failed"],
    "each lock is slashed: 20 % to the caller, the rest forfeited; whole reservation back to the consumer",
    { ...enforced, slashes: [0, 1, 2] },
  ),
  row(
    "two are open and alike",
    "anyone",
    "tallyResults",
    reveal,
    ["Completed", "Completed", "Failed"],
    "the silent one's lock is slashed and its reservation goes back; the others are paid after their windows",
    { ...enforced, slashes: [2] },
  ),
  row(
    "all are open, two alike",
    "anyone",
    "tallyResults",
    "none",
    ["Completed", "Completed", "Failed"],
    "the minority is unpaid, its lock is released and its reservation goes back; the others are paid after their windows",
  ),
  row(
    "all are open, none alike",
    "anyone",
    "tallyResults",
    "none",
    ["Settled", "Settled", "Settled"],
    "each is paid noQuorumBps of its pay, the rest goes back to the consumer; locks released",
    { pays: [0, 1, 2] },
  ),
];

function deadlineInWords({ deadline, enforces }: QuorumRow): string {
  if (deadline === "none") return "none";
  return enforces ? `t > ${deadline} + outageGrace` : `t <= ${deadline}`;
}

export function renderQuorumRows(): string {
  const lines = quorumRows.map((each) => {
    const becomes = typeof each.becomes === "string" ? `refused: ${each.becomes}` : each.becomes.join(", ");
    return `| ${each.voting} | ${each.actor} | \`${each.call}\` | ${deadlineInWords(each)} | ${becomes} | ${each.money} |`;
  });
  return [
    "| Of the quorum | Actor | Call | Deadline | The three leases become | Money, capacity, stake |",
    "| --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}
