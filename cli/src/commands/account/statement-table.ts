import {
  type Balances,
  type Purse,
  purses,
  type Statement,
  type StatementLine,
  type TokenInfo,
  totalOf,
  wordsOf,
} from "@dekuper/client";
import { formatUnits } from "viem";
import { formatAmount, formatTime, shortAddress, shortId } from "../../output/format.ts";
import { padEnd, padStart, widthOf } from "../../output/table.ts";

/** Of the first column, `12:00:00`. */
export const TIME_WIDTH = 8;

/** One line of a statement in words. */
export interface Row {
  readonly day: string;
  readonly time: string;
  readonly title: string;
  /** By purse, in words: for terminals that are too narrow for a column each. */
  readonly changes: string;
  readonly explanation: readonly string[];
  readonly faults: readonly string[];
}

export function rowOf(line: StatementLine, statement: Statement, token: TokenInfo): Row {
  const { title, subject, explanation, faults } = wordsOf(line, statement, (value) =>
    formatAmount(value, token),
  );
  const [day = "", time = ""] = formatTime(line.movement.time).replace("Z", "").split(" ");
  const id =
    subject === undefined ? "" : subject.kind === "task" ? shortId(subject.id) : shortAddress(subject.id);
  const changes = purses
    .filter((purse) => line.change[purse] !== 0n)
    .map((purse) => `${purse} ${signed(line.change[purse], token)}`)
    .join(", ");
  return { day, time, title: `${title} ${id}`.trimEnd(), changes, explanation, faults };
}

/** Those that the statement has anything in. */
export function usedPurses({ lines, opening, closing }: Statement): readonly Purse[] {
  return purses.filter(
    (purse) =>
      [opening, closing].some((each) => each[purse] !== 0n) ||
      lines.some(({ change }) => change[purse] !== 0n),
  );
}

function signed(amount: bigint, token: TokenInfo): string {
  if (amount === 0n) return "";
  return `${amount > 0n ? "+" : ""}${formatUnits(amount, token.decimals)}`;
}

/** A column for each of these purses, and for the sum of all. */
export function layoutOf(
  statement: Statement,
  rows: readonly Row[],
  token: TokenInfo,
  used: readonly Purse[],
) {
  const { lines, opening, closing } = statement;
  const number = (amount: bigint) => formatUnits(amount, token.decimals);
  const titles = [...used.map((purse) => purse.toUpperCase()), "BALANCE"];
  const balances = (of: Balances) => [...used.map((purse) => number(of[purse])), number(totalOf(of))];
  const changes = (line: StatementLine | undefined) =>
    line === undefined
      ? []
      : [...used.map((purse) => signed(line.change[purse], token)), number(totalOf(line.balance))];
  const cells = [titles, balances(opening), balances(closing), ...lines.map(changes)];
  const widths = titles.map((_, at) => Math.max(...cells.map((row) => widthOf(row[at] ?? ""))));
  const room = Math.max("opening balance".length, ...rows.map(({ title }) => widthOf(title)));
  return {
    titles,
    balances,
    changes,
    line: (time: string, title: string, amounts: readonly string[]) =>
      [
        padEnd(time, TIME_WIDTH),
        padEnd(title, room),
        ...amounts.map((text, at) => padStart(text, widths[at] ?? 0)),
      ]
        .join("  ")
        .trimEnd(),
  };
}
