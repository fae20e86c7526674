import { deriveTaskKey, type KeyWrap, type Market, type OutputKey, wrapTaskKey } from "@dekuper/client";
import type { Digest, Order, SignedQuote } from "@dekuper/protocol";
import type { Address } from "viem";
import { aChainOrder } from "./chain-order.ts";
import type { TestProvider } from "./provider.ts";

/** The name that a test's sealed spec has: no node of these tests opens it. */
export const SPEC_BLOB: Digest = `0x${"5e".repeat(32)}`;

/** Awards a private order, a lease to each provider, and wraps its key for them and for the standbys, as it is ordered by quotes. */
export async function awardPrivately(
  { market, address: consumer }: { market: Market; address: Address },
  key: Pick<OutputKey, "identity">,
  providers: readonly TestProvider[],
  { standbys = [], order: change = {} }: { standbys?: readonly Address[]; order?: Partial<Order> } = {},
) {
  const order = await aChainOrder(market, {
    isPrivate: true,
    maxAttempts: 3,
    leases: providers.length,
    ...change,
  });
  const taskKey = deriveTaskKey(key);
  const wraps: KeyWrap[] = [];
  for (const node of [...providers.map((provider) => provider.node), ...standbys])
    wraps.push(await wrapTaskKey(taskKey, SPEC_BLOB, consumer, await market.node(node)));
  const quotes: SignedQuote[] = [];
  for (const [index, provider] of providers.entries()) {
    const answer = await provider.quote({ order, consumer, members: [index] } as never);
    if (!("quotes" in answer)) throw new Error("the node quotes not");
    quotes.push(...answer.quotes);
  }
  return { ...(await market.createAndAward(order, quotes, wraps)), taskKey };
}
