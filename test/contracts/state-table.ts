/**
 * The table state x actor x deadline x money of this version. `docs/protocol.md` shows it, `states.test.ts` holds the
 * contracts to it, row by row.
 */
import type { Status } from "./market.ts";

export const calls = [
  "acceptTask",
  "startLease",
  "checkpoint",
  "completeLease",
  "failLease",
  "cancelTask",
  "approve",
  "settle",
  "expire",
  "proveEquivocation",
] as const;
export type Call = (typeof calls)[number];

export type LiveStatus = Exclude<Status, "None">;
export const liveStatuses: readonly LiveStatus[] = [
  "Open",
  "Assigned",
  "Running",
  "Stopping",
  "Completed",
  "Settled",
  "Cancelled",
  "Failed",
  "Expired",
];

/** A moment in the lease's life that a deadline counts from, plus the terms that are added to it. */
export interface Deadline {
  readonly from: "openUntil" | "startDeadline" | "startedAt" | "stoppedAt" | "challengeEndsAt" | "endedAt";
  readonly plus: readonly ("maxDuration" | "completionGrace" | "evidencePeriod")[];
}

/** What the owner is paid for: seconds of the run. */
export type Paid = "nothing" | "toLastClaim" | "attested" | "unchanged";

export interface Row {
  readonly state: LiveStatus;
  readonly actor: string;
  readonly call: Call;
  /** The actor acts while `t <= deadline`; where `enforces`, anyone acts when `t > deadline + outageGrace`. */
  readonly deadline: Deadline | "none";
  readonly enforces: boolean;
  readonly becomes: LiveStatus;
  readonly paid: Paid;
  /** The consumer's reservation, the node's capacity and its lock, in words. */
  readonly money: string;
}

const run: Deadline = { from: "startedAt", plus: ["maxDuration", "completionGrace"] };
const stop: Deadline = { from: "stoppedAt", plus: ["completionGrace"] };
const open: Deadline = { from: "openUntil", plus: [] };
const start: Deadline = { from: "startDeadline", plus: [] };
const window: Deadline = { from: "challengeEndsAt", plus: [] };
const evidence: Deadline = { from: "endedAt", plus: ["evidencePeriod"] };

const refund = "whole reservation back to the consumer";
const freed = "capacity and lock released";
const slash = "the lease's lock is slashed: 20 % to the reporter, the rest forfeited; pay is untouched";
const late =
  "up to the lease's lock is slashed from unbonding, then free stake, and the rest stays owed; pay is untouched";

/** A proof changes no state. */
const proof = (state: LiveStatus, deadline: Row["deadline"], money: string): Row => ({
  state,
  actor: "anyone with the proof",
  call: "proveEquivocation",
  deadline,
  enforces: false,
  becomes: state,
  paid: "unchanged",
  money,
});

