#!/usr/bin/env node
/** npm's solc with the two options that crytic-compile calls a native one with: there is one compiler, the pinned one. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");
if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else if (process.argv.includes("--standard-json")) {
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  console.error("takes --version or --standard-json");
  process.exitCode = 1;
}
