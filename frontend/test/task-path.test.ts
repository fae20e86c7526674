import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { serveDapp } from "./dapp-server.ts";
import { type LocalMarket, startLocalMarket } from "./local-market.ts";
import { startSimulatedNode } from "./simulated-node.ts";
import { runTaskInBrowser } from "./task-path.ts";

describe("a task in the browser, against a node's real peer", { timeout: 600_000 }, () => {
  let market: LocalMarket;
  let node: { stop(): Promise<void> };
  let dapp: { url: string; stop(): Promise<void> };

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

  it("orders, follows the log, opens the output and pays", async () => {
    const result = await runTaskInBrowser({
      url: dapp.url,
      timeoutMs: 60_000,
      screenshots: process.env.DEKUPER_SCREENSHOTS,
    });
    assert.equal(result.states.at(-1), "Settled");
    assert.ok(result.states.includes("Completed"));
    assert.match(result.log, /Started\nstep 1\nstep 2\nstep 3/);
    const metrics = result.files.get("metrics.json");
    assert.deepEqual(JSON.parse(Buffer.from(metrics ?? []).toString()), { steps: 3, accuracy: 0.98 });
    assert.ok(result.timeline.includes("Ordered") && result.timeline.includes("Paid"));
    assert.deepEqual(result.violations, []);
    assert.equal(result.scrollsSideways, false);
    assert.deepEqual(result.pageErrors, []);
  });
});
