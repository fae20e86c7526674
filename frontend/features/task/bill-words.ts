import { ranSeconds, type TaskDetail, type TimelineEvent } from "@dekuper/client";
import { formatSeconds, gross } from "@dekuper/protocol";
import { formatMoney, type Token } from "../../ui/money.ts";
import { paidFor } from "./event-words.ts";
import { partNoun } from "./part-words.ts";

/** One line of a task's bill. */
export interface BillLine {
  readonly key: string;
  readonly label: string;
  readonly amount: string;
  /** What the amount is made of. */
  readonly explanation: string | undefined;
  /** Still to come, and held in what is reserved until then: what is due or runs up. */
  readonly isExpected: boolean;
}

type Billed = Pick<TaskDetail, "task" | "leases" | "gang" | "ballot" | "timeline" | "money">;

/**
 * What a task costs, line by line: what was reserved is what was paid, what came back and what is still held. `now` is chain
 * time in Unix seconds.
 */
export function billOf(detail: Billed, token: Token, now: number | undefined): BillLine[] {
  const { task, timeline, money } = detail;
  const amount = (value: bigint) => formatMoney(value, token);
  const line = (key: string, label: string, value: bigint, explanation?: string): BillLine => {
    return { key, label, amount: amount(value), explanation, isExpected: false };
  };
  const held = money.reserved - money.gross - money.released;
  return [
    line(
      "reserved",
      "Reserved",
      money.reserved,
      `The most that ${formatSeconds(task.fundedSeconds)} can cost`,
    ),
    ...timeline.flatMap((event) => linesOf(event, detail, token)),
    ...expected(detail, now, token),
    ...(money.released === 0n ? [] : [line("released", "Given back", money.released, "Not used")]),
    ...(held === 0n ? [] : [line("held", "Still reserved", held)]),
  ];
}

/** A payment, or an attempt that is lost without one. */
function linesOf(event: TimelineEvent, detail: Billed, token: Token): BillLine[] {
  const { name, values, member, hash, logIndex } = event;
  const key = `${hash}:${logIndex}`;
  const of = whoOf(detail, member, values.attempt as number | undefined);
  const line = (label: string, amount: bigint, explanation: string): BillLine[] => [
    { key, label, amount: formatMoney(amount, token), explanation, isExpected: false },
  ];
  switch (name) {
    case "Paid":
      return line(`Paid${of}`, values.gross as bigint, sentence(paidFor(values, token)));
    case "AttemptLost":
      return (values.gross as bigint) === 0n
        ? line(`Not paid${of}`, 0n, "Its node was lost before it had claimed any progress")
        : [];
    case "BondPosted":
      return line("Put down with your claim", values.amount as bigint, "Comes back unless it is answered");
    case "BondReturned":
      return line("Back from your claim", values.amount as bigint, "The claim held, or nobody answered it");
    case "BondAwarded":
      return line("Lost with your claim", values.amount as bigint, "The node showed that it had delivered");
    default:
      return [];
  }
}

/** What is due once windows end, and what runs up at this moment. */
function expected(detail: Billed, now: number | undefined, token: Token): BillLine[] {
  const { leases, gang } = detail;
  return leases.flatMap((lease): BillLine[] => {
    const { index, attempt, ratePerHour, state, leaseId } = lease;
    const of = whoOf(detail, index, attempt);
    const rate = `at ${formatMoney(ratePerHour, token)} an hour`;
    const line = (label: string, seconds: bigint, more: string): BillLine => ({
      key: leaseId,
      label: `${label}${of}`,
      amount: `${lease.status === "Completed" ? "" : "about "}${formatMoney(gross(ratePerHour, seconds), token)}`,
      explanation: `${formatSeconds(Number(seconds))} ${rate}${more}`,
      isExpected: true,
    });
    if (lease.status === "Completed") {
      const down = lease.downSeconds;
      const offline = down === 0n ? "" : `; ${formatSeconds(Number(down))} offline are not paid`;
      return [line("To be paid", lease.billedSeconds, offline)];
    }
    if (now === undefined || (state !== "Running" && state !== "Interrupted")) return [];
    return [line("So far", ranSeconds(lease, gang, BigInt(now)), "")];
  });
}

/** `, member 1, attempt 2`: only what there are several of. */
function whoOf(
  { leases, timeline, ballot }: Pick<Billed, "leases" | "timeline" | "ballot">,
  member: number | undefined,
  attempt: number | undefined,
): string {
  const hasAttempts = timeline.some(({ name }) => name === "AttemptLost");
  return [
    leases.length > 1 && member !== undefined ? `, ${partNoun({ ballot })} ${member}` : "",
    hasAttempts && attempt !== undefined ? `, attempt ${attempt}` : "",
  ].join("");
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
