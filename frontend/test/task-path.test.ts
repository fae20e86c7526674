import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createMarket } from "@dekuper/client";
import type { Hex } from "viem";
import { connectBurner, launchBrowser, scrollsSideways, violations } from "./browser.ts";
import { serveDapp } from "./dapp-server.ts";
import { connectInjectedWallet, injectedWallet } from "./injected-wallet.ts";
import { type LocalMarket, startLocalMarket } from "./local-market.ts";
import { type SimulatedNode, startSimulatedNode } from "./simulated-node.ts";
import { orderTask, reachState, runTaskInBrowser } from "./task-path.ts";

const SCRIPT = `echo "read $(cat /input/words.txt)"
for step in 1 2 3; do echo "step $step"; sleep 1; done
echo '{"steps": 3, "accuracy": 0.98}' > /output/metrics.json
`;

describe("a task in the browser, against a node's real peer", { timeout: 400_000 }, () => {
  let market: LocalMarket;
  let node: SimulatedNode;
  let dapp: { url: string; stop(): Promise<void> };
  let taskId = "";

  before(async () => {
    market = await startLocalMarket();
    node = await startSimulatedNode(market);
    dapp = await serveDapp(market.network);
  });

  after(async () => {
    await dapp?.stop();
    await node?.stop();
    await market?.stop();
  });

  it("sends inputs, orders, follows the log, opens the output and pays", async () => {
    const result = await runTaskInBrowser({
      url: dapp.url,
      script: SCRIPT,
      inputs: [{ name: "words.txt", mimeType: "text/plain", buffer: Buffer.from("forty-two words") }],
      timeoutMs: 60_000,
      screenshots: process.env.DEKUPER_SCREENSHOTS,
    });
    taskId = result.taskId;
    assert.equal(result.states.at(-1), "Settled");
    assert.ok(result.states.includes("Completed"));
    assert.match(result.log, /read forty-two words\nstep 1\nstep 2\nstep 3/);
    const metrics = result.files.get("metrics.json");
    assert.deepEqual(JSON.parse(Buffer.from(metrics ?? []).toString()), { steps: 3, accuracy: 0.98 });
    assert.match(Buffer.from(result.files.get("log.txt") ?? []).toString(), /step 3\n$/);
    for (const step of ["Ordered and assigned", "Started", "Run ended, result signed", "Paid"])
      assert.ok(result.timeline.includes(step), step);
    const { task, lease } = await createMarket({ network: market.network }).task(taskId as Hex);
    assert.equal(task.isPrivate, true);
    assert.deepEqual([...node.receipts.keys()], [lease.leaseId]);
    assert.deepEqual(result.violations, []);
    assert.equal(result.scrollsSideways, false);
    assert.deepEqual(result.pageErrors, []);
  });

  it("leaves nothing of it in the clear at the node", async () => {
    const folder = join(node.dir, "blobs");
    const found = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
    const stored = await Promise.all(found.map(({ parentPath, name }) => readFile(join(parentPath, name))));
    assert.ok(stored.length >= 3, "spec, input and output");
    for (const bytes of stored)
      for (const text of ["forty-two words", "accuracy", "first-batch"])
        assert.ok(!bytes.includes(text), text);
  });

  it("opens it in another browser with the same wallet, without what the first one kept", async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(60_000);
      await page.goto(`${dapp.url}/tasks/${taskId}`);
      await connectBurner(page);
      await page.getByRole("heading", { name: "Task", exact: true }).waitFor();
      await page.getByRole("button", { name: "Decrypt output" }).click();
      await page.getByText("Every file matches the digest").waitFor();
      const kept = await page.evaluate("JSON.stringify(localStorage)");
      assert.doesNotMatch(String(kept), /forty-two|accuracy/);
    } finally {
      await browser.close();
    }
  });

  it("shows a task to anybody, but opens neither output nor cancels for another wallet", async () => {
    const browser = await launchBrowser();
    try {
      const context = await browser.newContext();
      await context.addInitScript(injectedWallet);
      const page = await context.newPage();
      await page.goto(`${dapp.url}/tasks/${taskId}`);
      await connectInjectedWallet(page);
      await page.getByText("Only the wallet that paid for the task can open it.").waitFor();
      await page.getByRole("heading", { name: "Paid", exact: true }).waitFor();
      assert.equal(await page.getByRole("button", { name: "Decrypt output" }).count(), 0);
    } finally {
      await browser.close();
    }
  });

  it("says in the list, as on the task's page, that a run ended with an exit code", async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      page.setDefaultTimeout(60_000);
      await page.goto(dapp.url);
      await connectBurner(page);
      await orderTask(page, dapp.url, { name: "fails", script: "exit 3", isPublic: true });
      await reachState(page, ["Completed"]);
      // Who has the output does not claim that it was withheld.
      const claim = page.getByRole("button", { name: "Say that it cannot be fetched" });
      await claim.waitFor();
      await page.getByRole("button", { name: "Decrypt output" }).click();
      await page.getByText("Every file matches the digest").waitFor();
      assert.equal(await claim.count(), 0);
      await page.goto(`${dapp.url}/tasks`);
      const row = page.getByRole("link", { name: /fails/ });
      await row.getByText("Ended with exit code 3", { exact: true }).waitFor();
      assert.equal(await page.getByText("Completed", { exact: true }).count(), 0);
      assert.deepEqual(await violations(page), []);
      const folder = process.env.DEKUPER_SCREENSHOTS;
      if (folder !== undefined) await page.screenshot({ path: join(folder, "8-list.png"), fullPage: true });
      await page.setViewportSize({ width: 390, height: 844 });
      await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
      assert.equal(await scrollsSideways(page), false);
      assert.deepEqual(await violations(page), []);
      if (folder !== undefined) await page.screenshot({ path: join(folder, "9-phone.png"), fullPage: true });
    } finally {
      await browser.close();
    }
  });

  it("sees a node go silent and come back", async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(60_000);
      await page.goto(dapp.url);
      await page.getByText("Online", { exact: true }).waitFor();
      await page.getByText("Connected to 1 of 1").waitFor();
      await node.goAway();
      await page.getByText("Offline", { exact: true }).waitFor();
      await page.getByText("Connected to 0 of 1").waitFor();
      await node.comeBack();
      await page.getByText("Online", { exact: true }).waitFor();
    } finally {
      await browser.close();
    }
  });
});
