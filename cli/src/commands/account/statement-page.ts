import type { CheckedStatement, Moment, Statement, TokenInfo } from "@dekuper/client";
import type { Network } from "@dekuper/protocol";
import { formatAmount, formatTime, plural } from "../../output/format.ts";
import { printFields, widthOf } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { layoutOf, rowOf, TIME_WIDTH, usedPurses } from "./statement-table.ts";
import { wrapped } from "./wrapped.ts";

/** Explanations stand under the movement, behind the time. */
const INDENT = TIME_WIDTH + 2;

/** The statement for people: a line a movement, by day, with what explains it below. */
export function printStatement(
  out: Terminal,
  statement: CheckedStatement,
  token: TokenInfo,
  network: Network,
): void {
  const { lines, opening, closing } = statement;
  printFields(out, [
    ["account", out.bold(statement.account)],
    ["network", `${network.name} (chain ${network.deployment.chainId})`],
    ["period", periodWords(statement)],
    ["amounts", token.symbol],
  ]);
  out.line();
  if (lines.length === 0) out.line("No movements.");
  else {
    const rows = lines.map((line) => rowOf(line, statement, token));
    const { columns } = out.streams.stdout;
    const wide = layoutOf(statement, rows, token, usedPurses(statement));
    const isTooWide = columns !== undefined && widthOf(wide.line("", "", wide.titles)) > columns;
    const layout = isTooWide ? layoutOf(statement, rows, token, []) : wide;
    out.line(out.dim(layout.line("TIME", "MOVEMENT", layout.titles)));
    out.line(out.dim(layout.line("", "opening balance", layout.balances(opening))));
    let day = "";
    for (const [at, row] of rows.entries()) {
      if (row.day !== day) out.line(out.bold(row.day));
      day = row.day;
      out.line(layout.line(row.time, row.title, layout.changes(lines[at])));
      const explanation = isTooWide ? [row.changes, ...row.explanation] : row.explanation;
      for (const text of wrapped(explanation, INDENT, columns)) out.line(out.dim(text));
      const faults = row.faults.flatMap((fault) => wrapped([`wrong: ${fault}`], INDENT, columns));
      for (const text of faults) out.line(out.paint("red", text));
    }
    out.line(out.bold(layout.line("", "closing balance", layout.balances(closing))));
    out.line();
    printTotals(out, statement, token);
  }
  const wrong = warnings(statement, token);
  if (wrong.length === 0) {
    out.line(`${out.paint("green", "checked")}: the chain has the same at block ${statement.check.block}.`);
  }
  for (const warning of wrong) out.line(out.paint("red", warning));
}

/** What does not add up; empty where all does. */
export function warnings({ check, faulty }: CheckedStatement, token: TokenInfo): string[] {
  const texts = check.differences.map(({ purse, node, lines, chain }) => {
    const whose = node === undefined ? purse : `stake of ${node}`;
    return `${whose}: the lines make ${formatAmount(lines, token)}, the chain has ${formatAmount(chain, token)} at block ${check.block}.`;
  });
  if (faulty.length === 0) return texts;
  return [
    ...texts,
    `${plural(faulty.length, "line")} of this account ${faulty.length === 1 ? "does" : "do"} not recompute.`,
  ];
}

function printTotals(out: Terminal, { totals }: Statement, token: TokenInfo): void {
  const row = (name: string, amount: bigint, more = "") =>
    [name, amount === 0n ? undefined : `${formatAmount(amount, token)}${more}`] as const;
  const fees = totals.fees === 0n ? "" : ` (fees of ${formatAmount(totals.fees, token)}`;
  const inPaid = fees === "" ? "" : `${fees} in it)`;
  const offEarned = fees === "" ? "" : `${fees} taken off)`;
  printFields(out, [
    row("deposited", totals.deposited),
    row("received", totals.received),
    row("withdrawn", totals.withdrawn),
    row("given away", totals.given),
    row("paid", totals.paid, totals.earned === 0n ? inPaid : ""),
    row("earned", totals.earned, totals.paid === 0n ? offEarned : ""),
    row("compensation", totals.compensationReceived),
    row("compensation paid", totals.compensationPaid),
    row("bonds posted", totals.bondsPosted),
    row("bonds back", totals.bondsReturned),
    row("bonds won", totals.bondsWon),
    row("earnings withdrawn", totals.earningsWithdrawn),
    row("slashed", totals.slashed),
    row("rewards", totals.rewards),
  ]);
}

function periodWords({ period, check }: CheckedStatement): string {
  const words = (moment: Moment) => ("block" in moment ? `block ${moment.block}` : formatTime(moment.time));
  const from = period.from === undefined ? "the beginning" : words(period.from);
  return `${from} to ${period.to === undefined ? `block ${check.block}` : words(period.to)}`;
}
