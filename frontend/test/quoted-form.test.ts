import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createMarket, readKeyHolders } from "@dekuper/client";
import type { Browser, Page } from "playwright-core";
import { privateKeyToAccount } from "viem/accounts";
import { connectBurner, launchBrowser, looksRight } from "./browser.ts";
import { serveDapp } from "./dapp-server.ts";
import { type LocalMarket, startLocalMarket } from "./local-market.ts";
import { type SimulatedNode, startSimulatedNode } from "./simulated-node.ts";
import { deposit, orderTask, reachState } from "./task-path.ts";

/** Of a node that has all it needs but no room, and of one that does not take the image. */
const FULL = { reason: "no-free-capacity", values: { what: "vCpus", needs: "1", free: "0" } };
const NO_IMAGE = { reason: "image-host-not-allowed", values: {} };

describe("the form on the quoted path", { timeout: 400_000 }, () => {
  let market: LocalMarket;
  let cheap: SimulatedNode;
  let dear: SimulatedNode;
  let dapp: { url: string; stop(): Promise<void> };
  let browser: Browser;
  let page: Page;
  let nobodyQuotes = false;
  const errors: string[] = [];

  before(async () => {
    market = await startLocalMarket();
    cheap = await startSimulatedNode(market, {
      profile: { region: "cheap" },
      refuses: ({ order }) => (nobodyQuotes || order.vCpus > 16 ? { refused: FULL } : undefined),
    });
    dear = await startSimulatedNode(market, {
      profile: { region: "dear", posted: { perGpuHour: 0n, perVCpuHour: 80_000n } },
      accepts: false,
      refuses: ({ order }) => (nobodyQuotes || order.vCpus > 16 ? { refused: NO_IMAGE } : undefined),
    });
    await market.addNode({ region: "gone" });
    dapp = await serveDapp(market.network);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(60_000);
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(dapp.url);
    await connectBurner(page);
    await deposit(page, dapp.url, "10");
  });

  after(async () => {
    await browser?.close();
    await dapp?.stop();
    await dear?.stop();
    await cheap?.stop();
    await market?.stop();
  });

  const plan = () => page.getByRole("complementary", { name: "Plan" });
  const rowOf = ({ address }: Pick<SimulatedNode, "address">) =>
    plan()
      .getByRole("listitem")
      .filter({ hasText: address.slice(0, 6) });
  const chain = () => createMarket({ network: market.network });
  const consumer = () => privateKeyToAccount(market.network.burnerKey).address;
  const transactions = () => chain().publicClient.getTransactionCount({ address: consumer() });
  it("shows who quotes at what cost, who would have the task, and why another does not quote", async () => {
    await page.goto(`${dapp.url}/submit`);
    await plan().getByText("2 of 3 nodes quote").waitFor();
    assert.match(await rowOf(cheap).innerText(), /Chosen\s+Asks 0\.05 dUSD an hour/);
    assert.match(await rowOf(dear).innerText(), /Quotes\s+Asks 0\.08 dUSD an hour/);
    await plan().getByText("It cannot be reached.").waitFor();
    const facts = (await plan().locator("dl").innerText()).replaceAll(/\s+/g, " ");
    assert.match(facts, /Rate an hour 0\.05 dUSD/);
    assert.match(await plan().getByRole("status").innerText(), /0\.008334 dUSD\s+at most, for 10m/);
    await looksRight(page, "quotes");
  });

  it("orders, assigns and pays for with one transaction of the wallet, at what was shown", async () => {
    const before = await transactions();
    const taskId = await orderTask(page, dapp.url, { name: "quoted" });
    assert.equal(await transactions(), before + 1);
    const { task, lease, leases } = await chain().task(taskId as `0x${string}`);
    assert.equal(leases.length, 1);
    assert.equal(lease.node, cheap.address);
    assert.equal(lease.ratePerHour, 50_000n);
    assert.equal(lease.reserved, 8_334n);
    assert.equal(task.maxAttempts, 3);
    assert.equal(task.isPrivate, true);
    await reachState(page, ["Completed"]);
    await page.getByRole("heading", { name: "Ordered and assigned" }).waitFor();
  });

  it("says who holds a private task's key, and hands it to a further node", async () => {
    const taskId = await orderTask(page, dapp.url, { name: "handed", script: "sleep 600\n" });
    await reachState(page, ["Running"]);
    const card = page
      .getByRole("complementary")
      .locator("section, div")
      .filter({ hasText: "Who can read it" })
      .last();
    await card.getByText("Has the key", { exact: true }).nth(1).waitFor();
    assert.equal(await card.getByText("Has the key", { exact: true }).count(), 2);
    await page.getByRole("button", { name: "Hand the key over" }).click();
    await card.getByText("Has the key", { exact: true }).nth(2).waitFor();
    assert.equal(await page.getByRole("button", { name: "Hand the key over" }).count(), 0);
    await page.getByRole("heading", { name: "Key handed over" }).waitFor();
    await looksRight(page, "key-holders");
    assert.equal((await readKeyHolders(chain(), taskId as `0x${string}`)).length, 3);
    await page.getByRole("button", { name: "Cancel task" }).click();
    await reachState(page, ["Completed"]);
  });

  it("says why nobody quotes, and makes the task public to order it at the posted rate instead", async () => {
    nobodyQuotes = true;
    await page.goto(`${dapp.url}/submit`);
    await plan().getByText("No node quotes").waitFor();
    await plan().getByText("0 of 3 nodes quote").waitFor();
    assert.match(await rowOf(cheap).innerText(), /It has 0 vCPUs free, and the task wants 1 vCPU\./);
    assert.match(await rowOf(dear).innerText(), /It runs no images from this registry\./);
    await looksRight(page, "no-quotes");
    await page.getByRole("button", { name: "Make it public, at the posted rate" }).click();
    assert.equal(await page.getByRole("radio", { name: /^Public/ }).isChecked(), true);
    await plan().getByText("Fits", { exact: true }).first().waitFor();
    await looksRight(page, "posted-rate");
    await page.getByLabel("vCPUs").fill("200");
    await plan().getByText("vCPUs: 200 vCPUs wanted, 16 free of 16.").first().waitFor();
    await plan().getByText("NO_NODE_FITS").waitFor();
    await page.getByLabel("vCPUs").fill("1");
    await plan().getByText("Fits", { exact: true }).first().waitFor();
    await page.getByRole("radio", { name: /^Private/ }).check();
    await page.getByRole("button", { name: "Make it public, at the posted rate" }).click();
    await page.getByRole("button", { name: "Create task" }).click();
    await page.waitForURL(/\/tasks\/0x[0-9a-f]{64}$/);
    await page.getByRole("heading", { name: "Accepted by a node" }).waitFor();
    await reachState(page, ["Completed"]);
  });

  it("goes back to quotes as soon as one asks for them, and takes them as they come", async () => {
    nobodyQuotes = false;
    await page.goto(`${dapp.url}/submit`);
    await plan().getByText("Chosen", { exact: true }).waitFor();
    await page.getByLabel("vCPUs").fill("200");
    await plan().getByText("No node quotes").waitFor();
    assert.equal(await page.getByRole("button", { name: /at the posted rate$/ }).count(), 0);
    await page.getByLabel("vCPUs").fill("2");
    await plan().getByText("Chosen", { exact: true }).waitFor();
    await page.getByLabel("Budget").fill("0.01");
    await plan().getByText("BUDGET_EXCEEDED").waitFor();
  });

  it("threw nothing on the way", () => assert.deepEqual(errors, []));
});
