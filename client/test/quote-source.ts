import { leaseRate, orderHash, type QuoteAnswer, type QuoteRequest, quoteTypedData } from "@dekuper/protocol";
import { hexToBigInt, type LocalAccount } from "viem";
import { generatePrivateKey } from "viem/accounts";
import type { TestChain } from "./chain.ts";

/** Seconds that a test's quotes hold. */
const LIFE = 200n;

/** What a test's node answers: it has room for so many leases without GPUs, at its posted rate. */
export function quoteSource(from: {
  network: TestChain["network"];
  operator: Pick<LocalAccount, "address" | "signTypedData">;
  /** Of the chain's head. */
  now: () => Promise<bigint>;
  perVCpuHour?: bigint;
  /** Leases of one order [64]. */
  room?: number;
}): (request: QuoteRequest) => Promise<QuoteAnswer> {
  const { operator, perVCpuHour = 1_000_000n, room = 64 } = from;
  const { chainId, taskRegistry } = from.network.deployment;
  return async ({ order, consumer, members }) => {
    const ratePerHour = leaseRate({ perGpuHour: 0n, perVCpuHour }, order);
    const refuse = (reason: string, values: Record<string, string>) => ({ refused: { reason, values } });
    if (order.gpus > 0)
      return refuse("no-free-capacity", { what: "gpus", needs: `${order.gpus}`, free: "0" });
    if (ratePerHour > order.ratePerHour)
      return refuse("rate-above-cap", { asks: `${ratePerHour}`, cap: `${order.ratePerHour}` });
    const expiry = (await from.now()) + LIFE;
    const quotes = members.slice(0, room).map(async (memberIndex) => {
      const quote = {
        node: operator.address,
        consumer,
        orderHash: orderHash(order),
        memberIndex,
        ratePerHour,
        startWindow: order.startWindow,
        expiry: expiry < order.openUntil ? expiry : order.openUntil,
        nonce: hexToBigInt(generatePrivateKey()),
        verification: order.verification,
      };
      const signature = await operator.signTypedData(quoteTypedData(chainId, taskRegistry, quote));
      return { quote, signature };
    });
    return {
      offer: { ratePerHour, startWindow: order.startWindow, members: Math.min(room, order.leases) },
      quotes: await Promise.all(quotes),
    };
  };
}
