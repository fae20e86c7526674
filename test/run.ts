/**
 * Runs every suite and ends with "N passed, N failed". `--only lint,contracts` runs some of them.
 * A suite that is a single command counts as one check; test runners' own figures are summed.
 */
import { parseArgs, styleText } from "node:util";
import { runSuite, type Suite, type SuiteResult, type Write } from "./lib/run-suite.ts";
import { steps } from "./suites.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, list: { type: "boolean", default: false } },
});
const groups = [...new Set(steps.flatMap(({ suites }) => suites.map(({ group }) => group)))];
const wanted = values.only?.split(",") ?? groups;
const unknown = wanted.filter((group) => !groups.includes(group));
if (unknown.length > 0) {
  console.error(`no such group: ${unknown.join(", ")}; there are ${groups.join(", ")}`);
  process.exit(2);
}

const chosen = steps.map(({ jobs, suites }) => ({
  jobs,
  suites: suites.filter(({ group }) => wanted.includes(group)),
}));
if (values.list) {
  for (const suite of chosen.flatMap(({ suites }) => suites))
    console.log(`${suite.group.padEnd(12)} ${suite.name}`);
  process.exit(0);
}

/** Whole lines that begin with the suite's name, for those that run beside others. */
function linesOf(name: string): { write: Write; end(): void } {
  let rest = "";
  const print = (line: string) => console.log(`${styleText("dim", `${name} |`)} ${line}`);
  return {
    write(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) print(line);
    },
    end() {
      if (rest !== "") print(rest);
    },
  };
}

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());

async function run(suite: Suite, isAlone: boolean): Promise<SuiteResult> {
  console.log(styleText("bold", `\n== ${suite.group}: ${suite.name}`));
  const lines = linesOf(suite.name);
  const write: Write = isAlone ? (text) => process.stdout.write(text) : lines.write;
  const result = await runSuite(suite, write, interrupted.signal);
  lines.end();
  const { passed, failed, seconds } = result;
  console.log(`-- ${suite.name}: ${passed} passed, ${failed} failed in ${seconds.toFixed(0)} s`);
  return result;
}

/** Runs so many at a time, each the first in the order whose means nobody uses. Results are in the order of the suites. */
async function runStep(suites: readonly Suite[], jobs: number): Promise<SuiteResult[]> {
  const waiting = [...suites];
  const running = new Map<Suite, Promise<void>>();
  const results = new Map<Suite, SuiteResult>();
  const isFree = ({ uses }: Suite) =>
    uses === undefined || ![...running.keys()].some((other) => other.uses === uses);
  while (waiting.length > 0 && !interrupted.signal.aborted) {
    const next = running.size < jobs ? waiting.find(isFree) : undefined;
    if (next === undefined) {
      await Promise.race(running.values());
      continue;
    }
    waiting.splice(waiting.indexOf(next), 1);
    const ran = run(next, jobs === 1 || suites.length === 1).then((result) => {
      results.set(next, result);
      running.delete(next);
    });
    running.set(next, ran);
  }
  await Promise.all(running.values());
  return suites.flatMap((suite) => results.get(suite) ?? []);
}

const results: SuiteResult[] = [];
for (const { suites, jobs } of chosen) results.push(...(await runStep(suites, jobs)));

for (const { suite, report } of results) {
  if (report !== "") console.log(`\n${styleText("red", `FAIL ${suite.name}`)}\n${report}`);
}
console.log("");
for (const { suite, passed, failed, seconds } of results) {
  const mark = failed === 0 ? styleText("green", "ok  ") : styleText("red", "FAIL");
  console.log(
    `${mark} ${suite.name.padEnd(44)} ${String(passed).padStart(5)} passed ${String(failed).padStart(3)} failed ${seconds.toFixed(0).padStart(5)} s`,
  );
}
if (interrupted.signal.aborted) console.log("\ninterrupted: not all suites have run");
const failed = results.reduce((sum, result) => sum + result.failed, 0);
console.log(`\n${results.reduce((sum, result) => sum + result.passed, 0)} passed, ${failed} failed`);
process.exitCode = failed === 0 && !interrupted.signal.aborted ? 0 : 1;
