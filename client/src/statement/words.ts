import { formatSeconds } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { type Fault, isSame, type StatementLine } from "./ledger.ts";
import type { PaidMovement } from "./movement.ts";
import { feeBpsOf, paidSeconds } from "./pay.ts";
import type { Statement } from "./statement.ts";

/** A line in words: `Paid for` a task, and what explains the amount. */
export interface LineWords {
  /** Ends in a preposition where a subject follows. */
  readonly title: string;
  readonly subject: { readonly kind: "task" | "node"; readonly id: Hex } | undefined;
  /** Phrases, to be read with semicolons between them; empty where the title says it all. */
  readonly explanation: readonly string[];
  /** Why the line does not recompute. */
  readonly faults: readonly string[];
}

/** Amounts as the reader writes them. */
export type FormatAmount = (amount: bigint) => string;

export function wordsOf(
  line: StatementLine,
  { account }: Pick<Statement, "account">,
  amount: FormatAmount,
): LineWords {
  const faults = line.faults.map((fault) => faultWords(fault, amount));
  return { ...movedWords(line, account, amount), faults };
}

function movedWords(
  { movement, change }: StatementLine,
  account: Address,
  amount: FormatAmount,
): Omit<LineWords, "faults"> {
  const say = (title: string, explanation: readonly string[] = [], subject?: LineWords["subject"]) => ({
    title,
    subject,
    explanation,
  });
  switch (movement.kind) {
    case "Deposited":
      return say("Deposited", isSame(movement.from, account) ? [] : [`by ${movement.from}`]);
    case "Withdrawn":
      return say("Withdrawn", isSame(movement.to, account) ? [] : [`to ${movement.to}`]);
    case "Transferred":
      return change.free < 0n
        ? say("Given away", [`to ${movement.to}`])
        : say("Received", [`from ${movement.from}`]);
    case "EarningsWithdrawn":
      return say("Earnings withdrawn", isSame(movement.to, account) ? [] : [`to ${movement.to}`]);
    case "Reserved":
      return say("Reserved for", [], task(movement.taskId));
    case "Released":
      return say("Released from", [], task(movement.taskId));
    case "Paid":
      return say(
        payTitle(movement, account),
        payExplanation(movement, account, amount),
        task(movement.taskId),
      );
    case "Compensated": {
      const paying = change.stake < 0n;
      const other = paying
        ? `to ${movement.owner}, whose node had waited for it`
        : `from the stake of ${movement.node}, for which a node of yours had waited`;
      return say(
        paying ? "Compensated by" : "Compensated",
        [`${other}, lease ${movement.leaseId}`],
        paying ? node(movement.node) : undefined,
      );
    }
    case "BondPosted":
      return say("Bond posted", [`with the claim that lease ${movement.leaseId} was not delivered`]);
    case "BondReturned":
      return say("Bond back", [`the claim on lease ${movement.leaseId} was right or had no verdict`]);
    case "BondAwarded":
      return say("Bond won", [`the claim on lease ${movement.leaseId} was answered: it had been delivered`]);
    case "StakeMoved":
      return say(movement.intoStake ? "Staked on" : "Stake back from", [], node(movement.node));
    case "StakeMigrated":
      return say("Stake moved from", [`${amount(movement.amount)} to ${movement.to}`], node(movement.from));
    case "StakeForfeited":
      return change.stake < 0n
        ? say(
            "Slashed from",
            [`${amount(movement.burned)} burned, ${amount(movement.reward)} to ${movement.reporter}`],
            node(movement.node),
          )
        : say("Rewarded for", ["for the proof of its fault"], node(movement.node));
  }
}

const task = (id: Hex) => ({ kind: "task", id }) as const;
const node = (id: Hex) => ({ kind: "node", id }) as const;

function payTitle({ consumer, owner }: PaidMovement, account: Address): string {
  if (!isSame(consumer, account)) return "Earned for";
  return isSame(owner, account) ? "Paid to yourself for" : "Paid for";
}

/** Seconds, rate, downtime, fee: everything that the amount is made of. */
function payExplanation(paid: PaidMovement, account: Address, amount: FormatAmount): string[] {
  const { ranSeconds, downSeconds, ratePerHour, gross, fee, attempt, owner } = paid;
  const ran = `ran ${durationOf(ranSeconds)}`;
  const down = downSeconds === 0n ? "never offline" : `offline ${durationOf(downSeconds)}`;
  const bps = feeBpsOf(paid);
  const feeWords = `${amount(fee)} fee${bps === undefined ? "" : ` (${bps / 100} %)`}`;
  const net = amount(gross - fee);
  return [
    `${ran}, ${down}`,
    `${seconds(paidSeconds(paid))} at ${amount(ratePerHour)} per hour: ${amount(gross)}`,
    ...(isSame(owner, account)
      ? [`less ${feeWords}: ${net}`]
      : [`of it ${feeWords}`, `and ${net} to ${owner}`]),
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
  ];
}

/** `5,400 s (1h 30m)`. */
function durationOf(count: bigint): string {
  return count < 60n ? seconds(count) : `${seconds(count)} (${formatSeconds(Number(count))})`;
}

function seconds(count: bigint): string {
  return `${count.toLocaleString("en-US")} s`;
}

function faultWords(fault: Fault, amount: FormatAmount): string {
  switch (fault.kind) {
    case "downtime":
      return `offline ${seconds(fault.downSeconds)} of ${seconds(fault.ranSeconds)}`;
    case "gross":
      return `the event says ${amount(fault.stated)}, seconds and rate make ${amount(fault.computed)}`;
    case "fee":
      return `the fee is ${amount(fault.stated)}; no fee rate makes that, and the most allowed is ${amount(fault.most)}`;
    case "overdrawn":
      return `${fault.purse} falls ${amount(fault.short)} below zero`;
    case "over-reservation":
      return `${amount(fault.short)} more than the task had reserved`;
  }
}
