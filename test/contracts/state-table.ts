/**
 * The table state x actor x deadline x money of this version. `docs/protocol.md` shows it, `states.test.ts` holds the
 * contracts to it, row by row.
 */
import type { Status } from "./market.ts";

export const calls = [
  "acceptTask",
  "takeOver",
  "grantKeys",
  "startLease",
  "checkpoint",
  "completeLease",
  "failLease",
  "failover",
  "topUp",
  "cancelTask",
  "approve",
  "settle",
  "expire",
  "proveEquivocation",
] as const;
export type Call = (typeof calls)[number];

export type LiveStatus = Exclude<Status, "None">;

/** A state, with what else decides what may be done in it. */
export const scenes = [
  "Open",
  "Open again",
  "Assigned",
  "Assigned, no key",
  "Running",
  "Stopping",
  "Completed",
  "Settled",
  "Cancelled",
  "Failed",
  "Expired",
] as const;
export type Scene = (typeof scenes)[number];

export const statusOf = (scene: Scene): LiveStatus => scene.split(/ again|,/)[0] as LiveStatus;

/** A moment in the lease's life that a deadline counts from, plus the terms that are added to it. */
export interface Deadline {
  readonly from: "deadline" | "startedAt" | "stoppedAt" | "endedAt";
  readonly plus: readonly ("maxSeconds" | "completionGrace" | "evidencePeriod")[];
  /** How the table calls what the lease stores as its deadline. */
  readonly name?: string;
}

/** What the owner is paid for: seconds of the run. */
export type Paid = "nothing" | "toLastClaim" | "attested" | "unchanged";

export interface Row {
  readonly scene: Scene;
  /** Whether the order allows another attempt; where it is not said, that makes no difference. */
  readonly attempts?: "left" | "none left";
  readonly actor: string;
  readonly call: Call;
  /** The actor acts while `t <= deadline`; where `enforces`, anyone acts when `t > deadline + outageGrace`. */
  readonly deadline: Deadline | "none";
  readonly enforces: boolean;
  readonly becomes: Scene;
  readonly paid: Paid;
  /** The consumer's reservation, the node's capacity and its lock, in words. */
  readonly money: string;
}

const run: Deadline = { from: "startedAt", plus: ["maxSeconds", "completionGrace"] };
const stop: Deadline = { from: "stoppedAt", plus: ["completionGrace"] };
const open: Deadline = { from: "deadline", plus: [], name: "openUntil" };
const again: Deadline = { from: "deadline", plus: [], name: "max(openUntil, lost + replaceWindow)" };
const start: Deadline = { from: "deadline", plus: [], name: "assigned, or given the key + startWindow" };
const grant: Deadline = { from: "deadline", plus: [], name: "assigned + grantWindow" };
const window: Deadline = { from: "deadline", plus: [], name: "completed + challengeWindow" };
const evidence: Deadline = { from: "endedAt", plus: ["evidencePeriod"] };

const refund = "whole reservation back to the consumer";
const freed = "capacity and lock released";
const slash = "the lease's lock is slashed: 20 % to the reporter, the rest forfeited; pay is untouched";
const late =
  "up to the lease's lock is slashed from unbonding, then free stake, and the rest stays owed; pay is untouched";

const kept = "the rest stays reserved for the next attempt";
const more = "reserves for the seconds more of every lease that is not over";
const lost = `paid to the last checkpoint; ${kept}; ${freed}`;
const ended = `paid to the last checkpoint, the rest back to the consumer; ${freed}`;
const isLost = "anyone, the node being revoked, or offline for longer than failoverAfter";

/** A row of few words: what an actor may do at any time in a state. */
const row = (
  scene: Scene,
  actor: string,
  call: Call,
  deadline: Row["deadline"],
  becomes: Scene,
  money: string,
  more_: Partial<Row> = {},
): Row => ({ scene, actor, call, deadline, enforces: false, becomes, paid: "nothing", money, ...more_ });

/** A proof changes no state. */
const proof = (scene: Scene, deadline: Row["deadline"], money: string): Row =>
  row(scene, "anyone with the proof", "proveEquivocation", deadline, scene, money, { paid: "unchanged" });

/** The node gives the lease up, or is found to be lost: another may have it while attempts are left. */
const loss = (scene: Scene, left: string, none: string, paid: Paid): Row[] =>
  (["failLease", "failover"] as const).flatMap((call) => {
    const actor = call === "failLease" ? "operator" : isLost;
    return [
      row(scene, actor, call, "none", "Open again", left, { attempts: "left", paid }),
      row(scene, actor, call, "none", "Failed", none, { attempts: "none left", paid }),
    ];
  });

const topUp = (scene: Scene, deadline: Row["deadline"] = "none"): Row =>
  row(scene, "consumer", "topUp", deadline, scene, more, { paid: "unchanged" });
const cancel = (scene: Scene, money: string): Row =>
  row(scene, "consumer", "cancelTask", "none", "Cancelled", money);
const expiry = (
  scene: Scene,
  deadline: Deadline,
  becomes: Scene,
  money: string,
  more_: Partial<Row> = {},
): Row => row(scene, "anyone", "expire", deadline, becomes, money, { enforces: true, ...more_ });

