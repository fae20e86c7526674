import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { cancelCost, type Market, orderOf, prepareTask, type TaskDetail } from "@dekuper/client";
import { parseTaskFile } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { startTestChain, type TestChain } from "../../client/test/chain.ts";
import { startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { billOf } from "../features/task/bill-words.ts";
import { stepsOf } from "../features/task/timeline-words.ts";

const TEXT = `name: history
public: true
template: batch
command: echo
resources: { cpu: 1, memory: 64Mi, storage: 64Mi, duration: 1h }
`;

describe("the timeline and the bill of a task on a real chain", () => {
  let chain: TestChain;
  let consumer: { market: Market; address: Address };
  let nodes: TestProvider[];

  before(async () => {
    chain = await startTestChain();
    consumer = await chain.account(1_000);
    await consumer.market.deposit(500_000_000n);
    nodes = [await startTestProvider(chain), await startTestProvider(chain)];
  });
  after(() => chain?.stop());

  const rest = async (seconds: number) => {
    await chain.control.increaseTime({ seconds });
    await chain.control.mine({ blocks: 1 });
  };
  /** Orders with the quotes of as many nodes as the task has members, one each. */
  const award = async (more = "") => {
    const { market, address } = consumer;
    const token = await market.token();
    const file = parseTaskFile(TEXT + more);
    const recipient = `age1${"q".repeat(58)}`;
    const task = prepareTask({ file, network: chain.network, token, inputs: [], recipient });
    const { timestamp } = await market.head();
    const order = orderOf(task, 1_000_000n, timestamp, "quoted");
    const envelope = { image: task.spec.image, inputBytes: 0 };
    const answers = await Promise.all(
      nodes.slice(0, order.leases).map((node, index) => {
        return node.quote({ version: 1, order, consumer: address, members: [index], envelope });
      }),
    );
    const quotes = answers.flatMap((answer) => ("quotes" in answer ? answer.quotes : []));
    return { task, ...(await market.createAndAward(order, quotes, [])) };
  };
  const read = async (id: Hex) => {
    const { market } = consumer;
    const [detail, token, head] = await Promise.all([market.taskDetail(id), market.token(), market.head()]);
    const now = Number(head.timestamp);
    return {
      detail,
      now,
      steps: stepsOf(detail, token).map(({ title, details, earlier }) => ({ title, details, earlier })),
      bill: billOf(detail, token, now).map(({ label, amount, explanation = "" }) => [
        label,
        amount,
        explanation,
      ]),
    };
  };
  const addsUp = ({ money }: TaskDetail, held: bigint) =>
    assert.equal(money.reserved - money.gross - money.released, held);

  it("tell a node's failure, what it is paid, and that the task waits for another", async () => {
    const [node] = nodes as [TestProvider];
    const { taskId, leaseId } = await award();
    await node.start(leaseId);
    for (const step of [1n, 2n, 3n]) {
      await rest(100);
      await node.checkpoint(leaseId, 1, step);
    }
    await node.fail(leaseId, 1, "PodGone");
    const lost = await read(taskId);
    assert.deepEqual(
      lost.steps.map(({ title }) => title),
      ["Ordered and assigned", "Started", "Progress claimed", "Given up by its node, open to others"],
    );
    assert.deepEqual(lost.steps[2], { title: "Progress claimed", details: ["Step 3"], earlier: 2 });
    const told = lost.steps[3]?.details.join("\n") ?? "";
    assert.match(told, /Its container was gone while it ran/);
    assert.match(told, /Attempt 1 is paid to its last claim/);
    assert.match(told, /Goes on from step 3/);
    const [reserved, paid, held] = lost.bill;
    assert.equal(lost.bill.length, 3);
    assert.deepEqual(reserved, ["Reserved", "1.00 dUSD", "The most that 1h can cost"]);
    assert.equal(paid?.[0], "Paid, attempt 1");
    assert.match(
      paid?.[2] ?? "",
      /^5m( \d+s)? at 1\.00 dUSD an hour; 0\.0008\d\d dUSD of it is the market's fee$/,
    );
    assert.equal(held?.[0], "Still reserved");
    assert.ok(lost.detail.money.gross > 0n);
    addsUp(lost.detail, lost.detail.lease.reserved);

    await consumer.market.cancel(taskId);
    const over = await read(taskId);
    assert.equal(over.steps.at(-1)?.title, "Cancelled");
    assert.deepEqual(
      over.bill.map(([label]) => label),
      ["Reserved", "Paid, attempt 1", "Given back"],
    );
    addsUp(over.detail, 0n);
  });

  it("say that an attempt without a claim is not paid", async () => {
    const [node] = nodes as [TestProvider];
    const { taskId, leaseId } = await award();
    await node.start(leaseId);
    await rest(100);
    await node.fail(leaseId, 1, "Unfit:image-not-found");
    const { steps, bill } = await read(taskId);
    assert.match(steps.at(-1)?.details.join("\n") ?? "", /The registry does not have this image/);
    assert.match(steps.at(-1)?.details.join("\n") ?? "", /Attempt 1 is not paid/);
    assert.deepEqual(bill[1]?.slice(0, 2), ["Not paid, attempt 1", "0.00 dUSD"]);
    await consumer.market.cancel(taskId);
  });

  it("count what runs up, what is due, and what was paid, to the base unit", async () => {
    const [node] = nodes as [TestProvider];
    const { taskId, leaseId, task } = await award("fund: 30m\n");
    await node.start(leaseId);
    await rest(600);
    const running = await read(taskId);
    assert.match(running.bill[1]?.[0] ?? "", /^So far$/);
    assert.match(running.bill[1]?.[1] ?? "", /^about 0\.16/);
    await consumer.market.topUp(taskId, 2400);
    const started = running.detail.lease.startedAt;
    await node.complete({ taskId, leaseId, specDigest: task.specDigest, started, outcome: 1, exitCode: 3 });
    const ended = await read(taskId);
    assert.ok(ended.steps.some(({ title }) => title === "Funded for longer"));
    assert.match(ended.steps.at(-1)?.details.join("\n") ?? "", /Ended with exit code 3, 10m/);
    assert.deepEqual(ended.bill[0]?.slice(0, 3), ["Reserved", "0.666667 dUSD", "The most that 40m can cost"]);
    assert.equal(ended.bill[1]?.[0], "To be paid");
    const due = ended.bill[1]?.[1];
    await consumer.market.approve(leaseId);
    const paid = await read(taskId);
    assert.deepEqual(
      paid.bill.map(([label]) => label),
      ["Reserved", "Paid", "Given back"],
    );
    assert.equal(paid.bill[1]?.[1], due);
    addsUp(paid.detail, 0n);
  });

  it("tell of a gang's lost member, and what a cancel comes to for all", async () => {
    const { taskId, leaseIds } = await award("nodes: 2\n");
    const [first, second] = nodes as [TestProvider, TestProvider];
    const [one = "0x", other = "0x"] = leaseIds;
    await first.start(one);
    const waiting = await read(taskId);
    assert.equal(cancelCost(waiting.detail, BigInt(waiting.now))?.pays, 0n);
    await second.start(other);
    await rest(300);
    await first.checkpoint(one, 1, 1n);
    const running = await read(taskId);
    assert.ok(running.steps.some(({ title }) => title === "Every member runs"));
    assert.deepEqual(
      running.bill.map(([label]) => label),
      ["Reserved", "So far, member 0", "So far, member 1", "Still reserved"],
    );
    const cost = cancelCost(running.detail, BigInt(running.now));
    assert.equal(cost?.running, 2);
    assert.equal((cost?.pays ?? 0n) + (cost?.returns ?? 0n), running.detail.money.reserved);

    await second.fail(other, 1, "PodGone");
    const stopped = await read(taskId);
    const step = stopped.steps.at(-1);
    assert.equal(step?.title, "A member was lost, the others wait");
    assert.match(step?.details.join("\n") ?? "", /Member 1: Its container was gone while it ran/);
    assert.match(step?.details.join("\n") ?? "", /^Lost: member 1\. The clock stands for all$/m);
    const before = cancelCost(stopped.detail, BigInt(stopped.now));
    await rest(200);
    const later = await read(taskId);
    assert.deepEqual(cancelCost(later.detail, BigInt(later.now)), before, "the clock stands");

    await consumer.market.cancel(taskId);
    const over = await read(taskId);
    assert.ok(over.steps.at(-1)?.details.some((text) => /which waited$/.test(text)));
  });

  it("call the leases of a quorum replicas, each with a price of its own", async () => {
    const { taskId, leaseIds } = await award("verification: { quorum: { agree: 2, of: 2 } }\n");
    const [first, second] = nodes as [TestProvider, TestProvider];
    const [one = "0x", other = "0x"] = leaseIds;
    await first.start(one);
    await rest(60);
    await second.start(other);
    await rest(100);
    const running = await read(taskId);
    assert.equal(running.steps.at(-1)?.title, "Replica 1: Started");
    assert.deepEqual(
      running.bill.map(([label]) => label),
      ["Reserved", "So far, replica 0", "So far, replica 1", "Still reserved"],
    );
    const seconds = running.bill.slice(1, 3).map(([, , explanation = ""]) => explanation.split(" at ")[0]);
    assert.match(seconds[0] ?? "", /^2m 4\ds$/);
    assert.match(seconds[1] ?? "", /^1m 4\ds$/);
    const cost = cancelCost(running.detail, BigInt(running.now));
    assert.equal(cost?.running, 2);
    await consumer.market.cancel(taskId);
    assert.equal((await read(taskId)).detail.state, "Stopping");
  });
});
