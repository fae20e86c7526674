/** A wallet without the chain's coin: a relay sends what it signs, and is paid from its free balance (rule 29). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createMarket, walletClientOf } from "@dekuper/client";
import type { Browser, Page } from "playwright-core";
import { parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { Carrier } from "../../cli/src/relay/carrier.ts";
import { startRelayServer } from "../../cli/src/relay/server.ts";
import { connectBurner, launchBrowser, looksRight } from "./browser.ts";
import { serveDapp } from "./dapp-server.ts";
import { type LocalMarket, startLocalMarket } from "./local-market.ts";
import { type SimulatedNode, startSimulatedNode } from "./simulated-node.ts";
import { orderTask, reachState } from "./task-path.ts";

const FEE = 50_000n;

describe("a wallet that has the payment token only", { timeout: 300_000 }, () => {
  let market: LocalMarket;
  let node: SimulatedNode;
  let relay: { url: string; stop(): Promise<void> };
  let dapp: { url: string; stop(): Promise<void> };
  let browser: Browser;
  let page: Page;
  const relayer = privateKeyToAccount(generatePrivateKey());
  const consumer = () => privateKeyToAccount(market.network.burnerKey).address;
  const chain = () => createMarket({ network: market.network });
  const sent = () => chain().publicClient.getTransactionCount({ address: consumer() });

  before(async () => {
    market = await startLocalMarket();
    node = await startSimulatedNode(market);
    await market.giveGas(relayer.address, parseEther("10"));
    const { network } = market;
    const wallet = walletClientOf(network, relayer);
    const rules = { deployment: network.deployment, relayer: relayer.address, fee: FEE };
    const limits = { perMinute: 60, maxCost: parseEther("1") };
    const carrier = new Carrier({
      market: { ...createMarket({ network, walletClient: wallet }), wallet },
      rules,
      limits,
    });
    relay = await startRelayServer({ host: "127.0.0.1", port: 0, rules, carrier });
    dapp = await serveDapp(network);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(60_000);
  });

  after(async () => {
    await browser?.close();
    await dapp?.stop();
    await relay?.stop();
    await node?.stop();
    await market?.stop();
  });

  it("asks a relay for its terms, and says what is wrong with an address that is none", async () => {
    await page.goto(dapp.url);
    await connectBurner(page);
    await page.goto(`${dapp.url}/account`);
    await page.getByRole("button", { name: /^Get 1,000/ }).click();
    await page.getByText("In your wallet: 1,000.00 dUSD").waitFor();
    await market.giveGas(consumer(), 0n);
    await page.getByLabel("Relay").fill("not an address");
    await page.getByRole("button", { name: "Ask for its terms" }).click();
    await page.getByText('Relay: got "not an address", expected an http or https address.').waitFor();
    await page.getByLabel("Relay").fill(dapp.url);
    await page.getByRole("button", { name: "Ask for its terms" }).click();
    await page.getByText("it answers something else than a relay does").waitFor();
    await page.getByLabel("Relay").fill(relay.url);
    await page.getByRole("button", { name: "Ask for its terms" }).click();
    await page.getByText("It asks 0.05 dUSD for each transaction.").waitFor();
    await looksRight(page, "relay-terms");
    await page.getByRole("button", { name: "Use this relay" }).click();
    await page.getByText("for 0.05 dUSD of your free balance each").waitFor();
    await looksRight(page, "relay-chosen");
  });

  it("deposits, orders, pays and withdraws with nothing but signatures", async () => {
    const before = await sent();
    await page.getByLabel("Amount to deposit").fill("10");
    await page.getByRole("button", { name: "Deposit", exact: true }).click();
    await page.getByText("Deposited. Gas used:").waitFor();
    assert.equal((await chain().account(consumer())).free, 10_000_000n - FEE);
    await orderTask(page, dapp.url, { name: "relayed", script: "true\n" });
    await reachState(page, ["Completed"]);
    await page.getByRole("button", { name: "Approve and pay" }).click();
    await reachState(page, ["Settled"]);
    // Three transactions so far; withdrawing all of it leaves the fee of a fourth.
    await page.goto(`${dapp.url}/account`);
    await page.getByRole("button", { name: "All of it, withdraw" }).click();
    await page.getByRole("button", { name: "Withdraw", exact: true }).click();
    await page.getByText("Withdrawn. Gas used:").waitFor();
    const { free, gasBalance } = await chain().account(consumer());
    assert.deepEqual([free, gasBalance], [0n, 0n]);
    assert.equal((await chain().account(relayer.address)).free, 4n * FEE);
    assert.equal(await sent(), before);
  });

  it("says what it lacks where its wallet is to pay the gas again", async () => {
    await page.getByRole("button", { name: "Pay gas myself" }).click();
    await page.getByLabel("Amount to deposit").fill("1");
    await page.getByRole("button", { name: "Deposit", exact: true }).click();
    await page.getByText("INSUFFICIENT_GAS").waitFor();
  });
});
