/**
 * What may happen to a gang of three: situation x actor x deadline x money. `docs/protocol.md` shows it,
 * `gang-states.test.ts` holds the contracts to it, row by row. Each lease's own rows are in `state-table.ts`.
 */
import type { Status } from "./market.ts";

/** First and second have started, third has not; all run; third is lost; its place is taken; all run again. */
export const situations = ["starting", "running", "waiting", "taken over", "running again"] as const;
export type Situation = (typeof situations)[number];

export type GangCall =
  | "startLease"
  | "completeLease"
  | "failLease"
  | "failover"
  | "takeOver"
  | "expire"
  | "cancelTask";

export interface GangRow {
  readonly situation: Situation;
  readonly actor: string;
  readonly call: GangCall;
  /** The member that it is about. */
  readonly member: 0 | 1 | 2;
  readonly deadline: "none" | string;
  readonly enforces: boolean;
  /** Statuses of the three leases after it. */
  readonly becomes: readonly [Status, Status, Status];
  /** Whether those who waited are paid out of a lock by this. */
  readonly paysWaiting: boolean;
  readonly money: string;
}

const start = "assigned + startWindow";
const end = "clock start + maxSeconds + completionGrace";
const replace = "lost + replaceWindow";
const lost = "anyone, the member being revoked, or offline for longer than failoverAfter";
const refund =
  "nobody is paid for a run; whole reservation back to the consumer; capacities and locks released";
const keeps = "survivors keep what accrued and have completionGrace to claim it";
const standby = "standbyBps of their rate, out of the lost lock, for at most replaceWindow";
const reopened = `the lost attempt is paid to its last checkpoint, its lock is kept for the waiting; ${keeps}`;

const row = (
  situation: Situation,
  actor: string,
  call: GangCall,
  member: 0 | 1 | 2,
  deadline: string,
  becomes: GangRow["becomes"],
  money: string,
  more: Partial<GangRow> = {},
): GangRow => ({
  situation,
  actor,
  call,
  member,
  deadline,
  enforces: false,
  becomes,
  paysWaiting: false,
  money,
  ...more,
});
const pays = { paysWaiting: true };
const enforced = { enforces: true };

export const gangRows: readonly GangRow[] = [
  row(
    "starting",
    "last operator",
    "startLease",
    2,
    start,
    ["Running", "Running", "Running"],
    "the common clock starts",
  ),
  row(
    "starting",
    "anyone",
    "expire",
    2,
    start,
    ["Failed", "Failed", "Failed"],
    `who is late pays those who waited standbyBps of their rates, at most its lock; ${refund}`,
    { ...pays, ...enforced },
  ),
  row(
    "starting",
    "operator",
    "failLease",
    2,
    "none",
    ["Failed", "Failed", "Failed"],
    `it pays the others' waiting so far, at most its lock; ${refund}`,
    pays,
  ),
  row("starting", lost, "failover", 2, "none", ["Failed", "Failed", "Failed"], `nobody is blamed; ${refund}`),
  row(
    "starting",
    "consumer",
    "cancelTask",
    0,
    "none",
    ["Stopping", "Stopping", "Cancelled"],
    "free for everybody: nothing is paid before the start",
  ),
  row(
    "running",
    "anyone with the operator's attestation",
    "completeLease",
    0,
    end,
    ["Completed", "Running", "Running"],
    "its seconds on the common clock are fixed; the clock of the others goes on",
  ),
  row("running", "operator", "failLease", 2, "none", ["Running", "Running", "Open"], reopened),
  row("running", lost, "failover", 2, "none", ["Running", "Running", "Open"], reopened),
  row(
    "running",
    "anyone",
    "expire",
    2,
    end,
    ["Stopping", "Stopping", "Expired"],
    `the clock has no time left for another: the lost lease is paid to its last checkpoint; ${keeps}`,
    enforced,
  ),
  row(
    "running",
    "consumer",
    "cancelTask",
    0,
    "none",
    ["Stopping", "Stopping", "Stopping"],
    "the clock stops for all; each is paid to the cancel on its attestation, at least minBilled",
  ),
  row(
    "waiting",
    "node with the key, or whose ticket is admitted; no owner that lost it",
    "takeOver",
    2,
    replace,
    ["Running", "Running", "Assigned"],
    "what is left of the lost lease's reservation stays; capacity and a lock for it are taken",
  ),
  row(
    "waiting",
    "anyone",
    "expire",
    2,
    replace,
    ["Stopping", "Stopping", "Expired"],
    `survivors earn ${standby}; ${keeps}; the rest of the lost lease goes back`,
    { ...pays, ...enforced },
  ),
  row(
    "waiting",
    "a survivor's operator",
    "failLease",
    0,
    "none",
    ["Failed", "Stopping", "Expired"],
    `it is paid to its last checkpoint and blameless; the other survivors earn ${standby}`,
    pays,
  ),
  row(
    "waiting",
    "consumer",
    "cancelTask",
    0,
    "none",
    ["Stopping", "Stopping", "Cancelled"],
    `survivors earn ${standby}, and are paid on their attestations, at least minBilled`,
    pays,
  ),
  row(
    "taken over",
    "the new operator",
    "startLease",
    2,
    start,
    ["Running", "Running", "Running"],
    `the clock goes on; survivors earn ${standby}`,
    pays,
  ),
  row(
    "taken over",
    "anyone",
    "expire",
    2,
    start,
    ["Stopping", "Stopping", "Expired"],
    `the one replacement round is over; survivors earn ${standby}; ${keeps}`,
    { ...pays, ...enforced },
  ),
  row(
    "running again",
    "operator",
    "failLease",
    0,
    "none",
    ["Failed", "Stopping", "Stopping"],
    `a second loss ends it: paid to its last checkpoint; ${keeps}`,
  ),
];

/** The table as Markdown. */
export function renderGangRows(): string {
  const head =
    "| The gang is | Actor | Call | Deadline | The three leases become | Waiting is paid | Money, capacity, stake |";
  const lines = gangRows.map((shown) => {
    const { situation, actor, call, deadline, enforces, becomes, paysWaiting, money } = shown;
    const when =
      deadline === "none" ? "none" : enforces ? `t > ${deadline} + outageGrace` : `t <= ${deadline}`;
    return `| ${situation} | ${actor} | \`${call}\` | ${when} | ${becomes.join(", ")} | ${paysWaiting ? "yes" : "no"} | ${money} |`;
  });
  return [head, "| --- | --- | --- | --- | --- | --- | --- |", ...lines].join("\n");
}
