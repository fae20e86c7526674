import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { runTaskInBrowser } from "../../frontend/test/task-path.ts";
import { runJson, start } from "../lib/command-line.ts";
import { leftOf } from "../lib/leftovers.ts";

it("npm start trains the sample with torch, serves a dApp in which a task can be ordered, and Ctrl-C stops everything", async () => {
  const state = await mkdtemp(join(tmpdir(), "dekuper-start-"));
  const command = start("terminal", ["npm", "start", "--", "--state", state]);
  try {
    await command.until(/Ctrl-C stops everything/, 600_000);
    const shown = command.stdout();
    for (const part of [
      /Timeline/,
      /Transactions/,
      /completeLease/,
      /Money/,
      /outcome +Success/,
      /testAccuracy/,
    ])
      assert.match(shown, part);
    const url = /Open (http:\/\/localhost:\d+)/.exec(shown)?.[1] ?? "";
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Dekuper/);
    const network = (await (await fetch(`${url}/network.json`)).json()) as { local: boolean };
    assert.equal(network.local, true);

    // A second task from order to pay in a real browser, against these very nodes.
    const task = await runTaskInBrowser({ url, screenshots: process.env.DEKUPER_SCREENSHOTS });
    assert.equal(task.states.at(-1), "Settled");
    assert.ok(task.files.has("metrics.json"));
    assert.deepEqual([...task.violations, ...task.pageErrors], []);

    command.child.stdin?.write("\u0003");
    await command.ended;
    assert.deepEqual(await leftOf(state), []);
  } finally {
    await runJson(["down", "--json", "--state", state]);
    await rm(state, { recursive: true, force: true });
  }
});
