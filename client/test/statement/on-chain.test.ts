/** Statements of accounts that did all that moves money, read from a real chain. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type CheckedStatement,
  createMarket,
  type Market,
  type PaidMovement,
  readRunway,
  readStatement,
  totalOf,
} from "@dekuper/client";
import {
  gross,
  leaseId as leaseIdOf,
  nodeRegistryAbi,
  type Order,
  paymentEscrowAbi,
  reservation,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import {
  type Abi,
  type AbiEvent,
  type Address,
  concat,
  createPublicClient,
  custom,
  encodeFunctionData,
  type Hex,
  type PublicClient,
  type RpcLog,
  toEventSelector,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { movedBy } from "../../src/chain/statement-events.ts";
import { startTestChain, type TestChain } from "../chain.ts";
import { aChainOrder } from "../chain-order.ts";
import { aProfile, startTestProvider, type TestProvider } from "../provider.ts";

const RATE = 6_000_000n;
let chain: TestChain;
let consumer: { market: Market; address: Address };
let provider: TestProvider;

before(async () => {
  chain = await startTestChain();
  consumer = await chain.account(1_000);
  provider = await startTestProvider(chain);
  await consumer.market.deposit(100_000_000n);
});
after(() => chain?.stop());

/** In a second of its own. */
async function order(change: Partial<Order> = {}): Promise<Hex> {
  await pass(5);
  const ordered = await aChainOrder(consumer.market, { failoverAfter: 120, ...change });
  const { taskId } = await consumer.market.createTask(ordered);
  return taskId;
}

/** Accepts, starts and runs. */
async function begin(taskId: Hex, seconds: number): Promise<Hex> {
  const leaseId = leaseIdOf(taskId, 0);
  await provider.accept(taskId);
  await provider.start(leaseId);
  await pass(seconds);
  return leaseId;
}

/** Lets chain time pass. */
async function pass(seconds: number): Promise<void> {
  await chain.control.increaseTime({ seconds });
  await chain.control.mine({ blocks: 1 });
}

async function complete(taskId: Hex, leaseId: Hex): Promise<void> {
  const { timestamp } = await consumer.market.head();
  const specDigest: Hex = `0x${"aa".repeat(32)}`;
  await provider.complete({ taskId, leaseId, specDigest, started: timestamp - 3_600n });
}

async function settle(taskId: Hex, leaseId: Hex): Promise<void> {
  await complete(taskId, leaseId);
  await consumer.market.approve(leaseId);
}

/** A run that has ended, and of which the consumer says that it was never delivered. */
async function claimUndelivered(): Promise<Hex> {
  const taskId = await order();
  const leaseId = await begin(taskId, 60);
  await complete(taskId, leaseId);
  await call(consumer.market, { contract: "taskRegistry", name: "claimUndelivered", args: [leaseId] });
  return leaseId;
}

/** The consumer's word that it has the output. */
async function receiptFor(leaseId: Hex): Promise<Hex> {
  const { publicClient, network } = consumer.market;
  const { chainId, taskRegistry } = network.deployment;
  const { attempt, attestationDigest } = await publicClient.readContract({
    address: taskRegistry,
    abi: taskRegistryAbi,
    functionName: "getLease",
    args: [leaseId],
  });
  const { wallet } = consumer.market;
  assert.ok(wallet?.account);
  return wallet.signTypedData({
    account: wallet.account,
    domain: taskDomain(chainId, taskRegistry),
    types: {
      Receipt: [
        { name: "leaseId", type: "bytes32" },
        { name: "attempt", type: "uint32" },
        { name: "attestationDigest", type: "bytes32" },
      ],
    },
    primaryType: "Receipt",
    message: { leaseId, attempt, attestationDigest },
  });
}

