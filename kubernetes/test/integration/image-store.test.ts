import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ensureImageStore } from "../../src/images/image-store.ts";
import { ensureImage } from "../../src/index.ts";
import { allProcesses } from "../../src/processes.ts";
import { binDir, eventually } from "./cluster-fixture.ts";
import { makeTestFolder } from "./test-folder.ts";

const folder = makeTestFolder();
const cacheDir = join(folder, "cache");
const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

/** Makes the images and their store in a process of its own, which may be killed. */
function makeElsewhere(): ChildProcess {
  const code = `import { ensureImage } from ${JSON.stringify(source("images/ensure-image.ts"))};
import { ensureImageStore } from ${JSON.stringify(source("images/image-store.ts"))};
const [cacheDir, binDir] = ${JSON.stringify([cacheDir, binDir])};
const images = [await ensureImage("busybox", { cacheDir })];
console.log(await ensureImageStore({ cacheDir, binDir, images }));`;
  return spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

const ended = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.once("exit", resolve));

function workingFor(path: string): number[] {
  return allProcesses().filter((pid) => {
    try {
      return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path);
    } catch {
      return false; // it ended meanwhile
    }
  });
}

describe("the store of images", () => {
  const stores = join(cacheDir, "kubernetes", "image-stores");
  const isImporting = async (): Promise<boolean> =>
    existsSync(stores) && readdirSync(stores).some((name) => name.endsWith(".run"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("is no worse for a killed import, and no process of that goes on", async () => {
    const child = makeElsewhere();
    await eventually("the import's start", 30, isImporting, 2);
    child.kill("SIGKILL");
    await ended(child);
    await eventually("the end of the importing containerd", 10, async () => workingFor(stores).length === 0);
  });

  it("is made once for two who want it at once", async () => {
    const children = [makeElsewhere(), makeElsewhere()];
    const answers = children.map(async (child) => {
      let text = "";
      for await (const chunk of child.stdout ?? []) text += chunk;
      return text.trim();
    });
    const [left, right] = await Promise.all(answers);
    assert.ok(left?.startsWith(stores) && left === right, `${left} and ${right}`);
    const images = [await ensureImage("busybox", { cacheDir })];
    assert.equal(await ensureImageStore({ cacheDir, binDir, images }), left);
    assert.deepEqual(
      readdirSync(stores).filter((name) => name.includes(".")),
      [],
    );
    assert.deepEqual(workingFor(stores), []);
  });
});
