/**
 * What may happen to a quorum's replica and to a result that is said to be missing: state x actor x deadline x money.
 * `docs/protocol.md` shows it, `verification-states.test.ts` holds the contracts to it, row by row.
 */
import type { Status } from "./market.ts";

/** A lease's state, with what else decides what may be done in it. */
export const verificationScenes = [
  "Running, a replica",
  "Committed, others run",
  "Committed",
  "Revealed, k alike",
  "Revealed, a minority",
  "Revealed, no k alike",
  "Completed",
  "Disputed",
] as const;
export type VerificationScene = (typeof verificationScenes)[number];

export type VerificationCall =
  | "commitResult"
  | "revealResult"
  | "tallyResults"
  | "claimUndelivered"
  | "answerWithReceipt"
  | "answerWithAttesters, fetched"
  | "answerWithAttesters, not fetched"
  | "lapseClaim"
  | "failLease"
  | "failover"
  | "expire"
  | "cancelTask"
  | "topUp"
  | "proveEquivocation";

/** The deadlines of these states, as the table calls them. */
export const deadlines = {
  run: "startedAt + maxSeconds + completionGrace",
  reveal: "last committed or lost + revealWindow",
  window: "completed + challengeWindow",
  answer: "claimed + answerWindow",
} as const;

export interface VerificationRow {
  readonly scene: VerificationScene;
  readonly actor: string;
  readonly call: VerificationCall;
  readonly deadline: keyof typeof deadlines | "none";
  readonly enforces: boolean;
  readonly becomes: Status;
  /** What the owner is paid for by the call itself: to the last checkpoint, or a part of the run. */
  readonly paid: "nothing" | "toLastClaim" | "noQuorumBps";
  /** What becomes of the bond. */
  readonly bond: "none" | "posted" | "owner" | "consumer";
  readonly isSlashed: boolean;
  readonly money: string;
}

const row = (
  scene: VerificationScene,
  actor: string,
  call: VerificationCall,
  deadline: VerificationRow["deadline"],
  becomes: Status,
  money: string,
  more: Partial<VerificationRow> = {},
): VerificationRow => ({
  scene,
  actor,
  call,
  deadline,
  enforces: false,
  becomes,
  paid: "nothing",
  bond: "none",
  isSlashed: false,
  money,
  ...more,
});

const toLastClaim = { paid: "toLastClaim" } as const;
const enforced = { enforces: true };
const slashed = { isSlashed: true };
const lost = "paid to the last checkpoint, the rest back to the consumer; it counts against n";
const slash = "the lease's lock is slashed: 20 % to the reporter, the rest forfeited; pay is untouched";
const proof = (scene: VerificationScene, state: Status) =>
  row(scene, "anyone with the proof", "proveEquivocation", "none", state, slash, slashed);

export const verificationRows: readonly VerificationRow[] = [
  row(
    "Running, a replica",
    "operator",
    "commitResult",
    "run",
    "Committed",
    "its seconds end here; capacity released; reservation and lock stay",
  ),
  row("Running, a replica", "operator", "failLease", "none", "Failed", lost, toLastClaim),
  row(
    "Running, a replica",
    "anyone, the node being revoked, or offline for longer than failoverAfter",
    "failover",
    "none",
    "Failed",
    lost,
    toLastClaim,
  ),
  row("Running, a replica", "anyone", "expire", "run", "Expired", lost, { ...toLastClaim, ...enforced }),
  row(
    "Running, a replica",
    "consumer, before any has committed",
    "cancelTask",
    "none",
    "Stopping",
    "all replicas stop; each is paid to the cancel on its attestation, at least minBilled",
  ),
  row(
    "Committed, others run",
    "consumer",
    "topUp",
    "none",
    "Committed",
    "reserves for the seconds more of the replicas that still run",
  ),
  proof("Committed, others run", "Committed"),
  row(
    "Committed",
    "anyone with the operator's attestation and salt",
    "revealResult",
    "reveal",
    "Revealed",
    "billed seconds are fixed to the commitment, less the downtime; reservation and lock stay",
  ),
  row(
    "Committed",
    "anyone",
    "tallyResults",
    "reveal",
    "Failed",
    "whole reservation back to the consumer; the lock is slashed: 20 % to who counts, the rest forfeited",
    { ...enforced, ...slashed },
  ),
  proof("Committed", "Committed"),
  row(
    "Revealed, k alike",
    "anyone, once all have revealed",
    "tallyResults",
    "none",
    "Completed",
    "the window opens; reservation and lock stay",
  ),
  row(
    "Revealed, a minority",
    "anyone, once all have revealed",
    "tallyResults",
    "none",
    "Failed",
    "whole reservation back to the consumer; lock released, nothing is slashed",
  ),
  row(
    "Revealed, no k alike",
    "anyone, once all have revealed",
    "tallyResults",
    "none",
    "Settled",
    "noQuorumBps of the run is paid less the fee, the rest back to the consumer; lock released",
    { paid: "noQuorumBps" },
  ),
  proof("Revealed, k alike", "Revealed"),
  row(
    "Completed",
    "consumer",
    "claimUndelivered",
    "window",
    "Disputed",
    "claimBond of the consumer's free balance is held; the lease stands still",
    { bond: "posted" },
  ),
  row(
    "Disputed",
    "anyone with the consumer's receipt",
    "answerWithReceipt",
    "answer",
    "Completed",
    "the bond is the owner's; what is left of the window goes on",
    { bond: "owner" },
  ),
  row(
    "Disputed",
    "anyone with more than two thirds of the attesters that fetched",
    "answerWithAttesters, fetched",
    "answer",
    "Completed",
    "the bond is the owner's; what is left of the window goes on",
    { bond: "owner" },
  ),
  row(
    "Disputed",
    "anyone with more than two thirds of the attesters that could not fetch",
    "answerWithAttesters, not fetched",
    "answer",
    "Failed",
    "bond and whole reservation back to the consumer; lock released, nothing is slashed",
    { bond: "consumer" },
  ),
  row(
    "Disputed",
    "anyone",
    "lapseClaim",
    "answer",
    "Completed",
    "the bond back to the consumer; it settles as if never claimed",
    {
      ...enforced,
      bond: "consumer",
    },
  ),
  proof("Disputed", "Disputed"),
];

