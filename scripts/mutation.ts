/**
 * Mutation testing of the money code: puts one small fault after another into the contracts and asks whether a test
 * notices it. `node scripts/mutation.ts` writes `docs/mutation.json`; `--check` says whether that page is of the contracts
 * as they are; `--match TEXT` judges only mutants whose name has this text, and writes nothing; `--list` names all mutants.
 *
 * Each mutant's contracts alone are compiled, without the optimiser, and run in memory through the cheapest tests first:
 * the library's own fuzz tests, those of `test/contracts`, the invariants of `contracts/test`. A run that was stopped goes on.
 * The order is drawn by hash: with `--minutes N` a run ends early, and its report is of a fair sample of all mutants.
 * `--quick` leaves the invariants out, which take longest: what it calls a survivor is judged again without it.
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { parse, readSources } from "./mutation/compiler.ts";
import { Journal } from "./mutation/journal.ts";
import { judgeAll } from "./mutation/judges.ts";
import { Kills } from "./mutation/kills.ts";
import { type Mutant, mutantsOf, scopesOf } from "./mutation/operators.ts";
import { problemsOf, writeReport } from "./mutation/report.ts";
import { targets } from "./mutation/targets.ts";
import type { Verdict } from "./mutation/trial.ts";

const { values: options } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    match: { type: "string", default: "" },
    jobs: { type: "string", default: "2" },
    minutes: { type: "string", default: "Infinity" },
    quick: { type: "boolean", default: false },
  },
});

const sources = readSources();
const mutated = targets();

function allMutants(): readonly Mutant[] {
  const trees = parse(
    sources,
    mutated.map(({ file }) => file),
  );
  return mutated.flatMap(({ file, leftOut }) => {
    const scopes = scopesOf(trees.get(file));
    const unknown = [...leftOut].filter((name) => !scopes.has(name));
    if (unknown.length > 0)
      throw new Error(`scripts/mutation/targets.ts: ${file} has no ${unknown.join(", ")}`);
    return mutantsOf(file, sources.get(file) ?? "", trees.get(file), leftOut);
  });
}

/** A fixed order that has nothing to do with where a mutant stands. */
function shuffled(mutants: readonly Mutant[]): readonly Mutant[] {
  const drawn = mutants.map((mutant) => ({
    mutant,
    at: createHash("sha256").update(mutant.key).digest("hex"),
  }));
  return drawn.sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ mutant }) => mutant);
}

function check(): void {
  const problems = problemsOf(sources, mutated);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error("If the contracts or their tests have changed: npm run mutation");
    process.exitCode = 1;
  } else {
    console.log("docs/mutation.json is of the contracts as they are, and every survivor has its reason");
  }
}

async function run(): Promise<void> {
  const mutants = shuffled(allMutants().filter(({ key }) => key.includes(options.match)));
  const journal = new Journal(sources, options.quick);
  // What survived other tests comes last: it takes longest, and counts as a survivor until it is judged again.
  const open = mutants
    .filter((mutant) => journal.verdictOf(mutant) === undefined)
    .sort((a, b) => Number(journal.hasSurvived(a)) - Number(journal.hasSurvived(b)));
  console.log(`${mutants.length} mutants, ${open.length} to judge`);
  const kills = new Kills();
  for (const mutant of mutants) {
    const verdict = journal.verdictOf(mutant);
    if (verdict !== undefined) kills.add(mutant, verdict);
  }
  let judged = 0;
  const end = Date.now() + Number(options.minutes) * 60_000;
  const hintsFor = (mutant: Mutant) => kills.hintsFor(mutant);
  const judging = { jobs: Number(options.jobs), end, isQuick: options.quick };
  await judgeAll(open, judging, hintsFor, (mutant, verdict) => {
    journal.write(mutant, verdict);
    kills.add(mutant, verdict);
    if (verdict.kind === "survived") console.log(`survived: line ${mutant.line}, ${mutant.key}`);
    if (++judged % 25 === 0) console.log(`${judged} of ${open.length}`);
  });
  const verdicts = mutants.flatMap((mutant): { mutant: Mutant; verdict: Verdict }[] => {
    const verdict = journal.verdictOf(mutant);
    if (verdict !== undefined) return [{ mutant, verdict }];
    // What survived other tests counts as one that survives these until it is judged again.
    return journal.hasSurvived(mutant) ? [{ mutant, verdict: { kind: "survived" } }] : [];
  });
  const count = (kind: string) => verdicts.filter(({ verdict }) => verdict.kind === kind).length;
  console.log(
    `${count("killed")} killed, ${count("survived")} survived, ${count("same code")} the same code, ${count("invalid")} invalid`,
  );
  if (options.match !== "") return;
  writeReport(sources, mutated, mutants.length, verdicts);
  journal.keep(verdicts);
  check();
}

if (options.check) check();
else if (options.list) for (const { line, key } of allMutants()) console.log(`${line}\t${key}`);
else await run();
