/**
 * Runs every suite in order and ends with "N passed, N failed". `--only lint,contracts` runs some of them.
 * A suite that is a single command counts as one check; test runners' own figures are summed.
 */
import { parseArgs, styleText } from "node:util";
import { runSuite, type SuiteResult } from "./lib/run-suite.ts";
import { suites } from "./suites.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, list: { type: "boolean", default: false } },
});
const wanted = values.only?.split(",");
const unknown = wanted?.filter((group) => !suites.some((suite) => suite.group === group)) ?? [];
if (unknown.length > 0) {
  console.error(
    `no such group: ${unknown.join(", ")}; there are ${[...new Set(suites.map((s) => s.group))].join(", ")}`,
  );
  process.exit(2);
}

const chosen = suites.filter((suite) => wanted === undefined || wanted.includes(suite.group));
if (values.list) {
  for (const suite of chosen) console.log(`${suite.group.padEnd(12)} ${suite.name}`);
  process.exit(0);
}

const results: SuiteResult[] = [];
for (const suite of chosen) {
  console.log(styleText("bold", `\n== ${suite.group}: ${suite.name}`));
  const result = await runSuite(suite);
  results.push(result);
  console.log(`-- ${result.passed} passed, ${result.failed} failed in ${result.seconds.toFixed(0)} s`);
}

console.log("");
for (const { suite, passed, failed, seconds } of results) {
  const mark = failed === 0 ? styleText("green", "ok  ") : styleText("red", "FAIL");
  console.log(
    `${mark} ${suite.name.padEnd(44)} ${String(passed).padStart(5)} passed ${String(failed).padStart(3)} failed ${seconds.toFixed(0).padStart(5)} s`,
  );
}
const failed = results.reduce((sum, result) => sum + result.failed, 0);
console.log(`\n${results.reduce((sum, result) => sum + result.passed, 0)} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
