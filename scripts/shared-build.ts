/** Where the user's checkouts share a compiler and what it made. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dekuper");

/** Builds of the contracts, by the hash of their sources. */
export const buildsFolder = join(cacheFolder, "contracts");

/**
 * The path of npm's solc, in a copy outside the checkout: Hardhat hashes the compiler's path into each build, so that with a
 * path of the checkout nothing compiled in one could serve another.
 */
export function sharedCompiler(): string {
  const require = createRequire(import.meta.url);
  const { version }: { version: string } = require("solc/package.json");
  const path = join(cacheFolder, `solc-${version}`, "soljson.js");
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const half = mkdtempSync(join(dirname(path), "half-"));
  copyFileSync(require.resolve("solc/soljson.js"), join(half, "soljson.js"));
  renameSync(join(half, "soljson.js"), path);
  rmSync(half, { recursive: true });
  return path;
}
