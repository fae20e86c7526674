/**
 * Runs the mocha tests of the contracts with coverage: `node scripts/check-coverage.ts`. Fails where a contract has less than 98 % of
 * its lines or statements covered, or a revert that no test reaches; mocks and test bases apart.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const LEAST = 98;
const root = new URL("../", import.meta.url);
const isJudged = (path: string | undefined) => path !== undefined && !path.startsWith("contracts/test/");

interface FileCoverage {
  readonly path: string;
  readonly lines: number;
  readonly statements: number;
}

/** Hardhat's report, a row `║ path │ line % │ statement % │ uncovered ║` for each file. */
function reportedIn(output: string): readonly FileCoverage[] {
  const rows = [...output.matchAll(/║ (contracts\/\S+)\s*│ ([\d.]+)\s*│ ([\d.]+)\s*│/g)];
  return rows.map(([, path = "", lines, statements]) => ({
    path,
    lines: Number(lines),
    statements: Number(statements),
  }));
}

/** Lines with a revert that was not reached. A line counts as covered once all that is on it has run, so `if (...) revert` does too. */
async function unreachedReverts(): Promise<readonly string[]> {
  const unreached: string[] = [];
  const lcov = await readFile(new URL("coverage/lcov.info", root), "utf8");
  for (const record of lcov.split("end_of_record")) {
    const path = record.match(/^SF:(.+)$/m)?.[1];
    if (path === undefined || !isJudged(path)) continue;
    const source = (await readFile(new URL(path, root), "utf8")).split("\n");
    for (const [, number] of record.matchAll(/^DA:(\d+),0$/gm)) {
      const line = source[Number(number) - 1] ?? "";
      if (/\brevert\b/.test(line)) unreached.push(`${path}:${number}: ${line.trim()}`);
    }
  }
  return unreached;
}

const hardhat = fileURLToPath(new URL("node_modules/.bin/hardhat", root));
const run = spawn(hardhat, ["test", "mocha", "--coverage"], {
  cwd: fileURLToPath(root),
  stdio: ["inherit", "pipe", "inherit"],
});
let output = "";
run.stdout.setEncoding("utf8").on("data", (text: string) => {
  output += text;
  process.stdout.write(text);
});
const [status] = await once(run, "close");

const files = reportedIn(output).filter(({ path }) => isJudged(path));
if (status !== 0 || files.length < 3) {
  console.error(status === 0 ? "Hardhat's coverage report was not understood" : "The tests did not pass");
  process.exit(1);
}
const low = files.filter(({ lines, statements }) => lines < LEAST || statements < LEAST);
for (const { path, lines, statements } of low) {
  console.error(`${path}: ${lines} % of lines, ${statements} % of statements; coverage/html shows which`);
}
const unreached = await unreachedReverts();
for (const place of unreached) console.error(`no test reaches ${place}`);
if (low.length > 0 || unreached.length > 0) process.exitCode = 1;
else
  console.log(
    `${files.length} files, each at least ${LEAST} % of lines and statements; every revert is reached`,
  );
