import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ensureBinaries } from "../src/binaries.ts";
import type { BinaryRecipe } from "../src/binary-recipes.ts";
import { runCommand } from "../src/command.ts";
import { KubernetesError } from "../src/errors.ts";
import { allProcesses } from "../src/processes.ts";

const folder = mkdtempSync(join(tmpdir(), "dkp-build-"));
const BINARIES = fileURLToPath(new URL("../src/binaries.ts", import.meta.url));

/** A module of one file that imports nothing builds in a second. */
function recipeOf(name: string, source = 'package main\nfunc main() { println("hello") }\n'): BinaryRecipe {
  const moduleDir = join(folder, "modules", name);
  mkdirSync(moduleDir, { recursive: true });
  writeFileSync(join(moduleDir, "go.mod"), `module example.org/${name}\ngo 1.21\n`);
  writeFileSync(join(moduleDir, "main.go"), source);
  return {
    name,
    moduleDir,
    packages: ["."],
    tags: "",
    variables: [],
    cgo: false,
    programs: [name],
    links: [`${name}-too`],
  };
}

/** Builds in a process of its own, which may be killed; its progress goes to a file. */
function buildElsewhere(cacheDir: string, recipes: BinaryRecipe[], log: string): ChildProcess {
  const code = `import { appendFileSync } from "node:fs";
import { ensureBinaries } from ${JSON.stringify(BINARIES)};
const options = ${JSON.stringify({ cacheDir, recipes })};
const onProgress = (line) => appendFileSync(${JSON.stringify(log)}, line + "\\n");
onProgress("in " + (await ensureBinaries({ ...options, onProgress })));`;
  return spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it is not there yet, or no more
  }
}
const ended = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.once("exit", resolve));

async function untilLogged(path: string, text: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!read(path).includes(text)) {
    if (Date.now() > end) throw new Error(`never logged "${text}": ${read(path)}`);
    await delay(5);
  }
}

/** Waits for the end of every process that works for a folder. */
async function untilNoneNames(path: string): Promise<void> {
  const end = Date.now() + 20_000;
  const working = (): number[] =>
    allProcesses().filter((pid) => pid !== process.pid && read(`/proc/${pid}/cmdline`).includes(path));
  while (working().length > 0) {
    if (Date.now() > end) throw new Error(`processes ${working()} go on`);
    await delay(20);
  }
}

describe("building the programs", () => {
  let cacheDir = "";
  beforeEach(() => {
    cacheDir = mkdtempSync(join(folder, "cache-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const built = (): string[] => readdirSync(join(cacheDir, "kubernetes", "binaries")).sort();

  it("makes one folder with every program and every other name of it", async () => {
    const binDir = await ensureBinaries({ cacheDir, recipes: [recipeOf("one"), recipeOf("two")] });
    assert.deepEqual(readdirSync(binDir).sort(), ["one", "one-too", "two", "two-too"]);
    await runCommand(join(binDir, "two-too"), []);
  });

  it("happens once, and again when the recipe changed", async () => {
    const lines: string[] = [];
    const onProgress = (line: string): void => void lines.push(line);
    const first = await ensureBinaries({ cacheDir, recipes: [recipeOf("one")], onProgress });
    const told = lines.length;
    assert.equal(await ensureBinaries({ cacheDir, recipes: [recipeOf("one")], onProgress }), first);
    assert.equal(lines.length, told);
    const changed = recipeOf("one", 'package main\nfunc main() { println("changed") }\n');
    assert.notEqual(await ensureBinaries({ cacheDir, recipes: [changed] }), first);
  });

  it("goes on where a killed one was, and keeps what that one had finished", async () => {
    const recipes = [recipeOf("one"), recipeOf("two")];
    const log = join(folder, "killed.log");
    const child = buildElsewhere(cacheDir, recipes, log);
    await untilLogged(log, "building two");
    child.kill("SIGKILL");
    await ended(child);
    await untilNoneNames(cacheDir);
    const lines: string[] = [];
    const binDir = await ensureBinaries({ cacheDir, recipes, onProgress: (line) => lines.push(line) });
    assert.ok(!lines.includes("building one"), lines.join("\n"));
    assert.ok(lines.includes("building two"), lines.join("\n"));
    await runCommand(join(binDir, "two"), []);
    assert.deepEqual(
      built().filter((name) => name.includes("draft") || name.includes("lock")),
      [],
    );
  });

  it("is done by one of two that want it at once, and both get the same", async () => {
    const recipes = [recipeOf("one"), recipeOf("two")];
    const logs = ["left.log", "right.log"].map((name) => join(folder, name));
    await Promise.all(logs.map((log) => ended(buildElsewhere(cacheDir, recipes, log))));
    const said = logs.map(read);
    assert.equal(said.join("").match(/^building one$/gm)?.length, 1, said.join("---\n"));
    const [left, right] = said.map((text) => text.match(/^in (.*)$/m)?.[1]);
    assert.ok(left && left === right, said.join("---\n"));
  });

  it("ends when it is told to, and leaves nothing half-made in its place", async () => {
    const cancel = new AbortController();
    const recipes = [recipeOf("one")];
    const onProgress = (line: string): void => {
      if (line === "building one") setTimeout(() => cancel.abort(), 20);
    };
    await assert.rejects(ensureBinaries({ cacheDir, recipes, onProgress, signal: cancel.signal }));
    assert.ok(!built().some((name) => name.startsWith("bin-") && !name.includes("draft")));
    await ensureBinaries({ cacheDir, recipes });
  });

  it("says which part did not build, and why", async () => {
    const recipes = [recipeOf("wrong", "package main\nfunc main() { nothingOfThatName() }\n")];
    await assert.rejects(ensureBinaries({ cacheDir, recipes }), (error: unknown) => {
      assert.ok(error instanceof KubernetesError && error.code === "BUILD_FAILED");
      assert.match(error.message, /^wrong did not build: .*nothingOfThatName/s);
      return true;
    });
  });
});
