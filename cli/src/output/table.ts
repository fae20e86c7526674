import { stripVTControlCharacters } from "node:util";
import type { Terminal } from "./terminal.ts";

/** A cell's width on a terminal: control sequences take no place. */
export function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
}

/** Prints rows under titles, each column as wide as its widest cell. */
export function printTable(
  out: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const widths = columns.map(({ title }, at) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[at] ?? ""))),
  );
  const lineOf = (cells: readonly string[]) =>
    columns
      .map(({ right }, at) => (right ? padStart : padEnd)(cells[at] ?? "", widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  out.line(out.dim(lineOf(columns.map(({ title }) => title))));
  for (const row of rows) out.line(lineOf(row));
}

/** Prints `name  value` lines, values aligned; undefined values are left out. */
export function printFields(out: Terminal, fields: readonly (readonly [string, string | undefined])[]): void {
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => widthOf(name)));
  for (const [name, value] of shown) out.line(`${out.dim(padEnd(name, width))}  ${value}`);
}