/** A call that the market has no method for. */
async function call(
  { publicClient, wallet, network }: Market,
  from:
    | { contract: "paymentEscrow"; name: "transferFree"; args: readonly [Address, bigint] }
    | { contract: "nodeRegistry"; name: "migrate"; args: readonly [Address, Address] }
    | { contract: "taskRegistry"; name: "claimUndelivered"; args: readonly [Hex] }
    | { contract: "taskRegistry"; name: "answerWithReceipt"; args: readonly [Hex, Hex] },
): Promise<void> {
  assert.ok(wallet);
  const abi = {
    paymentEscrow: paymentEscrowAbi,
    nodeRegistry: nodeRegistryAbi,
    taskRegistry: taskRegistryAbi,
  };
  const data = encodeFunctionData({
    abi: abi[from.contract] as Abi,
    functionName: from.name,
    args: from.args,
  });
  assert.ok(wallet.account);
  const to = network.deployment[from.contract];
  const hash = await wallet.sendTransaction({
    account: wallet.account,
    chain: wallet.chain ?? null,
    to,
    data,
  });
  const { status } = await publicClient.waitForTransactionReceipt({ hash });
  assert.equal(status, "success");
}

/** A log of this event, all of whose values are 1. */
function anyLogOf(event: AbiEvent): Pick<RpcLog, "data" | "topics"> {
  const one = `0x${"1".padStart(64, "0")}` as const;
  const indexed = event.inputs.filter((input) => input.indexed === true);
  const data = event.inputs.filter((input) => input.indexed !== true).map(() => one);
  return { topics: [toEventSelector(event), ...indexed.map(() => one)], data: concat(data) };
}

const kinds = ({ lines }: CheckedStatement) => lines.map(({ movement }) => movement.kind);
const payment = ({ lines }: CheckedStatement) =>
  lines
    .map(({ movement }) => movement)
    .findLast((movement): movement is PaidMovement & typeof movement => movement.kind === "Paid");

/** The chain by an RPC that changes what it says of logs. */
function through(change: (logs: RpcLog[]) => RpcLog[]): {
  publicClient: PublicClient;
  network: Market["network"];
} {
  const { publicClient, network } = consumer.market;
  const request = async ({ method, params }: { method: string; params?: unknown }) => {
    const answer = await publicClient.request({ method, params } as never);
    return method === "eth_getLogs" ? change(answer as RpcLog[]) : answer;
  };
  return { publicClient: createPublicClient({ transport: custom({ request }), cacheTime: 0 }), network };
}

