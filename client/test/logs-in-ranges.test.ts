import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blockAtTime, getLogsInRanges } from "@dekuper/client";
import type { Network } from "@dekuper/protocol";
import { hexToNumber, numberToHex, type PublicClient, RpcRequestError } from "viem";
import { address } from "./builders.ts";

const network = { rpcUrls: ["http://rpc.example"] } as unknown as Network;

/** A chain with a log in every hundredth block, whose RPC answers for at most `most` blocks at once. */
function stub(most: number) {
  const asked: [number, number][] = [];
  const request = async ({ params }: { params: [{ fromBlock: `0x${string}`; toBlock: `0x${string}` }] }) => {
    const [from, to] = [hexToNumber(params[0].fromBlock), hexToNumber(params[0].toBlock)];
    asked.push([from, to]);
    if (to - from + 1 > most) {
      throw new RpcRequestError({ body: {}, url: "", error: { code: -32_005, message: "range too large" } });
    }
    const logs = [];
    for (let block = Math.ceil(from / 100) * 100; block <= to; block += 100) {
      logs.push({ blockNumber: numberToHex(block), blockHash: numberToHex(block), logIndex: "0x0" });
    }
    return logs;
  };
  return { client: { request } as unknown as PublicClient, asked };
}

const query = (toBlock: bigint) => ({
  address: [address(1)],
  filters: [[undefined]],
  fromBlock: 1n,
  toBlock,
});

describe("getLogsInRanges", () => {
  it("asks for as many blocks as the RPC takes, and gets every log once and in order", async () => {
    for (const most of [1_000_000, 10_000, 1_234, 7]) {
      const { client } = stub(most);
      const logs = await getLogsInRanges(client, network, query(most === 7 ? 500n : 25_000n));
      const blocks = logs.map(({ blockNumber }) => hexToNumber(blockNumber ?? "0x0"));
      assert.deepEqual(
        blocks,
        Array.from({ length: most === 7 ? 5 : 250 }, (_, index) => (index + 1) * 100),
      );
    }
  });

  it("needs few requests for a long history where the RPC allows it", async () => {
    const { client, asked } = stub(1_000_000);
    await getLogsInRanges(client, network, query(1_000_000n));
    assert.ok(asked.length < 20, `${asked.length} requests`);
  });

  it("does not take silence for emptiness", async () => {
    const client = {
      request: async () => {
        throw new Error("socket hang up");
      },
    } as unknown as PublicClient;
    await assert.rejects(getLogsInRanges(client, network, query(10n)), { code: "RPC_UNAVAILABLE" });
  });
});

describe("blockAtTime", () => {
  it("finds a block before which nothing of that time can be, in few steps", async () => {
    let reads = 0;
    const client = {
      getBlock: async ({ blockNumber }: { blockNumber: bigint }) => {
        reads += 1;
        return { timestamp: 1_000n + blockNumber * 2n };
      },
    } as unknown as PublicClient;
    assert.equal(await blockAtTime(client, { from: 5n, to: 1_000_000n }, 2_000n), 499n);
    assert.ok(reads <= 21);
    assert.equal(await blockAtTime(client, { from: 5n, to: 1_000_000n }, 0n), 5n);
  });
});
