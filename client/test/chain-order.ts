import type { Market } from "@dekuper/client";
import type { Order } from "@dekuper/protocol";

/** A small order that a node of `aProfile` takes, as the chain takes it: ten minutes at 6 dollars an hour. */
export async function aChainOrder(market: Market, change: Partial<Order> = {}): Promise<Order> {
  const { timestamp } = await market.head();
  return {
    specDigest: `0x${"aa".repeat(32)}`,
    leases: 1,
    threshold: 0,
    maxAttempts: 1,
    isPrivate: false,
    gpus: 0,
    gpuModel: "",
    vCpus: 1,
    memoryMiB: 256n,
    storageMiB: 1024n,
    isolation: 0,
    maxDuration: 600,
    fundedSeconds: 600,
    ratePerHour: 6_000_000n,
    startWindow: 120,
    failoverAfter: 10,
    openUntil: timestamp + 300n,
    verification: 0,
    ...change,
  };
}
