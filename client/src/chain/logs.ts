import type { Network } from "@dekuper/protocol";
import type { Address, Hex, PublicClient, RpcLog } from "viem";
import { rpcFailure } from "./errors.ts";

/** Topics as `eth_getLogs` takes them: undefined matches anything there, a list any of its own. */
export type TopicFilter = readonly (Hex | readonly Hex[] | undefined)[];

/** Blocks that the first request asks for; RPCs that refuse get half as many, down to 1. */
const FIRST_RANGE = 10_000n;
const LARGEST_RANGE = 100_000n;

/** All logs of these contracts that match any of the filters, oldest first, in ranges that the RPC takes. */
export async function getLogsInRanges(
  client: PublicClient,
  network: Network,
  query: { address: readonly Address[]; filters: readonly TopicFilter[]; fromBlock: bigint; toBlock: bigint },
): Promise<RpcLog[]> {
  const found: RpcLog[] = [];
  let range = FIRST_RANGE;
  let from = query.fromBlock;
  while (from <= query.toBlock) {
    const to = from + range - 1n < query.toBlock ? from + range - 1n : query.toBlock;
    try {
      const pages = await Promise.all(
        query.filters.map((topics) => page(client, query.address, topics, from, to)),
      );
      found.push(...pages.flat());
      from = to + 1n;
      if (range < LARGEST_RANGE) range *= 2n;
    } catch (cause) {
      if (range === 1n || !isRefusal(cause)) throw rpcFailure(cause, network);
      range = range > 8n ? range / 4n : 1n;
    }
  }
  return unique(found).sort(byPosition);
}

function page(
  client: PublicClient,
  address: readonly Address[],
  topics: TopicFilter,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<RpcLog[]> {
  return client.request({
    method: "eth_getLogs",
    params: [
      {
        address: [...address],
        topics: topics.map((topic) => (typeof topic === "object" ? [...topic] : (topic ?? null))),
        fromBlock: `0x${fromBlock.toString(16)}`,
        toBlock: `0x${toBlock.toString(16)}`,
      },
    ],
  });
}

/** The RPC answered and said no (range or result too large), as against not answering. */
function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === "number" && code !== -32_601;
}

function unique(logs: readonly RpcLog[]): RpcLog[] {
  return [...new Map(logs.map((log) => [`${log.blockHash}:${log.logIndex}`, log])).values()];
}

function byPosition(left: RpcLog, right: RpcLog): number {
  return (
    Number(left.blockNumber ?? 0) - Number(right.blockNumber ?? 0) ||
    Number(left.logIndex ?? 0) - Number(right.logIndex ?? 0)
  );
}

/** The last block at or before a chain time, by bisection: no index is needed to find where a task began. */
export async function blockAtTime(
  client: PublicClient,
  bounds: { from: bigint; to: bigint },
  timestamp: bigint,
): Promise<bigint> {
  let low = bounds.from;
  let high = bounds.to;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    const block = await client.getBlock({ blockNumber: middle });
    if (block.timestamp < timestamp) low = middle;
    else high = middle - 1n;
  }
  return low;
}
