import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchDelivery, marketDirectory, memoryCiphertext, memorySink, signerOf } from "@dekuper/client";
import { createNodeClientPeer } from "@dekuper/client/node";
import { livenessAbi, paymentEscrowAbi } from "@dekuper/protocol";
import type { Hex } from "viem";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import { payOf, type RunningOracle, startOracle } from "./running-oracle.ts";

/** The local network's claimBond, and what a seat costs there at least. */
/** Seconds after which the challenge window of the local network is over. */
const WINDOW_OVER = 25;
const BOND = 1_000_000n;
const SEAT = 100_000_000n;

let chain: TestChain;
const committee: RunningOracle[] = [];
const undo: (() => unknown)[] = [];
const scope = { after: (work?: unknown) => undo.push(work as () => unknown) } as Pick<TestContext, "after">;

before(async () => {
  chain = await startTestChain();
  // Three daemons hold seats, and a fourth seat is nobody's: three of four are enough.
  const silent = await startTestProvider(chain);
  for (let seat = 0; seat < 3; seat++) committee.push(await startOracle(scope, chain, { isDialled: true }));
  for (const { market, node } of [silent, ...committee.map(({ provider }) => provider)])
    await bid(market, node);
  await chain.control.increaseTime({ seconds: 31 });
  await liveness(silent.market, "rotate", []);
  // They judge; what is ordered here is for others.
  for (const { provider } of committee) await provider.market.drain(provider.node);
});
after(async () => {
  for (const work of undo.reverse()) await work();
  await chain?.stop();
});

type Market = TestProvider["market"];

async function liveness(market: Market, functionName: "bid" | "rotate", args: readonly unknown[]) {
  const { wallet, publicClient, network } = market;
  assert.ok(wallet?.account);
  const hash = await wallet.writeContract({
    account: wallet.account,
    chain: wallet.chain ?? null,
    address: network.deployment.liveness,
    abi: livenessAbi,
    functionName,
    args,
  } as Parameters<typeof wallet.writeContract>[0]);
  assert.equal((await publicClient.waitForTransactionReceipt({ hash })).status, "success");
}

const bid = (market: Market, node: Hex) => liveness(market, "bid", [node, SEAT]);

/** A daemon whose run has ended, with its result on chain. */
async function delivered(t: TestContext) {
  const oracle = await startOracle(t, chain, { isDialled: true });
  const { leaseId, taskId } = await oracle.order();
  await oracle.untilStatus(leaseId, "Running");
  await oracle.until("a checkpoint", async () => (await oracle.lease(leaseId)).lastStep > 0n);
  oracle.cluster.exit();
  await oracle.untilStatus(leaseId, "Completed");
  const free = () => oracle.consumer.market.account(oracle.consumer.address).then((account) => account.free);
  const bonds = () =>
    oracle.client.readContract({
      address: chain.network.deployment.paymentEscrow,
      abi: paymentEscrowAbi,
      functionName: "totalBonds",
    });
  /** As on a chain of a block a second: peers need real time. */
  const inSeconds = async (seconds: number, isSo: () => Promise<boolean>) => {
    for (let passed = 0; !(await isSo()); passed++) {
      assert.ok(passed < seconds, `it has not come to this in ${seconds} s: ${oracle.events.slice(-12)}`);
      await oracle.mine();
      await sleep(1_000);
    }
  };
  const statusOf = async () => (await oracle.lease(leaseId)).status;
  return { ...oracle, leaseId, taskId, free, bonds, inSeconds, statusOf };
}

type Delivered = Awaited<ReturnType<typeof delivered>>;

async function fetch(t: TestContext, { consumer, key, taskId, spec }: Delivered, givesReceipt: boolean) {
  const { market } = consumer;
  assert.ok(market.wallet);
  const peer = createNodeClientPeer({
    deployment: chain.network.deployment,
    directory: marketDirectory(await market.nodes()),
  });
  await peer.start();
  t.after(() => peer.stop());
  return fetchDelivery({
    market,
    peer,
    signer: signerOf(market.wallet),
    key,
    id: taskId,
    spec,
    store: memoryCiphertext(),
    sink: memorySink(),
    givesReceipt,
  });
}

/** Paid in full, with the bond, once the consumer has nothing more to say. */
async function isPaidWithBond(oracle: Delivered): Promise<void> {
  await oracle.pass(WINDOW_OVER);
  await oracle.untilStatus(oracle.leaseId, "Settled");
  const { billedSeconds, ratePerHour } = await oracle.lease(oracle.leaseId);
  assert.ok(billedSeconds > 0n);
  assert.equal((await oracle.money()).earned, payOf(billedSeconds, ratePerHour) + BOND);
  assert.equal(await oracle.bonds(), 0n);
}

describe("a claim that an output was not delivered, among real daemons (rule 20)", () => {
  it("by a consumer who has fetched it is answered with its own receipt: the bond is the node's", async (t) => {
    const oracle = await delivered(t);
    assert.deepEqual((await fetch(t, oracle, true)).receipt, { kind: "given" });
    await oracle.consumer.market.claimUndelivered(oracle.leaseId);
    await oracle.inSeconds(20, async () => (await oracle.statusOf()) === "Completed");
    await isPaidWithBond(oracle);
  });

  it("without a receipt is answered by attesters that have fetched what its block draws: the bond is the node's", async (t) => {
    const oracle = await delivered(t);
    assert.deepEqual((await fetch(t, oracle, false)).receipt, { kind: "declined" });
    await oracle.consumer.market.claimUndelivered(oracle.leaseId);
    await oracle.inSeconds(25, async () => (await oracle.statusOf()) === "Completed");
    await isPaidWithBond(oracle);
  });

  it("about an output that the node does not give is found right by attesters: no pay, and the bond is back", async (t) => {
    const oracle = await delivered(t);
    await rm(join(oracle.stateDir, "blobs", "output"), { recursive: true });
    const free = await oracle.free();
    await oracle.consumer.market.claimUndelivered(oracle.leaseId);
    await oracle.inSeconds(30, async () => (await oracle.statusOf()) === "Failed");
    assert.equal((await oracle.money()).earned, 0n);
    assert.equal((await oracle.money()).reserved, 0n);
    assert.ok((await oracle.free()) > free, "bond and reservation are back");
    assert.equal(await oracle.bonds(), 0n);
  });

  it("of which the committee says nothing lapses as if it had never been raised", async (t) => {
    const oracle = await delivered(t);
    for (const { oracle: attester } of committee.slice(1)) await attester.stop();
    const free = await oracle.free();
    await oracle.consumer.market.claimUndelivered(oracle.leaseId);
    await oracle.inSeconds(60, async () => (await oracle.statusOf()) !== "Disputed");
    await oracle.pass(WINDOW_OVER);
    await oracle.untilStatus(oracle.leaseId, "Settled");
    const { billedSeconds, ratePerHour } = await oracle.lease(oracle.leaseId);
    assert.equal((await oracle.money()).earned, payOf(billedSeconds, ratePerHour));
    assert.ok((await oracle.free()) >= free, "the bond is back");
  });
});
