import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Deployment, isDekuperError } from "@dekuper/protocol";
import { checkNetwork, origin } from "../../src/chain/checks.ts";
import { aDeployment, readerOf } from "./builders.ts";
import { FakeChain } from "./fake-chain.ts";

const PRODUCTION = 8453;

async function check(t: TestContext, chains: FakeChain[], change: Partial<Deployment> = {}) {
  const { reader, rpcs } = await readerOf(t, chains);
  return { rpcs, checked: () => checkNetwork(reader, aDeployment(chains[0] as FakeChain, change)) };
}

describe("the network check", () => {
  it("passes where chain, deployment block and contracts are those of the network file", async (t) => {
    const { checked } = await check(t, [new FakeChain(5), new FakeChain(7)]);
    await checked();
  });

  it("is NETWORK_MISMATCH where any RPC serves another chain id", async (t) => {
    const other = new FakeChain(5);
    other.chainId = 1;
    const { checked } = await check(t, [new FakeChain(5), other]);
    await assert.rejects(checked(), (error) => {
      assert.ok(isDekuperError(error, "NETWORK_MISMATCH"));
      assert.deepEqual([error.details.got, error.details.expected], [1, 31337]);
      return true;
    });
  });

  it("is CONTRACT_MISSING where there is no code", async (t) => {
    const chain = new FakeChain(5);
    chain.code = "0x";
    const { checked } = await check(t, [chain]);
    await assert.rejects(checked(), { code: "CONTRACT_MISSING", retryable: false });
  });

  it("is CHAIN_CHANGED where the deployment block has another hash", async (t) => {
    const { checked } = await check(t, [new FakeChain(5)], { deploymentBlockHash: `0x${"ee".repeat(32)}` });
    await assert.rejects(checked(), { code: "CHAIN_CHANGED", retryable: false });
  });

  it("is CHAIN_CHANGED where a dev chain was started anew and is still shorter", async (t) => {
    const { checked } = await check(t, [new FakeChain(5)], { deploymentBlock: 9 });
    await assert.rejects(checked(), { code: "CHAIN_CHANGED" });
  });

  it("waits for an RPC that has not got so far elsewhere: not there yet is not another chain", async (t) => {
    const chain = new FakeChain(5);
    chain.chainId = PRODUCTION;
    const { checked } = await check(t, [chain], { deploymentBlock: 9 });
    await assert.rejects(checked(), { code: "RPC_UNAVAILABLE", retryable: true });
  });

  it("needs one RPC that answers, and waits when none does", async (t) => {
    const { checked, rpcs } = await check(t, [new FakeChain(5), new FakeChain(5)]);
    const [first, second] = rpcs;
    assert.ok(first && second);
    first.mood = "down";
    await checked();
    second.mood = "garbage";
    await assert.rejects(checked(), { code: "RPC_UNAVAILABLE", retryable: true });
  });

  it("names an RPC without the key that its path or query carries", () =>
    assert.equal(origin("https://rpc.example/v3/secret?key=secret"), "https://rpc.example"));
});
