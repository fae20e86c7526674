import { leaseId } from "@dekuper/protocol";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { Hex } from "viem";
import { connectBurner, launchBrowser } from "./browser.ts";
import { serveDapp } from "./dapp-server.ts";
import { connectInjectedWallet, injectedWallet } from "./injected-wallet.ts";
import { startLocalMarket } from "./local-market.ts";
import { type SimulatedNode, startSimulatedNode } from "./simulated-node.ts";
import { deposit, orderTask, reachState } from "./task-path.ts";

/** Called at each state that a person can meet; the page stands still until it returns. */
export type Visit = (name: string, page: Page) => Promise<void>;

/** Fits a line by gradient descent: small, but real work with a loss that falls. */
const TRAINING = `echo "Fitting y = 3x + 0.5 on 256 points"
for epoch in $(seq 1 12); do
  awk -v n=$((epoch * 4)) 'BEGIN {
    srand(7); w = 0; b = 0
    for (i = 0; i < 256; i++) { x[i] = i / 128 - 1; y[i] = 3 * x[i] + 0.5 + 0.1 * (rand() - 0.5) }
    for (s = 0; s < n; s++) {
      gw = gb = loss = 0
      for (i = 0; i < 256; i++) { e = w * x[i] + b - y[i]; gw += e * x[i]; gb += e; loss += e * e }
      w -= 0.4 * gw / 128; b -= 0.4 * gb / 128
    }
    printf "{\\"loss\\": %.5f, \\"weight\\": %.4f, \\"bias\\": %.4f}\\n", loss / 256, w, b
  }' > /output/metrics.json
  echo "epoch $epoch/12  $(cat /output/metrics.json)"
  sleep 0.4
done
cp /output/metrics.json /output/model.json
`;

