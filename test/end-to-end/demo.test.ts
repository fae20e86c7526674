import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runJson } from "../lib/command-line.ts";
import { leftOf } from "../lib/leftovers.ts";
import { checkDemo, type DemoJson, verify } from "./demo-result.ts";

describe("npm run -s demo -- --json", () => {
  const folders: string[] = [];
  after(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  it("runs one task, prints one JSON object that anybody can verify, and leaves nothing", async () => {
    const state = await mkdtemp(join(tmpdir(), "dekuper-demo-state-"));
    folders.push(state);
    const demo = await runJson<DemoJson>(
      ["run", "-s", "demo", "--", "--json", "--sample", "hello", "--state", state],
      { program: "npm" },
    );
    folders.push(join(demo.outputPath, "..", ".."));
    checkDemo(demo, 2);
    assert.equal(await readFile(join(demo.outputPath, "answer.txt"), "utf8"), "42\n");
    assert.deepEqual(verify(demo), { ok: true, output: verify(demo).output });

    await appendFile(join(demo.outputPath, "answer.txt"), "!");
    assert.equal(verify(demo).ok, false, "a changed file is noticed");
    assert.deepEqual(await leftOf(state), []);
  });

  it("finds the node by quotes with --quoted, and awards the task in one transaction", async () => {
    const state = await mkdtemp(join(tmpdir(), "dekuper-demo-state-"));
    folders.push(state);
    const demo = await runJson<DemoJson>(
      ["run", "-s", "demo", "--", "--json", "--quoted", "--sample", "hello", "--state", state],
      { program: "npm" },
    );
    folders.push(join(demo.outputPath, "..", ".."));
    assert.equal(demo.path, "quoted");
    checkDemo(demo, 2);
    const ours = demo.transactions.filter(({ actor }) => actor === "consumer").map(({ step }) => step);
    assert.deepEqual(ours, ["createAndAward", "approve"]);
    assert.deepEqual(verify(demo), { ok: true, output: verify(demo).output });
    assert.deepEqual(await leftOf(state), []);
  });

  it("refuses what makes no sense, as one JSON object", async () => {
    const refused = async (...args: string[]) => {
      const { error } = await runJson<{ error: { code: string; message: string; hint: string } }>(
        ["demo", "--json", ...args],
        { exitCode: 2 },
      );
      assert.ok(error.hint.length > 0);
      return error;
    };
    assert.match((await refused("--rpc-url", "http://127.0.0.1:1")).message, /--deployer-key/);
    assert.match((await refused("--kubeconfig", "/nowhere")).message, /\/nowhere/);
    assert.equal((await refused("--sample", "nothing")).code, "USAGE");
  });
});
