/**
 * Writes the files that follow from the code, or with `--check` fails if one of them is stale, naming it and the command
 * that rewrites it: `npm run generate [-- --check] [-- FILE...]`.
 */
import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { abis } from "./generate-abis.ts";
import { cliPage } from "./generators/cli-page.ts";
import { errorsPage } from "./generators/errors-page.ts";
import { type GeneratedFile, pathOf } from "./generators/generated-file.ts";
import { oracleConfigPage } from "./generators/oracle-config-page.ts";
import { taskSchema } from "./generators/task-schema.ts";
import { protocolPage } from "./render-protocol.ts";

/** Measured, and so compared with a tolerance, by a script of its own. */
const GAS = "contracts/gas-snapshot.json";
const files: readonly GeneratedFile[] = [
  ...abis,
  errorsPage,
  cliPage,
  oracleConfigPage,
  taskSchema,
  protocolPage,
];

const check = process.argv.includes("--check");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const known = [...files.map(({ path }) => path), GAS];
const unknown = named.find((path) => !known.includes(path));
const isWanted = (path: string) => named.length === 0 || named.includes(path);

if (unknown !== undefined) {
  console.error(`${unknown} is not generated. These are:\n${known.join("\n")}`);
  process.exitCode = 2;
} else {
  const stale: string[] = [];
  const needsContracts = [...abis.map(({ path }) => path), GAS].some(isWanted);
  if (!check && needsContracts && !(await run("hardhat", "compile"))) process.exit(1);
  for (const { path, render } of files.filter((file) => isWanted(file.path))) {
    const present = await readFile(pathOf(path), "utf8").catch(() => "");
    const fresh = await render(present);
    if (fresh === present) continue;
    if (check) stale.push(path);
    else await write(path, fresh);
  }
  if (isWanted(GAS) && !(await run("node", "scripts/gas-snapshot.ts", ...(check ? ["--check"] : [])))) {
    stale.push(GAS);
  }
  for (const path of stale) {
    console.error(
      check ? `${path} is stale. Rewrite it: npm run generate -- ${path}` : `${path} was not written`,
    );
  }
  if (stale.length > 0) process.exitCode = 1;
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(pathOf(path)), { recursive: true });
  await writeFile(pathOf(path), text);
  console.log(`wrote ${path}`);
}

/** Whether it ended well. What it prints is a report, shown only if it did not. */
async function run(program: string, ...args: readonly string[]): Promise<boolean> {
  const path = program === "node" ? process.execPath : pathOf(`node_modules/.bin/${program}`);
  const child = spawn(path, args, { cwd: pathOf("."), stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) console.error(output);
  return code === 0;
}