export const rows: readonly Row[] = [
  {
    state: "Open",
    actor: "node whose ticket is admitted",
    call: "acceptTask",
    deadline: open,
    enforces: false,
    becomes: "Assigned",
    paid: "nothing",
    money: "reservation stays; capacity and lock are taken from the node",
  },
  {
    state: "Open",
    actor: "consumer",
    call: "cancelTask",
    deadline: "none",
    enforces: false,
    becomes: "Cancelled",
    paid: "nothing",
    money: refund,
  },
  {
    state: "Open",
    actor: "anyone",
    call: "expire",
    deadline: open,
    enforces: true,
    becomes: "Expired",
    paid: "nothing",
    money: refund,
  },
  {
    state: "Assigned",
    actor: "operator",
    call: "startLease",
    deadline: start,
    enforces: false,
    becomes: "Running",
    paid: "nothing",
    money: "the billing clock starts",
  },
  {
    state: "Assigned",
    actor: "operator",
    call: "failLease",
    deadline: "none",
    enforces: false,
    becomes: "Failed",
    paid: "nothing",
    money: `${refund}; ${freed}`,
  },
  {
    state: "Assigned",
    actor: "consumer",
    call: "cancelTask",
    deadline: "none",
    enforces: false,
    becomes: "Cancelled",
    paid: "nothing",
    money: `${refund}; ${freed}`,
  },
  {
    state: "Assigned",
    actor: "anyone",
    call: "expire",
    deadline: start,
    enforces: true,
    becomes: "Expired",
    paid: "nothing",
    money: `${refund}; ${freed}`,
  },
  proof("Assigned", "none", slash),
  {
    state: "Running",
    actor: "operator",
    call: "checkpoint",
    deadline: run,
    enforces: false,
    becomes: "Running",
    paid: "unchanged",
    money: "what a lost lease is paid moves up to now",
  },
  {
    state: "Running",
    actor: "anyone with the operator's attestation",
    call: "completeLease",
    deadline: run,
    enforces: false,
    becomes: "Completed",
    paid: "unchanged",
    money: "billed seconds are fixed; capacity released; reservation and lock stay",
  },
  {
    state: "Running",
    actor: "operator",
    call: "failLease",
    deadline: "none",
    enforces: false,
    becomes: "Failed",
    paid: "toLastClaim",
    money: `paid to the last checkpoint, the rest back to the consumer; ${freed}`,
  },
  {
    state: "Running",
    actor: "consumer",
    call: "cancelTask",
    deadline: run,
    enforces: false,
    becomes: "Stopping",
    paid: "unchanged",
    money: "the billing clock stops; everything else stays",
  },
  {
    state: "Running",
    actor: "anyone",
    call: "expire",
    deadline: run,
    enforces: true,
    becomes: "Expired",
    paid: "toLastClaim",
    money: `paid to the last checkpoint, the rest back to the consumer; ${freed}`,
  },
  proof("Running", "none", slash),
  {
    state: "Stopping",
    actor: "anyone with the operator's attestation",
    call: "completeLease",
    deadline: stop,
    enforces: false,
    becomes: "Completed",
    paid: "unchanged",
    money:
      "billed seconds are fixed to the cancel, at least minBilled; capacity released; reservation and lock stay",
  },
  {
    state: "Stopping",
    actor: "operator",
    call: "failLease",
    deadline: "none",
    enforces: false,
    becomes: "Failed",
    paid: "toLastClaim",
    money: `paid to the last checkpoint, the rest back to the consumer; ${freed}`,
  },
  {
    state: "Stopping",
    actor: "anyone",
    call: "expire",
    deadline: stop,
    enforces: true,
    becomes: "Expired",
    paid: "toLastClaim",
    money: `paid to the last checkpoint, the rest back to the consumer; ${freed}`,
  },
  proof("Stopping", "none", slash),
  {
    state: "Completed",
    actor: "consumer",
    call: "approve",
    deadline: "none",
    enforces: false,
    becomes: "Settled",
    paid: "attested",
    money: "billed seconds are paid less the fee, the rest back to the consumer; lock released",
  },
  {
    state: "Completed",
    actor: "anyone",
    call: "settle",
    deadline: window,
    enforces: true,
    becomes: "Settled",
    paid: "attested",
    money: "billed seconds are paid less the fee, the rest back to the consumer; lock released",
  },
  proof("Completed", evidence, slash),
  proof("Settled", evidence, late),
  proof("Cancelled", evidence, `${late} (only if a node had accepted)`),
  proof("Failed", evidence, late),
  proof("Expired", evidence, `${late} (only if a node had accepted)`),
];

/** What a call answers in a state without a row for it. */
export function refusal(state: LiveStatus, call: Call): string {
  const noNode = state === "Open" || state === "Cancelled";
  const byOperator = call === "startLease" || call === "checkpoint" || call === "failLease";
  return byOperator && noNode ? "NotOperator" : "WrongStatus";
}

function deadlineText(row: Row): string {
  if (row.deadline === "none") return "none, any time in this state";
  const sum = [row.deadline.from, ...row.deadline.plus].join(" + ");
  return row.enforces ? `t > ${sum} + outageGrace` : `t <= ${sum}`;
}

const paidText: Record<Paid, string> = {
  nothing: "nothing",
  toLastClaim: "start to last checkpoint",
  attested: "the attested run",
  unchanged: "nothing yet",
};

/** The table's rows as Markdown. */
export function renderRows(): string {
  const head = "| State | Actor | Call | Deadline | Becomes | Owner is paid | Money, capacity, stake |";
  const lines = rows.map((row) => {
    const paid = row.call === "proveEquivocation" ? "no change" : paidText[row.paid];
    return `| ${row.state} | ${row.actor} | \`${row.call}\` | ${deadlineText(row)} | ${row.becomes} | ${paid} | ${row.money} |`;
  });
  return [head, "| --- | --- | --- | --- | --- | --- | --- |", ...lines].join("\n");
}

/** Every state x every call: the state that follows, or the error. */
export function renderMatrix(): string {
  const head = `| State | ${calls.map((call) => `\`${call}\``).join(" | ")} |`;
  const lines = liveStatuses.map((state) => {
    const cells = calls.map((call) => {
      const row = rows.find((candidate) => candidate.state === state && candidate.call === call);
      return row ? `**${row.becomes}**` : refusal(state, call);
    });
    return `| ${state} | ${cells.join(" | ")} |`;
  });
  return [head, `| --- |${" --- |".repeat(calls.length)}`, ...lines].join("\n");
}
