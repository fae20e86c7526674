import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { taskRegistryAbi } from "@dekuper/protocol";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { payOf, startOracle } from "./running-oracle.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

describe("a claim that an output was not delivered (rules 20 and 23)", () => {
  it("that nobody judges is lapsed by the node itself: the bond goes back, and the run is paid", async (t) => {
    const oracle = await startOracle(t, chain);
    const { market, address } = oracle.consumer;
    const { leaseId } = await oracle.order();
    await oracle.untilStatus(leaseId, "Running");
    await oracle.until("a checkpoint", async () => (await oracle.lease(leaseId)).lastStep > 0n);
    oracle.cluster.exit();
    await oracle.untilStatus(leaseId, "Completed");
    const { free } = await market.account(address);

    const { wallet, publicClient, network } = market;
    assert.ok(wallet?.account);
    const hash = await wallet.writeContract({
      account: wallet.account,
      chain: wallet.chain ?? null,
      address: network.deployment.taskRegistry,
      abi: taskRegistryAbi,
      functionName: "claimUndelivered",
      args: [leaseId],
    });
    assert.equal((await publicClient.waitForTransactionReceipt({ hash })).status, "success");
    await oracle.untilStatus(leaseId, "Disputed");
    assert.ok((await market.account(address)).free < free, "the bond is at risk");

    await oracle.pass(20);
    await oracle.caughtUp();
    assert.equal((await oracle.lease(leaseId)).status, "Disputed", "it may be answered still");
    await oracle.pass(20);
    await oracle.untilStatus(leaseId, "Settled");
    const { billedSeconds, ratePerHour } = await oracle.lease(leaseId);
    assert.ok(billedSeconds > 0n);
    assert.equal((await oracle.money()).earned, payOf(billedSeconds, ratePerHour));
    assert.ok((await market.account(address)).free >= free, "the bond is back");
  });
});
