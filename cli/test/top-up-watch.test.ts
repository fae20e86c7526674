/** `task watch`, against a real chain: what it prints, and what it reserves. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Market } from "@dekuper/client";
import type { Hex } from "viem";
import { aChainOrder } from "../../client/test/chain-order.ts";
import { startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { type ChainFixture, startCommandsOnChain } from "./command/commands-on-chain.ts";
import { expectError } from "./command/expect-error.ts";

describe("task watch", () => {
  let its: ChainFixture;
  let provider: TestProvider;
  let consumer: { market: Market; key: Hex };
  before(async () => {
    its = await startCommandsOnChain();
    provider = await startTestProvider(its.chain);
    consumer = await its.chain.account(200);
    await consumer.market.deposit(100_000_000n);
  });
  after(() => its?.stop());

  /** A task that runs, funded for 200 of 400 seconds at 1000 base units a second. */
  async function running() {
    const { market } = consumer;
    const change = { maxDuration: 400, fundedSeconds: 200, ratePerHour: 3_600_000n };
    const { taskId, leaseId } = await market.createTask(await aChainOrder(market, change));
    await provider.accept(taskId);
    await provider.start(leaseId);
    return taskId;
  }
  const rest = async (seconds: number) => {
    await its.chain.control.increaseTime({ seconds });
    await its.chain.control.mine({ blocks: 1 });
    await sleep(1_500); // it looks every half second
  };
  const watching = (taskId: Hex, ...more: string[]) =>
    its.as(
      consumer.key,
      ...["task", "watch", taskId, "--auto-top-up", "--cap", "5 dUSD", "--yes"],
      ...["--step", "2m", "--lead", "1m", "--notice", "1m", ...more],
    );

  it("wants to be told that it may spend, and how much", async () => {
    const taskId = await running();
    const options = { env: { DEKUPER_PRIVATE_KEY: consumer.key } };
    for (const args of [[], ["--auto-top-up"], ["--cap", "5"]]) {
      const line = ["task", "watch", taskId, ...args];
      await expectError(its, line, { code: "USAGE", message: /--auto-top-up and --cap are needed/ }, options);
    }
    const line = ["task", "watch", taskId, "--auto-top-up", "--cap", "5"];
    await expectError(its, line, { code: "USAGE", message: /asks for a confirmation/ }, options);
    await expectError(
      its,
      [...line, "--step", "soon"],
      { code: "USAGE", message: /'soon' is invalid/ },
      options,
    );
  });

  it("prints a notice, reserves after it, and ends once all is funded", async () => {
    const taskId = await running();
    const ran = watching(taskId);
    await rest(100);
    await rest(60);
    await rest(60); // the rest of its duration
    await rest(60);
    const { code, stdout, stderr } = await ran;
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /Notice: the funded time is over at .*Z\. 0\.12 dUSD for 2m more will be reserved at .*Z/,
    );
    assert.match(stderr, /Reserved 0\.12 dUSD: the task is funded for 5m 20s \(0x\w{64}\)/);
    assert.match(stdout, /^topped up +0\.2 dUSD of at most 5 dUSD$/m);
    assert.match(stdout, /^funded +6m 40s of 6m 40s$/m);
  });

  it("prints one value with --json, and notices on stderr as they come", async () => {
    const taskId = await running();
    const ran = watching(taskId, "--json", "--step", "4m");
    await rest(100);
    await rest(60);
    const { stderr, ...result } = await ran;
    const kinds = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).kind);
    assert.deepEqual(kinds, ["announced", "sending", "toppedUp", "done"]);
    const { reserved, events } = result.json<{ reserved: string; events: { kind: string }[] }>();
    assert.equal(reserved, "200000");
    assert.deepEqual(
      events.map(({ kind }) => kind),
      kinds,
    );
  });
});