export const rows: readonly Row[] = [
  row(
    "Open",
    "node whose ticket is admitted",
    "acceptTask",
    open,
    "Assigned",
    "reservation stays; capacity and lock are taken from the node",
  ),
  topUp("Open"),
  cancel("Open", refund),
  expiry("Open", open, "Expired", refund),

  row(
    "Open again",
    "node with the key, or whose ticket is admitted; no owner that lost it",
    "takeOver",
    again,
    "Assigned",
    "what is left of the reservation stays; capacity and a lock for it are taken from the node",
  ),
  topUp("Open again"),
  cancel("Open again", "what is left of the reservation back to the consumer"),
  expiry("Open again", again, "Expired", "what is left of the reservation back to the consumer"),
  proof("Open again", "none", "of the lost attempt, until its evidence period is over: as for Expired"),

  row("Assigned", "operator", "startLease", start, "Running", "the billing clock starts"),
  ...loss("Assigned", `${kept}; ${freed}`, `${refund}; ${freed}`, "nothing"),
  topUp("Assigned"),
  cancel("Assigned", `${refund}; ${freed}`),
  expiry("Assigned", start, "Open again", `${kept}; ${freed}`, { attempts: "left" }),
  expiry("Assigned", start, "Expired", `${refund}; ${freed}`, { attempts: "none left" }),
  proof("Assigned", "none", slash),

  row(
    "Assigned, no key",
    "consumer",
    "grantKeys",
    grant,
    "Assigned",
    "the start window opens; nothing moves",
  ),
  ...loss("Assigned, no key", `${kept}; ${freed}`, `${refund}; ${freed}`, "nothing"),
  topUp("Assigned, no key"),
  cancel("Assigned, no key", `${refund}; ${freed}`),
  expiry("Assigned, no key", grant, "Expired", `${refund}; ${freed}; the node is blameless`),
  proof("Assigned, no key", "none", slash),

  row("Running", "operator", "checkpoint", run, "Running", "what a lost lease is paid moves up to now", {
    paid: "unchanged",
  }),
  row(
    "Running",
    "anyone with the operator's attestation",
    "completeLease",
    run,
    "Completed",
    "billed seconds are fixed, less the downtime; capacity released; reservation and lock stay",
    { paid: "unchanged" },
  ),
  ...loss("Running", lost, ended, "toLastClaim"),
  topUp("Running", run),
  row(
    "Running",
    "consumer",
    "cancelTask",
    run,
    "Stopping",
    "the billing clock stops; everything else stays",
    { paid: "unchanged" },
  ),
  expiry("Running", run, "Open again", lost, { attempts: "left", paid: "toLastClaim" }),
  expiry("Running", run, "Expired", ended, { attempts: "none left", paid: "toLastClaim" }),
  proof("Running", "none", slash),

  row(
    "Stopping",
    "anyone with the operator's attestation",
    "completeLease",
    stop,
    "Completed",
    "billed seconds are fixed to the cancel, at least minBilled; capacity released; reservation and lock stay",
    { paid: "unchanged" },
  ),
  row("Stopping", "operator", "failLease", "none", "Failed", ended, { paid: "toLastClaim" }),
  expiry("Stopping", stop, "Expired", ended, { paid: "toLastClaim" }),
  proof("Stopping", "none", slash),

  row(
    "Completed",
    "consumer",
    "approve",
    "none",
    "Settled",
    "billed seconds are paid less the fee, the rest back to the consumer; lock released",
    { paid: "attested" },
  ),
  row(
    "Completed",
    "anyone",
    "settle",
    window,
    "Settled",
    "billed seconds are paid less the fee, the rest back to the consumer; lock released",
    { enforces: true, paid: "attested" },
  ),
  proof("Completed", evidence, slash),
  proof("Settled", evidence, late),
  proof("Cancelled", evidence, `${late} (only if a node had accepted)`),
  proof("Failed", evidence, late),
  proof("Expired", evidence, `${late} (only if a node had accepted)`),
];

/** What a call answers in a state without a row for it. */
export function refusal(scene: Scene, call: Call): string {
  const noNode = scene === "Open" || scene === "Open again" || scene === "Cancelled";
  const byOperator = call === "startLease" || call === "checkpoint" || call === "failLease";
  if (byOperator && noNode) return "NotOperator";
  if (call === "startLease" && scene === "Assigned, no key") return "KeyMissing";
  if (call === "grantKeys") return "NoKeyNeeded";
  return call === "topUp" ? "TaskIsOver" : "WrongStatus";
}

function deadlineText({ deadline, enforces }: Row): string {
  if (deadline === "none") return "none, any time in this state";
  const sum = [deadline.name ?? deadline.from, ...deadline.plus].join(" + ");
  return enforces ? `t > ${sum} + outageGrace` : `t <= ${sum}`;
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
  const lines = rows.map((shown) => {
    const paid = shown.call === "proveEquivocation" ? "no change" : paidText[shown.paid];
    const state = shown.attempts ? `${shown.scene}, attempts ${shown.attempts}` : shown.scene;
    return `| ${state} | ${shown.actor} | \`${shown.call}\` | ${deadlineText(shown)} | ${shown.becomes} | ${paid} | ${shown.money} |`;
  });
  return [head, "| --- | --- | --- | --- | --- | --- | --- |", ...lines].join("\n");
}

/** Every state x every call: the state that follows, or the error. */
export function renderMatrix(): string {
  const head = `| State | ${calls.map((call) => `\`${call}\``).join(" | ")} |`;
  const lines = scenes.map((scene) => {
    const cells = calls.map((call) => {
      const found = rows.filter((candidate) => candidate.scene === scene && candidate.call === call);
      return found.map(({ becomes }) => `**${becomes}**`).join(" or ") || refusal(scene, call);
    });
    return `| ${scene} | ${cells.join(" | ")} |`;
  });
  return [head, `| --- |${" --- |".repeat(calls.length)}`, ...lines].join("\n");
}
