import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type GangClock, type Market, ranWithin, runsSince } from "@dekuper/client";
import { type QuoteRequest, taskRegistryAbi } from "@dekuper/protocol";
import fc from "fast-check";
import type { Hex } from "viem";
import { startTestChain, type TestChain } from "./chain.ts";
import { aChainOrder } from "./chain-order.ts";
import { startTestProvider, type TestProvider } from "./provider.ts";

describe("a gang's clock, on paper", () => {
  /** Spans of the clock: each begins after the one before, and only the last may be open. */
  const length = () => fc.bigInt(1n, 9n);
  const clocks = fc
    .tuple(length(), length(), length(), length(), fc.integer({ min: 0, max: 4 }))
    .map(([a, b, c, d, known]): GangClock => {
      const marks = [a, a + b, a + b + c, a + b + c + d].map((at, index) => (index < known ? at : 0n));
      const [firstFrom = 0n, firstTo = 0n, secondFrom = 0n, secondTo = 0n] = marks;
      return { firstFrom, firstTo, secondFrom, secondTo };
    });
  const isRunningAt = (clock: GangClock, second: bigint) =>
    [
      [clock.firstFrom, clock.firstTo],
      [clock.secondFrom, clock.secondTo],
    ].some(([from = 0n, to = 0n]) => from !== 0n && second >= from && (to === 0n || second < to));

  it("counts what counting the seconds one by one does, open spans included", () => {
    fc.assert(
      fc.property(clocks, fc.bigInt(0n, 45n), fc.bigInt(0n, 45n), (clock, from, to) => {
        let counted = 0n;
        for (let second = from; second < to; second++) if (isRunningAt(clock, second)) counted++;
        assert.equal(ranWithin(clock, from, to), counted);
      }),
    );
  });

  it("runs exactly where the last second of all time is in it", () => {
    fc.assert(
      fc.property(clocks, (clock) => assert.equal(runsSince(clock) !== 0n, isRunningAt(clock, 10_000n))),
    );
  });
});

describe("a gang's clock, on chain", () => {
  let chain: TestChain;
  let consumer: Awaited<ReturnType<TestChain["account"]>>;
  let market: Market;
  let members: readonly TestProvider[];
  let substitute: TestProvider;
  before(async () => {
    chain = await startTestChain();
    consumer = await chain.account(1_000);
    ({ market } = consumer);
    await market.deposit(500_000_000n);
    members = [await startTestProvider(chain), await startTestProvider(chain)];
    substitute = await startTestProvider(chain);
  });
  after(() => chain?.stop());

  const rest = async (seconds: number) => {
    await chain.control.increaseTime({ seconds });
    await chain.control.mine({ blocks: 1 });
  };

  /** What the SDK says of each lease's deadline is what the contract says, in every state that has one. */
  async function sameDeadlines(taskId: Hex): Promise<void> {
    const { leases } = await market.task(taskId);
    for (const { leaseId, due, state } of leases) {
      const onChain = await market.publicClient.readContract({
        address: chain.network.deployment.taskRegistry,
        abi: taskRegistryAbi,
        functionName: "deadlineOf",
        args: [leaseId],
      });
      assert.equal(due?.at ?? 2n ** 64n - 1n, onChain, `${state} of ${leaseId}`);
    }
  }

  it("bills what the contract bills, over a loss and a replacement", async () => {
    const order = await aChainOrder(market, { leases: 2, maxAttempts: 2, failoverAfter: 10 });
    const quotes = await Promise.all(
      members.map(async (member, index) => {
        const request: QuoteRequest = {
          version: 1,
          order,
          consumer: consumer.address,
          members: [index],
          envelope: { image: "host/name", inputBytes: 0 },
        };
        const answer = await member.quote(request);
        assert.ok("quotes" in answer && answer.quotes?.[0] !== undefined);
        return answer.quotes[0];
      }),
    );
    const { taskId, leaseIds } = await market.createAndAward(order, quotes, []);
    const [survivor, lost] = leaseIds as [Hex, Hex];
    const [one, other] = members as [TestProvider, TestProvider];
    await one.start(survivor);
    await rest(7); // nobody's time but the node's that was early
    await sameDeadlines(taskId);
    await other.start(lost);
    await rest(40);
    await sameDeadlines(taskId);
    await other.checkpoint(lost, 1, 1n);
    await rest(5);
    await other.fail(lost, 1, "gone");
    await sameDeadlines(taskId);
    await rest(9); // the clock stands
    await substitute.takeOver(lost);
    await substitute.start(lost, 2);
    await rest(30);
    await sameDeadlines(taskId);

    const seen = await market.task(taskId);
    const { timestamp } = await market.head();
    const { specDigest } = seen.task;
    const ended = timestamp;
    await one.complete({ taskId, leaseId: survivor, specDigest, started: 0n, ended });
    await substitute.complete({ taskId, leaseId: lost, specDigest, attempt: 2, started: 0n, ended });
    const { leases, gang } = await market.task(taskId);
    assert.ok(gang !== undefined && gang.secondFrom > gang.firstTo && gang.firstTo > gang.firstFrom);
    for (const { index, billedSeconds } of leases) {
      const { startedAt } = seen.leases[index] ?? { startedAt: 0n };
      // While it ran its second span was open; now it is closed, at or after the end.
      const open = ranWithin({ ...gang, secondTo: 0n }, startedAt, ended);
      assert.equal(billedSeconds, open, `member ${index}`);
      assert.equal(billedSeconds, ranWithin(gang, startedAt, ended));
    }
    const [first, second] = leases.map(({ billedSeconds }) => Number(billedSeconds));
    assert.ok(second !== undefined && second >= 30 && second < 40, `${second}`);
    assert.ok(first !== undefined && first - second >= 45 && first - second < 60, `${first}`);
  });
});
