/**
 * `npm run invariants [-- --runs N] [--depth N] [--seed 0x...]`: the Solidity tests for longer than CI has time for, with
 * another seed each time. Prints the seed, and with it the command that repeats the run.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "256" },
    depth: { type: "string", default: "500" },
    seed: { type: "string", default: `0x${randomBytes(8).toString("hex")}` },
  },
});
const isCount = (text: string) => /^[1-9]\d*$/.test(text);
if (!isCount(values.runs) || !isCount(values.depth) || !/^0x[0-9a-f]+$/i.test(values.seed)) {
  console.error("--runs and --depth take whole numbers above 0, --seed a number that begins with 0x");
  process.exit(2);
}

console.log(`npm run invariants -- --runs ${values.runs} --depth ${values.depth} --seed ${values.seed}`);
const root = new URL("../", import.meta.url);
const run = spawn(fileURLToPath(new URL("node_modules/.bin/hardhat", root)), ["test", "solidity"], {
  cwd: fileURLToPath(root),
  stdio: "inherit",
  env: {
    ...process.env,
    DEKUPER_FUZZ_SEED: values.seed,
    DEKUPER_INVARIANT_RUNS: values.runs,
    DEKUPER_INVARIANT_DEPTH: values.depth,
  },
});
const [status] = await once(run, "close");
process.exitCode = status ?? 1;
