import { formatUnits } from "viem";
import { purses, totalOf } from "./balances.ts";
import type { StatementLine } from "./ledger.ts";
import type { Movement, PaidMovement } from "./movement.ts";
import { paidSeconds } from "./pay.ts";
import type { Statement } from "./statement.ts";
import { wordsOf } from "./words.ts";

interface Token {
  readonly symbol: string;
  readonly decimals: number;
}

type Cell = string | number | bigint | undefined;
type Column = readonly [
  name: string,
  cell: (line: StatementLine, statement: Statement, token: Token) => Cell,
];

const decimal = (amount: bigint, { decimals }: Token) => formatUnits(amount, decimals);

/** A column that only payments fill. */
const ofPay = (name: string, cell: (paid: PaidMovement, token: Token) => Cell): Column => [
  name,
  ({ movement }, _, token) => (movement.kind === "Paid" ? cell(movement, token) : undefined),
];

const columns: readonly Column[] = [
  ["time", ({ movement }) => new Date(Number(movement.time) * 1000).toISOString().replace(".000Z", "Z")],
  ["block", ({ movement }) => movement.block],
  ["transaction", ({ movement }) => movement.hash],
  ["log_index", ({ movement }) => movement.logIndex],
  ["movement", ({ movement }) => movement.kind],
  ["task", ({ movement }) => ("taskId" in movement ? movement.taskId : undefined)],
  ["lease", ({ movement }) => ("leaseId" in movement ? movement.leaseId : undefined)],
  ["node", ({ movement }) => ("node" in movement ? movement.node : undefined)],
  ["from", ({ movement }) => partiesOf(movement).from],
  ["to", ({ movement }) => partiesOf(movement).to],
  ofPay("attempt", ({ attempt }) => attempt),
  ofPay("ran_seconds", ({ ranSeconds }) => ranSeconds),
  ofPay("down_seconds", ({ downSeconds }) => downSeconds),
  ofPay("paid_seconds", paidSeconds),
  ofPay("rate_per_hour", ({ ratePerHour }, token) => decimal(ratePerHour, token)),
  ofPay("gross", ({ gross }, token) => decimal(gross, token)),
  ofPay("fee", ({ fee }, token) => decimal(fee, token)),
  ...purses.map(
    (purse): Column => [`${purse}_change`, ({ change }, _, token) => decimal(change[purse], token)],
  ),
  ...purses.map(
    (purse): Column => [`${purse}_after`, ({ balance }, _, token) => decimal(balance[purse], token)],
  ),
  ["balance_after", ({ balance }, _, token) => decimal(totalOf(balance), token)],
  ["token", (_, __, { symbol }) => symbol],
  [
    "faults",
    (line, statement, token) =>
      wordsOf(line, statement, (amount) => `${decimal(amount, token)} ${token.symbol}`).faults.join("; "),
  ],
];

/**
 * The lines as RFC 4180 has tables: a header, CRLF, quotes where needed. Amounts are decimals of the token; what a line
 * does not have is empty.
 */
export function statementCsv(statement: Statement, token: Token): string {
  const rows = statement.lines.map((line) => columns.map(([, cell]) => cell(line, statement, token)));
  return [columns.map(([name]) => name), ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

/** Who sent and who got it, where the account is the other side. */
function partiesOf(movement: Movement): { from?: string; to?: string } {
  switch (movement.kind) {
    case "Deposited":
      return { from: movement.from };
    case "Withdrawn":
    case "EarningsWithdrawn":
      return { to: movement.to };
    case "Transferred":
    case "StakeMigrated":
      return { from: movement.from, to: movement.to };
    case "Paid":
      return { from: movement.consumer, to: movement.owner };
    case "Compensated":
      return { from: movement.node, to: movement.owner };
    case "StakeForfeited":
      return { from: movement.node, to: movement.reporter };
    default:
      return {};
  }
}

/**
 * One cell. A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection):
 * a token's symbol is written by whoever deployed it. Numbers are left alone.
 */
export function csvCell(value: Cell): string {
  const text = String(value ?? "");
  const isNumber = /^-?\d+(\.\d+)?$/.test(text);
  const safe = !isNumber && /^\s*[=+\-@\t\r\n|]/.test(text) ? `'${text}` : text;
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
