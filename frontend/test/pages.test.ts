import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { connectBurner, launchBrowser } from "./browser.ts";
import { serveDapp } from "./dapp-server.ts";
import { connectInjectedWallet, injectedWallet } from "./injected-wallet.ts";
import { type LocalMarket, startLocalMarket } from "./local-market.ts";

const UNKNOWN_TASK = `/tasks/0x${"ab".repeat(32)}`;

describe("the dApp on a chain without running nodes", { timeout: 600_000 }, () => {
  let market: LocalMarket;
  let dapp: { url: string; stop(): Promise<void> };
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const errors: string[] = [];

  before(async () => {
    market = await startLocalMarket();
    dapp = await serveDapp(market.network);
    browser = await launchBrowser();
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
    page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => errors.push(error.message));
  });

  after(async () => {
    await browser?.close();
    await dapp?.stop();
    await market?.stop();
  });

  it("says that no node is registered, then shows the nodes as they register", async () => {
    await page.goto(dapp.url);
    await page.getByText("No node has registered yet").waitFor();
    await market.addNode({
      region: "eu-north",
      gpus: 8,
      gpuModel: "NVIDIA-H100-80GB-HBM3",
      gpuMemoryMiB: 81_920,
      vCpus: 128,
      memoryMiB: 1_048_576n,
    });
    await market.addNode({
      region: "us-west",
      isolation: "container",
      multiaddrs: ["/ip4/203.0.113.7/tcp/4001"],
    });
    await page.getByRole("heading", { name: "eu-north" }).waitFor();
    const card = page.getByRole("article").filter({ hasText: "eu-north" });
    assert.match(await card.innerText(), /8 of 8 GPUs free/);
    assert.match(await card.innerText(), /NVIDIA-H100-80GB-HBM3/);
    assert.match(await card.innerText(), /GPU hour\s+2\.00 dUSD/);
    assert.match(
      await page.getByRole("article").filter({ hasText: "us-west" }).innerText(),
      /16 of 16 vCPUs free/,
    );
  });

  it("calls no node online that sent no heartbeat", async () => {
    assert.equal(await page.getByText("Online", { exact: true }).count(), 0);
  });

  it("names the node that no browser can reach", async () => {
    const reason = page.getByText("No WebSocket address: a browser cannot reach the node.");
    assert.equal(await reason.count(), 1);
    assert.equal(await page.getByRole("article").filter({ has: reason, hasText: "us-west" }).count(), 1);
  });

  it("shows empty pages that say what to do, without a wallet", async () => {
    await page.goto(`${dapp.url}/tasks`);
    await page.getByText("Connect a wallet to see your tasks").waitFor();
    await page.goto(`${dapp.url}/account`);
    await page.getByText("Connect a wallet to see your account").waitFor();
  });

  it("explains an unknown task by sentence, hint and code", async () => {
    await page.goto(`${dapp.url}${UNKNOWN_TASK}`);
    const alert = page.locator("main").getByRole("alert");
    assert.match(await alert.innerText(), /There is no task or lease 0xabab.*NOT_FOUND/s);
  });

  it("connects the burner and keeps it over a reload", async () => {
    await page.goto(dapp.url);
    await connectBurner(page);
    await page.reload();
    await page
      .getByRole("banner")
      .getByRole("button", { name: /^wallet 0x/i })
      .waitFor();
    await page.goto(`${dapp.url}/tasks`);
    await page.getByText("No task yet").waitFor();
  });

  it("takes demo tokens, deposits and withdraws", async () => {
    await page.goto(`${dapp.url}/account`);
    await page.getByRole("button", { name: /^Get 1,000/ }).click();
    await page.getByText("In your wallet: 1,000.00 dUSD").waitFor();
    await page.getByLabel("Amount to deposit").fill("5000");
    await page.getByText("That is more than 1,000.00 dUSD.").waitFor();
    await page.getByLabel("Amount to deposit").fill("250.5");
    await page.getByRole("button", { name: "Deposit", exact: true }).click();
    await page.getByText("Deposited. Gas used:").waitFor();
    await page.getByText("Free: 250.50 dUSD").waitFor();
    await page.getByLabel("Amount to withdraw").fill("50.5");
    await page.getByRole("button", { name: "Withdraw", exact: true }).click();
    await page.getByText("Free: 200.00 dUSD").waitFor();
    const statement = page.getByRole("listitem").filter({ hasText: "Deposited" });
    assert.match(await statement.innerText(), /\+250\.50 dUSD/);
  });

  it("keeps a task private until one makes it public, and says who can read it", async () => {
    await page.goto(`${dapp.url}/submit`);
    const readers = page.getByRole("group", { name: "Who can read it" });
    assert.equal(await readers.getByRole("radio", { name: /^Private/ }).isChecked(), true);
    await readers.getByText("Only the nodes that get the task, and up to two that stand by").waitFor();
    await page.getByText("More options").click();
    await page.getByText("Only nodes that get the key can read it.").waitFor();
    await readers.getByRole("radio", { name: /^Public/ }).check();
    await page.getByText("Every registered node can read it: no secrets.").waitFor();
  });

  it("asks for an image where the template brings none", async () => {
    await page.getByRole("radio", { name: /Container/ }).check();
    await page.getByRole("textbox", { name: "Image" }).waitFor();
    await page.getByRole("button", { name: "Create task" }).click();
    await page.getByText("Name an image by digest, or one that this network knows.").waitFor();
  });

  it("names each wrong field of a task and keeps the order back", async () => {
    await page.goto(`${dapp.url}/submit`);
    await page.getByLabel("Name").fill("Not A Name");
    await page.getByLabel("Memory").fill("lots");
    await page.getByLabel("Longest run").fill("soon");
    await page.getByRole("button", { name: "Create task" }).click();
    await page.getByText("Write lower-case letters, digits and -, at most 63.").waitFor();
    await page.getByText("Write memory such as 64Gi.").waitFor();
    await page.getByText("Write a duration such as 6h.").waitFor();
    await page.getByText("The plan appears when the form is complete.").waitFor();
  });

  it("asks nodes while one types, and says of each why it does not quote", async () => {
    await page.goto(`${dapp.url}/submit`);
    const plan = page.getByRole("complementary", { name: "Plan" });
    await plan.getByText("0 of 2 nodes quote").waitFor();
    assert.equal(await plan.getByText("It cannot be reached.").count(), 2);
    await page.getByLabel("Name").fill("Not A Name");
    await plan.getByText("The plan appears when the form is complete.").waitFor();
  });

  it("cannot choose a template whose image the network lacks", async () => {
    assert.equal(await page.getByRole("radio", { name: /PyTorch/ }).isDisabled(), true);
  });

  it("follows the toggle rather than the system once it is used", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(dapp.url);
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    assert.equal(await background(), "rgb(247, 247, 245)");
    await page.getByRole("button", { name: "Switch between light and dark" }).click();
    assert.equal(await background(), "rgb(13, 14, 16)");
    await page.reload();
    await page.getByRole("heading", { level: 1 }).waitFor();
    assert.equal(await background(), "rgb(13, 14, 16)");
  });

  it("connects an injected wallet, offers to switch it back from another chain, and takes no for an answer", async () => {
    const other = await browser.newContext();
    await other.addInitScript(injectedWallet);
    const visitor = await other.newPage();
    visitor.setDefaultTimeout(20_000);
    await visitor.goto(dapp.url);
    await connectInjectedWallet(visitor);
    await visitor.evaluate("window.moveWalletTo('0x1')");
    const warning = visitor.getByText("Your wallet is on chain 1.");
    await warning.waitFor();
    await visitor.getByRole("button", { name: "Switch to local" }).click();
    await warning.waitFor({ state: "detached" });
    await visitor.getByRole("link", { name: "Account" }).click();
    await visitor.getByRole("button", { name: /^Get 1,000/ }).click();
    await visitor.getByText("You declined in your wallet. Nothing was changed.").waitFor();
    await other.close();
  });

  it("offers no burner account on a network that is not local, whatever its file holds", async () => {
    const other = await browser.newContext();
    const visitor = await other.newPage();
    visitor.setDefaultTimeout(20_000);
    await visitor.route("**/network.json", (route) =>
      route.fulfill({ json: { ...market.network, local: false } }),
    );
    await visitor.goto(dapp.url);
    await visitor
      .getByRole("banner")
      .getByRole("button", { name: /^connect/i })
      .click();
    await visitor.getByText("No wallet was found in this browser.").waitFor();
    assert.equal(await visitor.getByRole("button", { name: "Local test account" }).count(), 0);
    await other.close();
  });

  it("sends a content security policy", async () => {
    const policy = (await fetch(dapp.url)).headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(rule), rule);
    }
  });

  it("threw nothing on any page", () => {
    assert.deepEqual(errors, []);
  });
});
