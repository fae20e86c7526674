/** Pictures of every page into a folder: `node frontend/test/screenshots.ts FOLDER [URL]`. Without a URL it starts a local chain. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { connectBurner, launchBrowser } from "./browser.ts";
import { serveDapp } from "./dapp-server.ts";
import { startLocalMarket } from "./local-market.ts";

const [folder = "screenshots", given] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const market = given === undefined ? await startLocalMarket() : undefined;
if (market !== undefined) {
  await market.addNode({
    region: "eu-north",
    gpus: 8,
    gpuModel: "NVIDIA-H100-80GB-HBM3",
    gpuMemoryMiB: 81_920,
    vCpus: 128,
    memoryMiB: 1_048_576n,
  });
  await market.addNode({ region: "us-west", isolation: "container" });
}
const dapp = market === undefined ? undefined : await serveDapp(market.network);
const url = given ?? dapp?.url ?? "";
const browser = await launchBrowser();
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();

await page.goto(url);
await connectBurner(page);
await fund(page);
const paths = { overview: "/", submit: "/submit", tasks: "/tasks", account: "/account" };
for (const scheme of ["light", "dark"] as const) {
  await page.emulateMedia({ colorScheme: scheme });
  for (const [width, height] of [
    [1280, 900],
    [390, 844],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const [name, path] of Object.entries(paths)) {
      await page.goto(`${url}${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(1_500);
      await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
}
await browser.close();
await dapp?.stop();
await market?.stop();

async function fund(page: Page): Promise<void> {
  await page.goto(`${url}/account`);
  await page.getByRole("button", { name: /^Get 1,000/ }).click();
  await page.getByText(/^In your wallet: [1-9]/).waitFor();
  await page.getByLabel("Amount to deposit").fill("250.5");
  await page.getByRole("button", { name: "Deposit", exact: true }).click();
  await page.getByText("Deposited. Gas used:").waitFor();
}
