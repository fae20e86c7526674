import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";

/** What one bench found. */
export interface Report {
  readonly name: string;
  readonly title: string;
  /** A Markdown table with a line or two of explanation. */
  readonly table: string;
  readonly json: unknown;
}

const FILE = new URL("../../docs/benchmarks.md", import.meta.url);
const HEAD =
  "# Benchmarks\n\nWritten by `npm run bench`; each table is one run on the machine and at the commit that it names. Times on a shared machine are noisy: compare within a table.\n";

/** Replaces each report's section of docs/benchmarks.md, keeping the others. */
export async function writeReports(reports: readonly Report[]): Promise<void> {
  let text = await readFile(FILE, "utf8").catch(() => HEAD);
  for (const report of reports) {
    const section = `<!-- ${report.name} -->\n## ${report.title}\n\n${where()}\n\n${report.table}\n<!-- /${report.name} -->`;
    const existing = new RegExp(`<!-- ${report.name} -->[\\s\\S]*<!-- /${report.name} -->`);
    text = existing.test(text) ? text.replace(existing, () => section) : `${text.trimEnd()}\n\n${section}\n`;
  }
  await writeFile(FILE, text);
}

function where(): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  return `${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.versions.node}.`;
}

/** A Markdown table. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(line)].join(
    "\n",
  );
}

/** The q-quantile (0..1) by the nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN);
}
