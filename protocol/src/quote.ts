import { type Address, type Hex, hashTypedData, recoverAddress } from "viem";
import { orderHash } from "./ids.ts";
import type { Order } from "./order.ts";
import { isQuorum } from "./quorum.ts";
import { taskDomain } from "./typed-data.ts";

export const MAX_LEASES = 64;
export const MAX_ATTEMPTS = 3;
/** The longest that a quote may hold (rule 8, *maxQuoteLife*), seconds. */
export const MAX_QUOTE_LIFE_SECONDS = 300;
/** A consumer's head may be behind the one that a node reckoned from by so many seconds. */
const HEAD_LAG_SECONDS = 30;

/** A node's offer for one lease of one order, to one consumer (rule 8). The contract's `Quote`, field by field. */
export interface Quote {
  readonly node: Address;
  readonly consumer: Address;
  readonly orderHash: Hex;
  /** The lease's index in its task. */
  readonly memberIndex: number;
  /** Base units per hour, whole lease. */
  readonly ratePerHour: bigint;
  /** Seconds from the assignment, or from the key, to the start. */
  readonly startWindow: number;
  /** Unix seconds of the chain's clock. */
  readonly expiry: bigint;
  /** Used once by the contract, in any order. */
  readonly nonce: bigint;
  /** The order's: so that a provider opts in to a quorum. */
  readonly verification: number;
}

export interface SignedQuote {
  readonly quote: Quote;
  readonly signature: Hex;
}

export const quoteTypes = {
  Quote: [
    { name: "node", type: "address" },
    { name: "consumer", type: "address" },
    { name: "orderHash", type: "bytes32" },
    { name: "memberIndex", type: "uint32" },
    { name: "ratePerHour", type: "uint128" },
    { name: "startWindow", type: "uint32" },
    { name: "expiry", type: "uint64" },
    { name: "nonce", type: "uint256" },
    { name: "verification", type: "uint8" },
  ],
} as const;

/** What a node signs: a quote in the TaskRegistry's domain. */
export function quoteTypedData(chainId: number, taskRegistry: Address, quote: Quote) {
  return {
    domain: taskDomain(chainId, taskRegistry),
    types: quoteTypes,
    primaryType: "Quote",
    message: { ...quote },
  } as const;
}

export type QuoteProblem =
  | "other-node"
  | "other-consumer"
  | "other-order"
  | "other-member"
  | "other-verification"
  | "rate-above-cap"
  | "start-window"
  | "expired"
  | "expiry-too-late"
  | "signature";

/** What a consumer asked a node for, and when it reads the answer. */
export interface QuoteExpectation {
  readonly chainId: number;
  readonly taskRegistry: Address;
  readonly node: Address;
  readonly consumer: Address;
  readonly order: Order;
  /** Leases that were asked for, by index. */
  readonly members: readonly number[];
  /** Chain time, Unix seconds. */
  readonly now: number;
}

/** Half the order of secp256k1. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** Why a quote is not what was asked for, or would be refused by the contract now; undefined: it is good. */
export async function quoteProblem(
  { quote, signature }: SignedQuote,
  expected: QuoteExpectation,
): Promise<QuoteProblem | undefined> {
  const { order, now } = expected;
  if (quote.node !== expected.node) return "other-node";
  if (quote.consumer !== expected.consumer) return "other-consumer";
  if (quote.orderHash !== orderHash(order)) return "other-order";
  if (!expected.members.includes(quote.memberIndex)) return "other-member";
  if (quote.verification !== order.verification) return "other-verification";
  if (quote.ratePerHour <= 0n || quote.ratePerHour > order.ratePerHour) return "rate-above-cap";
  if (quote.startWindow <= 0 || quote.startWindow > order.startWindow) return "start-window";
  if (quote.expiry <= now) return "expired";
  if (quote.expiry > now + MAX_QUOTE_LIFE_SECONDS + HEAD_LAG_SECONDS) return "expiry-too-late";
  // The contract's library takes 27 and 28 only, and no larger `s` (EIP-2).
  if (!/1[bc]$/.test(signature) || BigInt(`0x${signature.slice(66, 130)}`) > HALF_ORDER) return "signature";
  const hash = hashTypedData(quoteTypedData(expected.chainId, expected.taskRegistry, quote));
  const signer = await recoverAddress({ hash, signature }).catch(() => undefined);
  return signer === quote.node ? undefined : "signature";
}

/** Why the contract takes no such order, whoever quotes it; undefined: nothing that the order itself shows. */
export function orderProblem(order: Order): string | undefined {
  const { leases, threshold, maxAttempts, maxDuration, fundedSeconds } = order;
  if (leases < 1 || leases > MAX_LEASES) return `leases is 1 to ${MAX_LEASES}`;
  if (maxAttempts < 1 || maxAttempts > MAX_ATTEMPTS) return `maxAttempts is 1 to ${MAX_ATTEMPTS}`;
  if (order.vCpus < 1 || order.memoryMiB < 1n) return "a lease has at least a vCPU and 1 MiB";
  if (order.ratePerHour < 1n) return "ratePerHour is above 0";
  if (order.startWindow < 1) return "startWindow is above 0";
  if (maxDuration < 1) return "maxDuration is above 0";
  if (fundedSeconds < 1 || fundedSeconds > maxDuration) return "fundedSeconds is 1 to maxDuration";
  if (order.gpus === 0 && order.gpuModel !== "") return "gpuModel needs gpus";
  if (!isQuorum(order)) return threshold === 0 ? undefined : "threshold is a quorum's";
  if (maxAttempts !== 1) return "maxAttempts is 1 for a quorum: a lost replica counts against it";
  return threshold <= leases && 2 * threshold > leases
    ? undefined
    : "threshold is more than half of leases, and no more than all";
}
