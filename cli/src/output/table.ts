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
  /** Left out where the terminal is too narrow for all columns, the highest number first. */
  readonly spare?: number;
  /** Of the last column: broken into lines where the terminal is too narrow. */
  readonly wraps?: boolean;
}

/** Less room than this for a wrapping column is none: then the terminal breaks its lines. */
const LEAST_ROOM = 24;

/** Prints rows under titles, each column as wide as its widest cell. */
export function printTable(
  out: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const widths = columns.map(({ title }, at) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[at] ?? ""))),
  );
  const shown = fitting(columns, widths, out.columns);
  const lineOf = (cells: readonly string[]) =>
    columns
      .map(({ right }, at) => (right ? padStart : padEnd)(cells[at] ?? "", widths[at] ?? 0))
      .filter((_, at) => shown.has(at))
      .join("  ")
      .trimEnd();
  out.line(out.dim(lineOf(columns.map(({ title }) => title))));
  const last = columns.length - 1;
  const indent = [...shown].filter((at) => at !== last).reduce((sum, at) => sum + (widths[at] ?? 0) + 2, 0);
  const room = (out.columns ?? Number.POSITIVE_INFINITY) - indent;
  for (const row of rows) {
    if (columns[last]?.wraps !== true || room < LEAST_ROOM) {
      out.line(lineOf(row));
      continue;
    }
    const [first = "", ...rest] = brokenInto(row[last] ?? "", room);
    out.line(lineOf([...row.slice(0, last), first]));
    for (const line of rest) out.line(" ".repeat(indent) + line);
  }
}

/** Prints a sentence, broken between words where the terminal is too narrow for it. */
export function printSentence(out: Terminal, text: string, paint = (line: string) => line): void {
  for (const line of brokenInto(text, out.columns ?? Number.POSITIVE_INFINITY)) out.line(paint(line));
}

/** A text in lines of at most this width, broken between words. */
function brokenInto(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && widthOf(line) + 1 + widthOf(word) <= room)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** The columns that the terminal has room for. */
function fitting(
  columns: readonly Column[],
  widths: readonly number[],
  room: number | undefined,
): ReadonlySet<number> {
  const shown = new Set(columns.keys());
  const spare = [...shown]
    .filter((at) => columns[at]?.spare !== undefined)
    .sort((one, other) => (columns[other]?.spare ?? 0) - (columns[one]?.spare ?? 0));
  const width = () => [...shown].reduce((sum, at) => sum + (widths[at] ?? 0) + 2, -2);
  if (columns.at(-1)?.wraps === true) return shown;
  while (room !== undefined && width() > room) {
    const next = spare.shift();
    if (next === undefined) break;
    shown.delete(next);
  }
  return shown;
}

/** Prints `name  value` lines, values aligned; undefined values are left out. */
export function printFields(out: Terminal, fields: readonly (readonly [string, string | undefined])[]): void {
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => widthOf(name)));
  for (const [name, value] of shown) out.line(`${out.dim(padEnd(name, width))}  ${value}`);
}