describe("a statement of the chain", () => {
  let taskId: Hex;

  it("has both sides of a run: what the consumer paid is what the owner earned, and the fee", async () => {
    taskId = await order();
    await settle(taskId, await begin(taskId, 100));
    const mine = await readStatement(consumer.market, consumer.address);
    assert.deepEqual(kinds(mine), ["Deposited", "Reserved", "Paid", "Released"]);
    assert.deepEqual(mine.check.differences, []);
    assert.deepEqual(mine.faulty, []);
    const paid = payment(mine);
    assert.ok(paid !== undefined && paid.ranSeconds >= 100n);
    assert.equal(paid.taskId, taskId);
    assert.equal(paid.gross, gross(RATE, paid.ranSeconds - paid.downSeconds));
    assert.equal(paid.fee, paid.gross / 100n);

    const its = await readStatement(provider.market, provider.owner);
    assert.deepEqual(kinds(its), ["Deposited", "StakeMoved", "Paid"]);
    assert.deepEqual(its.check.differences, []);
    assert.deepEqual(payment(its), paid);
    assert.equal(its.now.earnings, paid.gross - paid.fee);
    assert.equal(its.now.stake, 200_000_000n);
    assert.equal(totalOf(mine.now) + its.now.earnings + paid.fee, 100_000_000n);
  });

  it("knows each block's time, whether the RPC sends it along or not", async () => {
    const sent = await readStatement(consumer.market, consumer.address);
    const asked = await readStatement(
      through((logs) => logs.map(({ blockTimestamp: _, ...log }) => log)),
      consumer.address,
    );
    assert.deepEqual(asked.lines, sent.lines);
    for (const { movement } of sent.lines) {
      const block = await consumer.market.publicClient.getBlock({ blockNumber: movement.block });
      assert.equal(movement.time, block.timestamp);
    }
  });

  it("of a period opens and closes with the balances of its ends, and is checked to the head all the same", async () => {
    const whole = await readStatement(consumer.market, consumer.address);
    const [, reserved, paid] = whole.lines;
    assert.ok(reserved && paid);
    const part = await readStatement(consumer.market, consumer.address, {
      from: { time: reserved.movement.time },
      to: { block: paid.movement.block - 1n },
    });
    assert.deepEqual(kinds(part), ["Reserved"]);
    assert.equal(part.opening.free, 100_000_000n);
    assert.equal(part.closing.reserved, reservation(RATE, 600));
    assert.deepEqual(part.now, whole.now);
    assert.ok(part.check.agrees);
  });

  it("follows withdrawals, gifts, and deposits by others for one", async () => {
    const friend = await chain.account(10);
    await call(consumer.market, {
      contract: "paymentEscrow",
      name: "transferFree",
      args: [friend.address, 3_000_000n],
    });
    await consumer.market.withdraw(2_000_000n, friend.address);
    await friend.market.withdraw(1_000_000n);
    const its = await readStatement(friend.market, friend.address);
    assert.deepEqual(kinds(its), ["Transferred", "Withdrawn"]);
    assert.deepEqual([its.totals.received, its.totals.withdrawn], [3_000_000n, 1_000_000n]);
    assert.ok(its.check.agrees);
    const mine = await readStatement(consumer.market, consumer.address);
    assert.deepEqual(kinds(mine).slice(-2), ["Transferred", "Withdrawn"]);
    assert.deepEqual([mine.totals.given, mine.totals.withdrawn], [3_000_000n, 2_000_000n]);
    assert.ok(mine.check.agrees);
  });

  it("follows an owner's stake back and on to another node, and earnings out", async () => {
    const owner = await chain.account(1_000);
    await owner.market.deposit(400_000_000n);
    const [first, second] = await Promise.all([0, 1].map(() => privateKeyToAccount(generatePrivateKey())));
    assert.ok(first && second);
    await owner.market.registerNode(first, aProfile());
    await owner.market.registerNode(second, aProfile());
    await owner.market.stake(first.address, 150_000_000n);
    await call(owner.market, {
      contract: "nodeRegistry",
      name: "migrate",
      args: [first.address, second.address],
    });
    const its = await readStatement(owner.market, owner.address);
    assert.deepEqual(kinds(its), ["Deposited", "StakeMoved", "StakeMigrated"]);
    assert.deepEqual(
      [...its.stakes],
      [
        [first.address, 0n],
        [second.address, 150_000_000n],
      ],
    );
    assert.deepEqual(its.check.differences, []);

    const { earnings } = await provider.market.account(provider.owner);
    await provider.market.withdrawEarnings(earnings);
    const paid = await readStatement(provider.market, provider.owner);
    assert.equal(kinds(paid).at(-1), "EarningsWithdrawn");
    assert.equal(paid.now.earnings, 0n);
    assert.ok(paid.check.agrees);
  });

  it("follows a bond: posted with a claim, then back without a verdict, or to the owner who had delivered", async () => {
    const lapsed = await claimUndelivered();
    const posted = await readStatement(consumer.market, consumer.address);
    assert.equal(kinds(posted).at(-1), "BondPosted");
    assert.ok(posted.check.agrees);
    await assert.rejects(provider.market.lapseClaim(lapsed), /that is possible after/);
    await pass(40);
    await provider.market.lapseClaim(lapsed);
    const back = await readStatement(consumer.market, consumer.address);
    assert.equal(kinds(back).at(-1), "BondReturned");
    assert.equal(back.now.free - posted.now.free, 1_000_000n);
    assert.ok(back.check.agrees);

    const answered = await claimUndelivered();
    const before = await readStatement(provider.market, provider.owner);
    await call(provider.market, {
      contract: "taskRegistry",
      name: "answerWithReceipt",
      args: [answered, await receiptFor(answered)],
    });
    const won = await readStatement(provider.market, provider.owner);
    assert.equal(kinds(won).at(-1), "BondAwarded");
    assert.equal(won.now.earnings - before.now.earnings, 1_000_000n);
    assert.deepEqual(won.check.differences, []);
    const lost = await readStatement(consumer.market, consumer.address);
    assert.equal(kinds(lost).at(-1), "BondPosted");
    assert.deepEqual(lost.check.differences, []);
    for (const leaseId of [lapsed, answered]) await consumer.market.approve(leaseId);
  });

  it("knows every event of the escrow, but for those that move nobody's account", async () => {
    const nobodys = ["FeesWithdrawn", "ForfeitedBurned"];
    const events = paymentEscrowAbi.filter((item): item is typeof item & AbiEvent => item.type === "event");
    const unknown = events.filter((event) => movedBy(anyLogOf(event)) === undefined);
    assert.deepEqual(unknown.map(({ name }) => name).toSorted(), [...nobodys].toSorted());
  });

  it("is asked for again where the RPC's logs lag behind its state", async () => {
    let times = 0;
    const lagging = through((logs) => (times++ < 3 ? logs.slice(0, -1) : logs));
    const { check } = await readStatement(lagging, consumer.address);
    assert.ok(check.agrees);
  });

  it("says by how much it does not agree with the chain where an event is missing", async () => {
    const [deposit] = (await readStatement(consumer.market, consumer.address)).lines;
    const hiding = through((logs) =>
      logs.filter(({ transactionHash }) => transactionHash !== deposit?.movement.hash),
    );
    const { check, faulty } = await readStatement(hiding, consumer.address);
    assert.equal(check.agrees, false);
    const [difference, ...others] = check.differences;
    assert.deepEqual(others, []);
    assert.equal(difference?.purse, "free");
    assert.equal((difference?.chain ?? 0n) - (difference?.lines ?? 0n), 100_000_000n);
    assert.ok(faulty.length > 0, "and the balance falls below zero");
  });

  it("is empty for who never moved anything", async () => {
    const nobody = createMarket({ network: chain.network });
    const { lines, check, now } = await readStatement(nobody, `0x${"42".repeat(20)}`);
    assert.deepEqual(lines, []);
    assert.equal(totalOf(now), 0n);
    assert.ok(check.agrees);
  });
});

