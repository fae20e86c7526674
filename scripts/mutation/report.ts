/** `docs/mutation.json`: what the tests notice, and why the rest may go unnoticed. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, type Sources } from "./compiler.ts";
import { hashOfCode } from "./journal.ts";
import type { Mutant } from "./operators.ts";
import type { Target } from "./targets.ts";
import type { Verdict } from "./trial.ts";

export const LEAST_SCORE = 0.9;
const reportPath = join(root, "docs/mutation.json");
const reasonsPath = join(root, "scripts/mutation/survivors.json");

interface Survivor {
  readonly mutant: string;
  readonly file: string;
  readonly line: number;
  readonly operator: string;
  readonly original: string;
  readonly mutated: string;
  readonly why: string;
}

export interface Report {
  /** How many mutants there are, and how many of them were judged, drawn by hash: the figures below are of these. */
  readonly mutants: number;
  readonly judged: number;
  /** Killed of all, faults that compile to the same contract apart. */
  readonly score: number;
  readonly killed: number;
  readonly total: number;
  readonly sameCode: number;
  /** The code that was mutated: its hash by file, comments and spacing apart. */
  readonly sources: Readonly<Record<string, string>>;
  readonly survivors: readonly Survivor[];
}

const hashesOf = (sources: Sources, targets: readonly Target[]) =>
  Object.fromEntries(targets.map(({ file }) => [file, hashOfCode(sources.get(file) ?? "")]));

/** Writes the report of a run over `mutants` mutants, as far as it came. The reasons are written by hand, by mutant, in a file of their own. */
export function writeReport(
  sources: Sources,
  targets: readonly Target[],
  mutants: number,
  verdicts: readonly { readonly mutant: Mutant; readonly verdict: Verdict }[],
): Report {
  const reasons: Record<string, string> = JSON.parse(readFileSync(reasonsPath, "utf8"));
  const count = (kind: Verdict["kind"]) => verdicts.filter(({ verdict }) => verdict.kind === kind).length;
  const survivors = verdicts
    .filter(({ verdict }) => verdict.kind === "survived")
    .map(({ mutant: { key, file, line, operator, original, mutated } }) => ({
      mutant: key,
      file,
      line,
      operator,
      original,
      mutated,
      why: reasons[key] ?? "",
    }));
  const killed = count("killed");
  const total = killed + survivors.length;
  const report: Report = {
    mutants,
    judged: verdicts.length,
    score: Math.floor((killed / total) * 1000) / 1000,
    killed,
    total,
    sameCode: count("same code"),
    sources: hashesOf(sources, targets),
    survivors,
  };
  writeFileSync(reportPath, `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

/** What is wrong with the report that is checked in; nothing where it holds for the contracts as they are. */
export function problemsOf(sources: Sources, targets: readonly Target[]): readonly string[] {
  const problems: string[] = [];
  const {
    score,
    killed,
    total,
    survivors,
    sources: hashes,
  }: Report = JSON.parse(readFileSync(reportPath, "utf8"));
  const present = hashesOf(sources, targets);
  for (const file of new Set([...Object.keys(hashes), ...Object.keys(present)])) {
    if (hashes[file] !== present[file]) problems.push(`${file} is not the code that the report is of`);
  }
  if (total === 0 || survivors.length !== total - killed) problems.push("the figures do not add up");
  if (Math.abs(score - killed / total) > 0.001) problems.push(`the score is not ${killed} of ${total}`);
  if (score < LEAST_SCORE) problems.push(`the score is ${score}, less than ${LEAST_SCORE}`);
  for (const { mutant, why } of survivors) {
    if (why.trim() === "") problems.push(`no reason in scripts/mutation/survivors.json: ${mutant}`);
  }
  return problems;
}
