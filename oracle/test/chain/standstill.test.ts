import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { STANDSTILL_MS, StandstillWatch } from "../../src/chain/standstill.ts";
import { readerOf } from "./builders.ts";
import { FakeChain } from "./fake-chain.ts";

async function watch(t: TestContext, client: string | undefined, chainId = 31337) {
  const chain = new FakeChain(5);
  const { reader, rpcs, clock } = await readerOf(t, [chain]);
  const [rpc] = rpcs;
  assert.ok(rpc);
  const asked: unknown[][] = [];
  if (client !== undefined) {
    rpc.handlers.set("web3_clientVersion", () => client);
    for (const method of ["anvil_setIntervalMining", "evm_setIntervalMining"])
      rpc.handlers.set(method, (...params: unknown[]) => {
        asked.push([method, ...params]);
        return true;
      });
  }
  const standstill = new StandstillWatch(reader, chainId, clock);
  const after = async (ms: number) => {
    clock.ms += ms;
    await reader.look();
    return (await standstill.check())?.code;
  };
  await after(0);
  return { chain, rpc, asked, after };
}

const { local, other } = STANDSTILL_MS;

describe("a head that stands still", () => {
  it("is no matter for a while, nor while it moves", async (t) => {
    const { chain, asked, after } = await watch(t, "anvil/v1.7.1");
    for (let block = 0; block < 4; block++) {
      assert.equal(await after(local - 1), undefined);
      chain.mine();
    }
    assert.deepEqual(asked, []);
  });

  it("is asked once for interval mining, in the unit of its client", async (t) => {
    const anvil = await watch(t, "anvil/v1.7.1");
    assert.equal(await anvil.after(local), undefined);
    assert.deepEqual(anvil.asked, [["anvil_setIntervalMining", 1]]);
    const hardhat = await watch(t, "HardhatNetwork/3.17.0/@nomicfoundation/edr/0.12");
    assert.equal(await hardhat.after(local), undefined);
    assert.deepEqual(hardhat.asked, [["evm_setIntervalMining", 1000]]);
  });

  it("gets time to do so, is CHAIN_STANDS_STILL if it does not, and is asked again after it has moved", async (t) => {
    const { chain, asked, after } = await watch(t, "anvil/v1.7.1");
    await after(local);
    assert.equal(await after(local - 1), undefined);
    assert.equal(await after(1), "CHAIN_STANDS_STILL");
    assert.equal(asked.length, 1);
    chain.mine();
    assert.equal(await after(1), undefined);
    assert.equal(await after(local), undefined);
    assert.equal(asked.length, 2);
  });

  it("is CHAIN_STANDS_STILL at once where interval mining is not served", async (t) => {
    const { rpc, after } = await watch(t, undefined);
    assert.equal(await after(local), "CHAIN_STANDS_STILL");
    assert.equal(await after(1), "CHAIN_STANDS_STILL");
    assert.equal(rpc.count("web3_clientVersion"), 1);
  });

  it("is never asked to mine on a chain that is not a dev chain, and gets longer there", async (t) => {
    const { asked, after } = await watch(t, "anvil/v1.7.1", 8453);
    assert.equal(await after(other - 1), undefined);
    assert.equal(await after(1), "CHAIN_STANDS_STILL");
    assert.deepEqual(asked, []);
  });

  it("is not told from an RPC that is away", async (t) => {
    const { rpc, after } = await watch(t, "anvil/v1.7.1");
    rpc.mood = "down";
    assert.equal(await after(other * 2), undefined);
  });
});
