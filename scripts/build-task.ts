/**
 * Hardhat's `build`, with what an earlier checkout compiled from the same sources: a fresh checkout takes it from the user's
 * cache folder instead of compiling for minutes. Which files are up to date is Hardhat's own judgement in either case.
 */
import { createHash } from "node:crypto";
import { globSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { TaskOverrideActionFunction } from "hardhat/types/tasks";
import { buildsFolder } from "./shared-build.ts";

/** How many builds are kept, the last used ones. */
const KEPT = 6;

/** The cache of what is up to date names its files by their whole paths: this stands for the checkout's root. */
const ROOT_MARK = "<root>";

const exists = (path: string): Promise<boolean> => stat(path).then(Boolean, () => false);

/** The hash of all that the compiler's output depends on. */
async function keyOf(root: string): Promise<string> {
  const files = globSync("contracts/**/*.sol", { cwd: root }).sort();
  const hash = createHash("sha256").update(process.version);
  for (const file of ["hardhat.config.ts", "package-lock.json", ...files]) {
    hash
      .update(`${file}\0`)
      .update(await readFile(join(root, file)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 24);
}

/** What a build leaves in a checkout: the folders, by their paths from its root, the index last. */
interface Output {
  readonly root: string;
  readonly folders: readonly string[];
  /** Hardhat's list of what is up to date; without it nothing else is looked at. */
  readonly index: string;
}

async function copyFolders(folders: readonly string[], from: string, to: string): Promise<void> {
  for (const folder of folders) {
    if (!(await exists(join(from, folder)))) continue;
    await mkdir(dirname(join(to, folder)), { recursive: true });
    await cp(join(from, folder), join(to, folder), { recursive: true });
  }
}

async function rewritePaths(path: string, from: string, to: string): Promise<void> {
  const quoted = (root: string): string => JSON.stringify(`${root}/`).slice(1, -1);
  await writeFile(path, (await readFile(path, "utf8")).replaceAll(quoted(from), quoted(to)));
}

async function restore({ root, folders, index }: Output, stored: string): Promise<void> {
  await copyFolders(folders, stored, root);
  await rewritePaths(join(root, index), ROOT_MARK, root);
  await utimes(stored, new Date(), new Date());
}

async function save({ root, folders, index }: Output, stored: string): Promise<void> {
  await mkdir(buildsFolder, { recursive: true });
  const half = await mkdtemp(join(buildsFolder, "half-"));
  await copyFolders(folders, root, half);
  await rewritePaths(join(half, index), root, ROOT_MARK);
  // Another checkout may have been quicker.
  await rename(half, stored).catch(() => rm(half, { recursive: true, force: true }));
  await forgetOldest();
}

async function forgetOldest(): Promise<void> {
  const names = await readdir(buildsFolder);
  const entries = await Promise.all(
    names.map(async (name) => ({ name, usedAt: (await stat(join(buildsFolder, name))).mtimeMs })),
  );
  entries.sort((a, b) => b.usedAt - a.usedAt);
  for (const { name } of entries.slice(KEPT)) {
    await rm(join(buildsFolder, name), { recursive: true, force: true });
  }
}

const build: TaskOverrideActionFunction = async (args, hre, runSuper) => {
  const { root, artifacts, cache } = hre.config.paths;
  const types = hre.config.typechain.outDir ?? "types";
  const folders = [artifacts, types, cache].map((path) => relative(root, resolve(root, path)));
  const index = join(relative(root, cache), "compile-cache.json");
  const output = { root, folders, index };
  // A build for coverage is of other code.
  const key = `${await keyOf(root)}-${relative(root, artifacts).replaceAll("/", "-")}`;
  const [withTests, contractsOnly] = [
    join(buildsFolder, `${key}-all`),
    join(buildsFolder, `${key}-contracts`),
  ];
  const stored = (await exists(withTests)) ? withTests : contractsOnly;

  // What was compiled here last is of other sources, or nothing is: then the stored build is nearer.
  const keyFile = join(cache, "shared-build-key");
  const last = await readFile(keyFile, "utf8").catch(() => undefined);
  if (last !== key && (await exists(stored))) await restore(output, stored);
  const result = await runSuper(args);

  await writeFile(keyFile, key);
  const isPartial = args.noContracts === true || (Array.isArray(args.files) && args.files.length > 0);
  const made = args.noTests === true ? contractsOnly : withTests;
  const isNew = !(await exists(withTests)) && !(await exists(made));
  if (!isPartial && isNew && (await exists(join(root, index)))) await save(output, made);
  return result;
};

export default build;
