import { getAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import {
  type Order,
  orderHash,
  type Quote,
  type QuoteRequest,
  quoteTypedData,
  type SignedQuote,
} from "../src/index.ts";

export const NOW = 1_800_000_000;
export const chainId = 31337;
export const taskRegistry = getAddress(`0x${"a2".repeat(20)}`);
export const node = privateKeyToAccount(`0x${"11".repeat(32)}`);
export const consumer = privateKeyToAccount(`0x${"22".repeat(32)}`).address;

/** Three leases of one GPU each, at most 5 an hour a lease. */
export function anOrder(change: Partial<Order> = {}): Order {
  return {
    specDigest: `0x${"5e".repeat(32)}`,
    leases: 3,
    threshold: 0,
    maxAttempts: 2,
    isPrivate: true,
    gpus: 1,
    gpuModel: "NVIDIA-H100-80GB-HBM3",
    vCpus: 4,
    memoryMiB: 2n ** 63n,
    storageMiB: 2048n,
    isolation: 1,
    maxDuration: 600,
    fundedSeconds: 300,
    ratePerHour: 5_000_000n,
    startWindow: 120,
    failoverAfter: 60,
    openUntil: BigInt(NOW + 300),
    verification: 0,
    ...change,
  };
}

export const aRequest = (change: Partial<QuoteRequest> = {}): QuoteRequest => ({
  version: 1,
  order: anOrder(),
  consumer,
  members: [0, 2],
  envelope: { image: `ghcr.io/org/image@sha256:${"ef".repeat(32)}`, inputBytes: 10 },
  ...change,
});

export const aQuote = (change: Partial<Quote> = {}): Quote => ({
  node: node.address,
  consumer,
  orderHash: orderHash(anOrder()),
  memberIndex: 2,
  ratePerHour: 4_000_000n,
  startWindow: 120,
  expiry: BigInt(NOW + 120),
  nonce: 2n ** 200n,
  verification: 0,
  ...change,
});

export async function signed(quote: Quote, by = node): Promise<SignedQuote> {
  return { quote, signature: await by.signTypedData(quoteTypedData(chainId, taskRegistry, quote)) };
}
