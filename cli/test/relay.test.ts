/** A relay, over HTTP, against a real chain: what it carries for consumers without coin, and what it refuses (rule 29). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createMarket, type Market, openRelay, walletClientOf, watchTopUps } from "@dekuper/client";
import {
  demoDollarAbi,
  encodeRelayBatch,
  type ForwardRequest,
  forwarderAbi,
  forwarderDomain,
  forwardRequestTypes,
  paymentEscrowAbi,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, encodeFunctionData, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { freePort, startTestChain, type TestChain } from "../../client/test/chain.ts";
import { aChainOrder } from "../../client/test/chain-order.ts";
import { startTestProvider } from "../../client/test/provider.ts";
import { Carrier, type RelayEvent } from "../src/relay/carrier.ts";
import { startRelayServer } from "../src/relay/server.ts";

const FEE = 50_000n;
const COIN = 10n ** 18n;

interface Answered {
  readonly status: number;
  readonly hash?: Hex;
  readonly error?: { readonly code: string; readonly message: string };
}

describe("a relay", () => {
  let chain: TestChain;
  let relayer: { market: Market & { wallet: NonNullable<Market["wallet"]> }; address: Address };
  let url = "";
  const events: RelayEvent[] = [];
  const stops: (() => Promise<void>)[] = [];

  /** A relay of the relayer's with its own limits, and a fee that may change. */
  async function aRelay(
    limits: Partial<{ perMinute: number; maxCost: bigint }> = {},
    asks = { fee: FEE },
  ): Promise<string> {
    const { deployment } = chain.network;
    const rules = {
      deployment,
      relayer: relayer.address,
      get fee() {
        return asks.fee;
      },
    };
    const carrier = new Carrier({
      market: relayer.market,
      rules,
      limits: { perMinute: 100, maxCost: COIN, ...limits },
      onEvent: (event) => events.push(event),
    });
    const server = await startRelayServer({ host: "127.0.0.1", port: 0, rules, carrier });
    stops.push(server.stop);
    return server.url;
  }

  before(async () => {
    chain = await startTestChain();
    const { market, address } = await chain.account(0);
    const { wallet } = market;
    assert.ok(wallet !== undefined);
    relayer = { market: { ...market, wallet }, address };
    url = await aRelay();
  });
  after(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await chain?.stop();
  });

  /** A consumer with 100 dollars and no coin at all, whose market sends by the relay. */
  async function penniless(by = url) {
    const { key, address, market: direct } = await chain.account(100);
    await chain.control.setBalance({ address, value: 0n });
    const { network } = chain;
    const token = await direct.token();
    const relay = await openRelay({ url: by, network, token, maxFee: 1_000_000n });
    const account = privateKeyToAccount(key);
    return {
      account,
      address,
      market: createMarket({ network, walletClient: walletClientOf(network, account), relay }),
    };
  }
  type Consumer = Awaited<ReturnType<typeof penniless>>;

  const escrowCall = (functionName: "transferFree" | "withdraw", to: Address, amount: bigint) => ({
    to: chain.network.deployment.paymentEscrow,
    data: encodeFunctionData({ abi: paymentEscrowAbi, functionName, args: [to, amount] }),
  });
  const pay = (amount = FEE, to = relayer.address) => escrowCall("transferFree", to, amount);

  /** Calls that the consumer signs by hand, at its next nonces. */
  async function signed(
    { account, market }: Consumer,
    calls: readonly { readonly to: Address; readonly data: Hex }[],
    change: Partial<ForwardRequest> = {},
  ): Promise<ForwardRequest[]> {
    const { chainId, forwarder } = chain.network.deployment;
    const contract = { address: forwarder, abi: forwarderAbi } as const;
    const nonce = await market.publicClient.readContract({
      ...contract,
      functionName: "nonces",
      args: [account.address],
    });
    const { timestamp } = await market.head();
    return Promise.all(
      calls.map(async (call, index) => {
        const fields = {
          from: account.address,
          value: 0n,
          gas: 300_000n,
          deadline: Number(timestamp) + 600,
          ...call,
          ...change,
        };
        const message = { ...fields, nonce: nonce + BigInt(index) };
        const domain = forwarderDomain(chainId, forwarder);
        const typed = { domain, types: forwardRequestTypes, primaryType: "ForwardRequest", message } as const;
        return { ...fields, signature: await account.signTypedData(typed) };
      }),
    );
  }

  async function post(body: string, to = url): Promise<Answered> {
    const response = await fetch(to, { method: "POST", body });
    return { status: response.status, ...((await response.json()) as object) };
  }
  const carry = (requests: readonly ForwardRequest[], to = url) => post(encodeRelayBatch(requests), to);
  const sentByRelayer = () => relayer.market.publicClient.getTransactionCount({ address: relayer.address });
  const freeOfRelayer = async () => (await relayer.market.account(relayer.address)).free;

  it("carries a consumer without any coin from the deposit to the cancel, and is paid in the payment token", async () => {
    const { market, address } = await penniless();
    const before = await freeOfRelayer();
    await market.deposit(40_000_000n);
    const order = await aChainOrder(market, { maxDuration: 600, fundedSeconds: 300 });
    const { taskId, reserved } = await market.createTask(order);
    assert.equal(reserved, 500_000n);
    await market.topUp(taskId, 360);
    assert.equal((await market.task(taskId)).task.consumer, address);
    assert.equal((await market.task(taskId)).task.fundedSeconds, 360);
    await market.cancel(taskId);
    const account = await market.account(address);
    assert.equal(account.free, 40_000_000n - 4n * FEE);
    assert.equal(account.walletBalance, 60_000_000n);
    assert.equal(account.gasBalance, 0n);
    assert.equal(await market.publicClient.getTransactionCount({ address }), 0);
    assert.equal((await freeOfRelayer()) - before, 4n * FEE);
    await market.withdraw(account.free - FEE);
    assert.equal((await market.account(address)).free, 0n);
  });

  it("carries what a watch tops up by itself, once, though others watch too", async () => {
    const provider = await startTestProvider(chain);
    const { market, address } = await penniless(await aRelay());
    await market.deposit(40_000_000n);
    const change = { maxDuration: 1_000, fundedSeconds: 200, ratePerHour: 3_600_000n };
    const { taskId, leaseId } = await market.createTask(await aChainOrder(market, change));
    await provider.accept(taskId);
    await provider.start(leaseId);
    const { free } = await market.account(address);
    const stop = new AbortController();
    const { signal } = stop;
    const rules = { cap: 300_000n, stepSeconds: 100, leadSeconds: 3_600, noticeSeconds: 0 };
    const reserved: bigint[] = [];
    const watch = async () => {
      const memory = { load: async () => undefined, save: async () => undefined };
      for await (const event of watchTopUps({ market, taskId, rules, memory, pollMs: 100, signal })) {
        if (event.kind === "toppedUp") reserved.push(event.reserved);
        if (event.kind === "hindered") stop.abort();
      }
    };
    await Promise.all([watch(), watch()].map((ended) => ended.catch(() => undefined)));
    assert.deepEqual(reserved, [100_000n, 100_000n, 100_000n]);
    assert.equal((await market.task(taskId)).task.fundedSeconds, 500);
    const after = await market.account(address);
    assert.equal(free - after.free, 300_000n + 3n * FEE);
    assert.equal(after.gasBalance, 0n);
  });

  it("says what is missing before anything is signed", async () => {
    const { market, address } = await penniless();
    await assert.rejects(market.createTask(await aChainOrder(market)), { code: "INSUFFICIENT_FUNDS" });
    await assert.rejects(market.withdraw(1n), { code: "INSUFFICIENT_FUNDS" });
    await assert.rejects(market.stake(address, 1n), {
      code: "RELAY_REFUSED",
      message: /only a consumer's calls can be carried/,
    });
    await assert.rejects(market.deposit(1_000_000n, { permit: false }), {
      code: "RELAY_REFUSED",
      message: /No relay can approve the deposit/,
    });
  });

  it("refuses a batch that does not pay it, or pays it too little, or somebody else", async () => {
    const poor = await penniless();
    await poor.market.deposit(10_000_000n);
    const sent = await sentByRelayer();
    const withdraw = escrowCall("withdraw", poor.address, 1_000_000n);
    for (const calls of [[withdraw], [withdraw, pay(FEE - 1n)], [withdraw, pay(FEE, poor.address)]]) {
      const { status, error } = await carry(await signed(poor, calls));
      assert.equal(status, 422);
      assert.equal(error?.code, "fee-missing");
      assert.match(error?.message ?? "", /the fee is 50000\.$/);
    }
    // The fee is there, but would not move.
    const all = escrowCall("withdraw", poor.address, 10_000_000n - FEE);
    const { error } = await carry(await signed(poor, [all, pay()]));
    assert.equal(error?.code, "would-fail");
    assert.equal(await sentByRelayer(), sent, "nothing was sent");
  });

  it("refuses a replay, also of what was changed on the way", async () => {
    const poor = await penniless();
    await poor.market.deposit(10_000_000n);
    const requests = await signed(poor, [escrowCall("withdraw", poor.address, 1_000_000n), pay()]);
    const { hash } = await carry(requests);
    assert.ok(hash !== undefined);
    await poor.market.publicClient.waitForTransactionReceipt({ hash });
    const sent = await sentByRelayer();
    const [withdraw, fee] = requests as [ForwardRequest, ForwardRequest];
    const changed = { ...withdraw, gas: withdraw.gas + 1n };
    for (const batch of [requests, [fee], [changed, fee], [fee, withdraw]]) {
      const { error, status } = await carry(batch);
      assert.deepEqual([status, error?.code], [422, "replayed"]);
    }
    assert.equal(await sentByRelayer(), sent);
    assert.equal((await poor.market.account(poor.address)).walletBalance, 91_000_000n);
  });

  it("refuses other targets, other calls, other signers and what is too late", async () => {
    const poor = await penniless();
    const other = await penniless();
    await poor.market.deposit(10_000_000n);
    const { token, nodeRegistry, taskRegistry, paymentEscrow } = chain.network.deployment;
    const transfer = encodeFunctionData({
      abi: demoDollarAbi,
      functionName: "transfer",
      args: [relayer.address, 1n],
    });
    const settle = encodeFunctionData({
      abi: taskRegistryAbi,
      functionName: "settle",
      args: [`0x${"01".repeat(32)}`],
    });
    const refused = async (requests: readonly ForwardRequest[], code: string, message: RegExp) => {
      const { error } = await carry(requests);
      assert.equal(error?.code, code, error?.message);
      assert.match(error?.message ?? "", message);
    };
    await refused(
      await signed(poor, [{ to: token, data: transfer }, pay()]),
      "other-target",
      new RegExp(`requests\\.0\\.to: got ${token}, expected`),
    );
    await refused(
      await signed(poor, [pay(), { to: nodeRegistry, data: settle }]),
      "other-target",
      /requests\.1\.to/,
    );
    await refused(
      await signed(poor, [{ to: taskRegistry, data: settle }, pay()]),
      "other-call",
      /requests\.0\.data: got settle, expected one of/,
    );
    await refused(
      await signed(poor, [{ to: paymentEscrow, data: "0x12345678" }, pay()]),
      "other-call",
      /no call of that contract/,
    );
    await refused(
      [...(await signed(poor, [pay()])), ...(await signed(other, [pay()]))],
      "other-signer",
      /requests\.1\.from/,
    );
    await refused(
      await signed(poor, [pay()], { deadline: 1 }),
      "expired",
      /requests\.0\.deadline: got 1, expected/,
    );
    const [own] = await signed(poor, [pay()]);
    await refused([{ ...(own as ForwardRequest), from: other.address }], "replayed", /not of 0x/);
  });

  it("names what is no batch", async () => {
    const refused = async (body: string, status: number, message: RegExp) => {
      const answer = await post(body);
      assert.equal(answer.status, status);
      assert.match(answer.error?.message ?? "", message);
    };
    await refused("{", 400, /not JSON/);
    await refused("{}", 400, /^requests: /);
    await refused('{"requests":[]}', 400, /^requests: /);
    const [request] = await signed(await penniless(), [pay()]);
    const text = encodeRelayBatch([request as ForwardRequest]);
    await refused(text.replace('"value":"0"', '"value":"1"'), 400, /^requests\.0\.value: expected "0"/);
    await refused(
      text.replace(/"to":"0x\w+"/, '"to":"0x12"'),
      400,
      /^requests\.0\.to: expected 0x and 40 hex digits/,
    );
    await refused(" ".repeat(1024 * 1024 + 1), 413, /more than 1048576 bytes/);
    assert.equal((await fetch(`${url}other`)).status, 404);
    assert.equal((await fetch(url, { method: "PUT" })).status, 405);
  });

  it("sends one of two copies that come together, and many consumers' batches in order", async () => {
    const poor = await penniless();
    await poor.market.deposit(10_000_000n);
    const sent = await sentByRelayer();
    const requests = await signed(poor, [escrowCall("withdraw", poor.address, 1_000_000n), pay()]);
    const answers = await Promise.all([carry(requests), carry(requests), carry(requests)]);
    assert.equal(answers.filter(({ hash }) => hash !== undefined).length, 1);
    for (const { hash, error } of answers)
      assert.ok(hash !== undefined || /in-flight|replayed/.test(error?.code ?? ""));
    const crowd: Consumer[] = [];
    while (crowd.length < 5) crowd.push(await penniless());
    await Promise.all(crowd.map(({ market }) => market.deposit(1_000_000n)));
    assert.equal(await sentByRelayer(), sent + 6);
  });

  it("bounds what one consumer may have carried, and what one batch may cost", async () => {
    const twice = await penniless(await aRelay({ perMinute: 2 }));
    await twice.market.deposit(1_000_000n);
    await twice.market.deposit(1_000_000n);
    await assert.rejects(twice.market.deposit(1_000_000n), {
      code: "RELAY_REFUSED",
      message: /2 batches a minute/,
    });
    const dear = await penniless(await aRelay({ maxCost: 1_000n }));
    await assert.rejects(dear.market.deposit(1_000_000n), {
      code: "RELAY_REFUSED",
      message: /at most 0\.000000000000001 are spent on one/,
    });
  });

  it("is paid what it asks now, where it has changed its fee, and never more than was allowed", async () => {
    const asks = { fee: FEE };
    const { market, address } = await penniless(await aRelay({}, asks));
    await market.deposit(10_000_000n);
    asks.fee = 70_000n;
    await assert.rejects(market.withdraw(1_000_000n), {
      code: "RELAY_REFUSED",
      message: /the fee is 70000/,
      retryable: true,
    });
    assert.equal(market.relayFee, 70_000n);
    await market.withdraw(1_000_000n);
    assert.equal((await market.account(address)).free, 9_000_000n - FEE - 70_000n);
    asks.fee = 1_000_001n;
    await assert.rejects(market.withdraw(1_000_000n), {
      code: "RELAY_REFUSED",
      message: /asks 1\.000001 dUSD for each transaction, at most 1 dUSD/,
    });
  });

  it("does not listen for an hour to who made it pay for nothing", async () => {
    const cheat = await penniless();
    await cheat.market.deposit(10_000_000n);
    const requests = await signed(cheat, [escrowCall("withdraw", cheat.address, 1_000_000n), pay()]);
    const rival = (await chain.account(0)).market.wallet;
    await chain.control.setAutomine(false);
    try {
      const { hash } = await carry(requests);
      assert.ok(hash !== undefined);
      // The cheat has the same nonce used by somebody else, who pays more to be first.
      const first = await signed(cheat, [escrowCall("withdraw", cheat.address, 9_000_000n)]);
      await rival?.writeContract({
        address: chain.network.deployment.forwarder,
        abi: forwarderAbi,
        functionName: "executeBatch",
        args: [first, "0x0000000000000000000000000000000000000000"],
        gas: 500_000n,
        maxFeePerGas: 100_000_000_000n,
        maxPriorityFeePerGas: 50_000_000_000n,
        chain: null,
      } as never);
      await chain.control.mine({ blocks: 1 });
    } finally {
      await chain.control.setAutomine(true);
    }
    for (let turn = 0; turn < 100 && !events.some(({ kind }) => kind === "failed"); turn++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(events.some((event) => event.kind === "failed" && event.from === cheat.address));
    const { error } = await carry(await signed(cheat, [pay()]));
    assert.equal(error?.code, "too-many");
    assert.match(error?.message ?? "", /failed on chain; it is heard again at 20/);
  });

  it("is not used by a client where it serves another market, asks too much, or is none", async () => {
    const { market } = await chain.account(0);
    const token = await market.token();
    const open = (change: Partial<Parameters<typeof openRelay>[0]>) =>
      openRelay({ url, network: chain.network, token, maxFee: FEE, ...change });
    await assert.rejects(open({ maxFee: FEE - 1n }), {
      code: "RELAY_REFUSED",
      message: /asks 0\.05 dUSD for each transaction, at most 0\.049999 dUSD/,
    });
    const { deployment } = chain.network;
    const another = { ...chain.network, deployment: { ...deployment, forwarder: deployment.token } };
    await assert.rejects(open({ network: another }), { code: "RELAY_REFUSED", message: /not this market/ });
    await assert.rejects(open({ url: `http://127.0.0.1:${await freePort()}` }), {
      code: "RELAY_UNAVAILABLE",
      retryable: true,
    });
    await assert.rejects(open({ url: chain.rpcUrl }), { code: "RELAY_UNAVAILABLE" });
  });
});