/** Leads a browser through every state of the dApp, on a chain and with peers of its own. */
export async function walkThrough(visit: Visit): Promise<void> {
  const market = await startLocalMarket();
  const dapp = await serveDapp(market.network);
  const browser = await launchBrowser();
  const stops: (() => Promise<unknown>)[] = [() => market.stop(), () => dapp.stop(), () => browser.close()];
  try {
    await beforeNodes(await browser.newContext(), dapp.url, visit);
    const node = await startSimulatedNode(market, { profile: { region: "eu-north" } });
    stops.push(() => node.stop());
    const other = await startSimulatedNode(market, { profile: H100, accepts: false });
    stops.push(() => other.stop());
    await market.addNode({ region: "us-west", isolation: "container" });
    await asConsumer(await browser.newContext(), dapp.url, node, visit);
    await withTrouble(browser, dapp.url, market.network.rpcUrls[0] ?? "", visit);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

const H100 = {
  region: "ap-south",
  gpus: 8,
  gpuModel: "NVIDIA-H100-80GB-HBM3",
  gpuMemoryMiB: 81_920,
  vCpus: 128,
  memoryMiB: 1_048_576n,
  posted: { perGpuHour: 2_500_000n, perVCpuHour: 80_000n },
};

async function beforeNodes(context: BrowserContext, url: string, visit: Visit): Promise<void> {
  const page = await context.newPage();
  const at = async (name: string, path: string, text: string) => {
    await page.goto(`${url}${path}`);
    await page.getByText(text).first().waitFor();
    await visit(name, page);
  };
  await at("network-without-nodes", "/", "No node has registered yet");
  await at("submit-without-wallet", "/submit", "No node is registered");
  await at("tasks-without-wallet", "/tasks", "Connect a wallet to see your tasks");
  await at("account-without-wallet", "/account", "Connect a wallet to see your account");
  await at("page-unknown", "/nowhere", "There is no such page");
  await at("task-malformed", "/tasks/0x12", "Not a task");
  await at("task-unknown", `/tasks/0x${"ab".repeat(32)}`, "NOT_FOUND");
  await page
    .getByRole("banner")
    .getByRole("button", { name: /^connect/i })
    .click();
  await visit("wallet-connect", page);
  await context.close();
}

async function asConsumer(
  context: BrowserContext,
  url: string,
  node: SimulatedNode,
  visit: Visit,
): Promise<void> {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  await page.getByText("Online", { exact: true }).nth(1).waitFor();
  await page.getByText("Offline", { exact: true }).waitFor();
  await visit("network", page);
  await connectBurner(page);
  await page.goto(`${url}/account`);
  await page.getByText("No movement yet").waitFor();
  await visit("account-empty", page);
  await page.goto(`${url}/tasks`);
  await page.getByText("No task yet").waitFor();
  await visit("tasks-empty", page);
  await deposit(page, url, "250.5");
  await page.goto(`${url}/submit`);
  await page.getByLabel("Name").fill("Not A Name");
  await page.getByLabel("vCPUs").fill("200");
  await page.getByLabel("Memory").fill("lots");
  await page.getByRole("button", { name: "Create task" }).click();
  await visit("submit-with-mistakes", page);
  await orderTask(page, url, { name: "fit-a-line", script: TRAINING, onFilled: () => visit("submit", page) });
  await reachState(page, ["Running"]);
  await page.getByRole("button", { name: "Follow logs" }).click();
  await page.getByText("epoch 2/12").waitFor();
  await visit("task-running", page);
  await reachState(page, ["Completed"]);
  await page.getByText("The log has ended").waitFor();
  await visit("task-completed", page);
  await page.getByRole("button", { name: "Decrypt output" }).click();
  await page.getByText("Every file matches the digest").waitFor();
  await visit("task-output", page);
  await page.getByRole("button", { name: "Approve and pay" }).click();
  await reachState(page, ["Settled"]);
  await visit("task-settled", page);
  await orderTask(page, url, { name: "missing-file", script: "cat /input/absent.csv\n" });
  await reachState(page, ["Completed"]);
  await page.getByRole("heading", { name: "Ended with exit code 1" }).first().waitFor();
  await visit("task-failed", page);
  await orderTask(page, url, { name: "too-slow", script: "sleep 600\n" });
  await reachState(page, ["Running"]);
  await page.getByRole("button", { name: "Cancel task" }).click();
  await reachState(page, ["Completed"]);
  await page.getByRole("heading", { name: "Cancelled by you" }).first().waitFor();
  await visit("task-cancelled", page);
  await orderTask(page, url, { name: "withheld", script: "true\n" });
  await reachState(page, ["Completed"]);
  await page.getByRole("button", { name: "Say that it cannot be fetched" }).click();
  await reachState(page, ["Disputed"]);
  await visit("task-disputed", page);
  await asGang(page, url, node, visit);
  await page.goto(`${url}/tasks`);
  await page.getByText("too-slow").waitFor();
  await visit("tasks", page);
  await page.goto(`${url}/account`);
  await page.getByText("Paid for").first().waitFor();
  await visit("account", page);
  await page
    .getByRole("banner")
    .getByRole("button", { name: /^wallet 0x/i })
    .click();
  await visit("wallet", page);
  await context.close();
}

/** Two members that run as one, until one of them is lost. */
async function asGang(page: Page, url: string, node: SimulatedNode, visit: Visit): Promise<void> {
  const onFilled = () => visit("submit-gang", page);
  const id = await orderTask(page, url, { name: "two-nodes", script: "sleep 600\n", nodes: "2", onFilled });
  await page.getByRole("heading", { name: "Every member runs" }).waitFor();
  await page.getByText("So far, member 1").waitFor();
  await visit("gang-running", page);
  node.lose(leaseId(id as Hex, 1));
  await page.getByRole("heading", { name: "A member was lost, the others wait" }).waitFor();
  await visit("gang-stopped", page);
  await page.getByRole("button", { name: "Cancel task" }).click();
  await page.getByRole("heading", { name: "Member 0: Run ended, result signed" }).waitFor();
  await visit("gang-cancelled", page);
}

async function withTrouble(browser: Browser, url: string, rpcUrl: string, visit: Visit): Promise<void> {
  const wallet = await browser.newContext();
  await wallet.addInitScript(injectedWallet);
  const page = await wallet.newPage();
  await page.goto(`${url}/account`);
  await connectInjectedWallet(page);
  await page.evaluate("window.moveWalletTo('0x1')");
  await page.getByText("Your wallet is on chain 1.").waitFor();
  await visit("wrong-network", page);
  await wallet.close();

  const cut = await browser.newContext();
  const other = await cut.newPage();
  await other.route(`${rpcUrl}/`, (route) => route.abort());
  await other.goto(url);
  await other.getByText("RPC_UNAVAILABLE").first().waitFor();
  await visit("rpc-down", other);
  await other.unroute(`${rpcUrl}/`);
  await other.route("**/network.json", async (route) => {
    const network = await (await route.fetch()).json();
    network.deployment.deploymentBlockHash = `0x${"d".repeat(64)}`;
    await route.fulfill({ json: network });
  });
  await other.goto(url);
  await other.getByText("CHAIN_CHANGED").waitFor();
  await visit("chain-changed", other);
  await other.route("**/network.json", (route) => route.fulfill({ status: 404, json: {} }));
  await other.goto(url);
  await other.getByText("NETWORK_UNKNOWN").waitFor();
  await visit("network-file-missing", other);
  await cut.close();
}
