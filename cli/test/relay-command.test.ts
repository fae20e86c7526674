/** `dekuper relay` as a process of its own, and a consumer without coin who does everything by `--relay` (rule 29). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Hex } from "viem";
import { freePort } from "../../client/test/chain.ts";
import { expectError } from "./command/expect-error.ts";
import { TASK } from "./command/orders.ts";
import { type MarketFixture, startMarket } from "./market-fixture.ts";
import type { RunningCommand } from "./run-command.ts";

describe("dekuper relay", () => {
  let market: MarketFixture;
  let relay: RunningCommand;
  let url = "";
  before(async () => {
    market = await startMarket();
    const port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    const { key } = await market.chain.account(0);
    const args = ["relay", "--fee", "0.05", "--port", `${port}`];
    relay = market.start(args, { env: { DEKUPER_PRIVATE_KEY: key } });
    await relay.shows(/^Listening on http:\/\/127\.0\.0\.1:\d+\/, 0\.05 dUSD a batch to 0x\w{40}/m);
  });
  after(async () => {
    relay?.child.kill("SIGKILL");
    await market?.stop();
  });
  const free = async () => (await market.node.market.account(market.consumer.address)).free;

  it("carries deposit, order, top-up and cancel of a consumer that has the payment token only", async () => {
    const { chain, consumer, runHere, write } = market;
    await chain.control.setBalance({ address: consumer.address, value: 0n });
    await expectError(market, ["account", "withdraw", "1"], {
      code: "INSUFFICIENT_FUNDS",
      message: /has 0 dUSD free/,
    });
    const by = (...args: string[]) => runHere([...args, "--relay", url, "--yes"]);
    const deposited = await by("account", "deposit", "40");
    assert.equal(deposited.code, 0, deposited.stderr);
    assert.match(deposited.stderr, /carries your transactions, for 0\.05 dUSD of your free balance each\.$/m);
    assert.match(deposited.stdout, /^Deposited 40 dUSD; 39\.95 dUSD are free now\.$/m);
    assert.match(deposited.stdout, /^next: dekuper task plan task\.yaml --relay http:/m);
    const file = await write("part.yaml", `${TASK}fund: 5m\n`);
    const submitted = await by("task", "submit", file, "--json");
    assert.equal(submitted.code, 0, submitted.stdout);
    const { taskId, reserved } = submitted.json<{ taskId: Hex; reserved: string }>();
    assert.equal(await free(), 39_900_000n - BigInt(reserved));
    const topped = await by("task", "top-up", taskId, "--for", "1m");
    assert.match(topped.stdout, /^funded +6m of 10m$/m);
    const cancelled = await by("task", "cancel", taskId);
    assert.match(cancelled.stdout, /^Cancelled; /m);
    assert.equal(await free(), 40_000_000n - 4n * 50_000n);
    const { gasBalance } = await market.node.market.account(consumer.address);
    assert.equal(gasBalance, 0n);
    await relay.shows(/(carried, gas \d+[\s\S]*){4}/);
  });

  it("is refused where it asks too much, is no URL, or cannot carry the call", async () => {
    const deposit = ["account", "deposit", "1", "--relay"];
    const dear = { code: "RELAY_REFUSED", message: /asks 0\.05 dUSD.*at most 0\.01 dUSD/ } as const;
    await expectError(market, [...deposit, url, "--max-relay-fee", "0.01"], dear);
    await expectError(market, [...deposit, "ftp://x"], {
      code: "USAGE",
      message: /--relay: got "ftp:\/\/x"/,
    });
    const nobody = `http://127.0.0.1:${await freePort()}/`;
    await expectError(market, [...deposit, nobody], {
      code: "RELAY_UNAVAILABLE",
      message: /No answer from the relay/,
    });
    const drain = { code: "RELAY_REFUSED", message: /No relay can drain the node/ } as const;
    await expectError(market, ["node", "drain", "--relay", url], drain);
  });

  it("says on Ctrl-C what it has carried and earned", async () => {
    relay.child.kill("SIGINT");
    const { code, stdout } = await relay.ended;
    assert.equal(code, 0);
    assert.match(stdout, /^Carried 4 of 4 sent, refused 0; 0\.2 dUSD are free in escrow\.$/m);
  });

  it("needs a fee, a free port and coin of its own", async () => {
    await expectError(market, ["relay"], { code: "USAGE", message: /Required option '--fee/ });
    await expectError(market, ["relay", "--fee", "1", "--port", "x"], {
      code: "USAGE",
      message: /'x' is invalid/,
    });
    const poor = {
      code: "INSUFFICIENT_GAS",
      message: /has 0 of the chain's coin; one batch may cost 0\.01/,
    } as const;
    await expectError(market, ["relay", "--fee", "1"], poor, {
      env: { DEKUPER_PRIVATE_KEY: market.consumer.key },
    });
  });
});
