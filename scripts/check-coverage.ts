/**
 * Runs the mocha tests with coverage and fails where a contract has less than 98 % of its lines or statements covered,
 * mocks and test bases apart: `node scripts/check-coverage.ts`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const LEAST = 98;

const run = spawn("npx", ["hardhat", "test", "mocha", "--coverage"], {
  cwd: fileURLToPath(new URL("../", import.meta.url)),
  stdio: ["inherit", "pipe", "inherit"],
});
let output = "";
run.stdout.on("data", (chunk: Buffer) => {
  output += chunk.toString();
  process.stdout.write(chunk);
});
const [status] = await once(run, "close");

/** Rows of Hardhat's report: `║ path │ line % │ statement % │ uncovered ║`. */
const rows = [...output.matchAll(/║ (contracts\/\S+)\s*│ ([\d.]+)\s*│ ([\d.]+)\s*│ (.*?)\s*║/g)];
const files = rows.filter(([, path]) => !path?.startsWith("contracts/test/"));
if (files.length < 3) throw new Error("Hardhat's coverage report was not understood");
const low = files.filter(([, , lines, statements]) => Number(lines) < LEAST || Number(statements) < LEAST);
for (const [, path, lines, statements, uncovered] of low) {
  console.error(`${path}: ${lines} % of lines, ${statements} % of statements; uncovered: ${uncovered}`);
}
if (status !== 0 || low.length > 0) process.exitCode = 1;
else console.log(`${files.length} contracts, each at least ${LEAST} % of lines and statements`);