/** What else could be tried in these states, and the error that whoever might do it gets. */
export const refusedCalls = [
  "acceptTask",
  "takeOver",
  "grantKeys",
  "startLease",
  "checkpoint",
  "commitResult",
  "revealResult",
  "tallyResults",
  "completeLease",
  "failLease",
  "failover",
  "topUp",
  "cancelTask",
  "approve",
  "settle",
  "expire",
  "claimUndelivered",
  "answerWithReceipt",
  "lapseClaim",
] as const;
export type RefusedCall = (typeof refusedCalls)[number];

/** The states that only a quorum or a claim leads to, with the error of each call that no row allows. */
export const refusals: Readonly<
  Record<
    "Committed, others run" | "Committed" | "Revealed, k alike" | "Disputed",
    Partial<Record<RefusedCall, string>>
  >
> = {
  "Committed, others run": {
    grantKeys: "NoKeyNeeded",
    revealResult: "StillCommitting",
    tallyResults: "StillCommitting",
    cancelTask: "TaskIsOver",
  },
  Committed: { grantKeys: "NoKeyNeeded", topUp: "TaskIsOver", cancelTask: "TaskIsOver" },
  "Revealed, k alike": { grantKeys: "NoKeyNeeded", topUp: "TaskIsOver", cancelTask: "TaskIsOver" },
  Disputed: { grantKeys: "NoKeyNeeded", tallyResults: "StillCommitting", topUp: "TaskIsOver" },
};

/** The error of a call in a state where no row allows it. */
export const refusalOf = (scene: keyof typeof refusals, call: RefusedCall): string =>
  refusals[scene][call] ?? "WrongStatus";

/** State by call as Markdown: the state that follows, or the error. */
export function renderVerificationMatrix(): string {
  const cell = (scene: keyof typeof refusals, call: RefusedCall): string => {
    const becomes = verificationRows.filter((shown) => shown.scene === scene && shown.call === call);
    return becomes.length === 0
      ? refusalOf(scene, call)
      : [...new Set(becomes.map((shown) => `**${shown.becomes}**`))].join(" or ");
  };
  const lines = (Object.keys(refusals) as (keyof typeof refusals)[]).map(
    (scene) => `| ${scene} | ${refusedCalls.map((call) => cell(scene, call)).join(" | ")} |`,
  );
  return [
    `| State | ${refusedCalls.map((call) => `\`${call}\``).join(" | ")} |`,
    `| --- |${" --- |".repeat(refusedCalls.length)}`,
    ...lines,
  ].join("\n");
}

/** The table as Markdown. */
export function renderVerificationRows(): string {
  const head =
    "| State | Actor | Call | Deadline | Becomes | Owner is paid | Bond | Money, capacity, stake |";
  const paid = {
    nothing: "nothing",
    toLastClaim: "start to last checkpoint",
    noQuorumBps: "noQuorumBps of the run",
  };
  const bonds = { none: "none", posted: "held", owner: "the owner's", consumer: "back to the consumer" };
  const lines = verificationRows.map((shown) => {
    const { scene, actor, call, deadline, enforces, becomes, money, bond } = shown;
    const at = deadline === "none" ? "" : deadlines[deadline];
    const when =
      deadline === "none"
        ? "none, any time in this state"
        : enforces
          ? `t > ${at} + outageGrace`
          : `t <= ${at}`;
    const [name, how] = call.split(", ");
    const called = how === undefined ? `\`${name}\`` : `\`${name}\`, ${how}`;
    return `| ${scene} | ${actor} | ${called} | ${when} | ${becomes} | ${paid[shown.paid]} | ${bonds[bond]} | ${money} |`;
  });
  return [head, "| --- | --- | --- | --- | --- | --- | --- | --- |", ...lines].join("\n");
}