describe("a runway on chain", () => {
  const read = async () =>
    readRunway(consumer.market, await readStatement(consumer.market, consumer.address));

  it("burns only what runs, and lasts until the run's maximum", async () => {
    const open = await order();
    const waiting = await read();
    assert.equal(waiting.burnPerHour, 0n);
    assert.equal(waiting.idle, reservation(RATE, 600));
    assert.equal(waiting.freeSeconds, undefined);

    const running = await order({ ratePerHour: 2n * RATE });
    const leaseId = await begin(running, 60);
    const runway = await read();
    assert.equal(runway.burnPerHour, 2n * RATE);
    assert.equal(runway.runningLeases, 1);
    assert.equal(runway.idle, reservation(RATE, 600));
    assert.equal(runway.first?.taskId, running);
    const { startedAt } = (await consumer.market.task(running)).lease;
    const { timestamp } = await consumer.market.head();
    assert.equal(runway.accrued, gross(2n * RATE, timestamp - startedAt));
    assert.equal(runway.first?.seconds, 600n - (timestamp - startedAt));
    const { free } = await consumer.market.account(consumer.address);
    assert.equal(runway.freeSeconds, (free * 3600n) / (2n * RATE));

    await settle(running, leaseId);
    await consumer.market.cancel(open);
    assert.deepEqual((await read()).idle, 0n);
  });
});
