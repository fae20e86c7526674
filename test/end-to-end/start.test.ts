import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { start } from "../lib/command-line.ts";
import { leftOf } from "../lib/leftovers.ts";

it("npm start trains the sample in a pod with torch, serves the dApp, and Ctrl-C stops everything", async () => {
  const state = await mkdtemp(join(tmpdir(), "dekuper-start-"));
  const command = start("npm", ["start", "--", "--state", state]);
  try {
    await command.until(/Ctrl-C stops everything/, 600_000);
    const shown = command.stdout();
    for (const part of [/Timeline/, /Transactions/, /completeLease/, /Money/, /outcome +Success/, /testAccuracy/])
      assert.match(shown, part);
    const url = /Open (http:\S+)/.exec(shown)?.[1] ?? "";
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Dekuper/);
    const network = (await (await fetch(`${url}/network.json`)).json()) as { local: boolean };
    assert.equal(network.local, true);
  } finally {
    // As a terminal does: the whole foreground group is told.
    if (command.child.exitCode === null) process.kill(-(command.child.pid ?? 0), "SIGINT");
    await command.ended;
  }
  assert.deepEqual(await leftOf(state), []);
  await rm(state, { recursive: true, force: true });
});
