import {
  type Address,
  concat,
  type Hex,
  hashTypedData,
  hexToBigInt,
  keccak256,
  numberToHex,
  recoverAddress,
} from "viem";
import type { Receipt } from "./claim-messages.ts";
import { chunkCount } from "./merkle-branch.ts";
import { deliveryVerdictTypes, receiptTypes, taskDomain } from "./typed-data.ts";

/** Chunks that each attester fetches of a disputed ciphertext; of a smaller one all. */
export const DRAWN_CHUNKS = 16;

interface Market {
  readonly chainId: number;
  readonly taskRegistry: Address;
}

/** What the consumer signs once it has the whole ciphertext (rule 20). */
export function receiptTypedData(market: Market, receipt: Omit<Receipt, "signature">) {
  const { leaseId, attempt, attestationDigest } = receipt;
  return {
    domain: taskDomain(market.chainId, market.taskRegistry),
    types: receiptTypes,
    primaryType: "Receipt",
    message: { leaseId, attempt, attestationDigest },
  } as const;
}

export function receiptDigest(market: Market, receipt: Omit<Receipt, "signature">): Hex {
  return hashTypedData(receiptTypedData(market, receipt));
}

/** What an attester found: bound to one claim by its time (rule 20). */
export interface DeliveryVerdict {
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly attestationDigest: Hex;
  /** Unix seconds of the claim's block. */
  readonly claimedAt: number;
  readonly fetched: boolean;
}

export function verdictTypedData(market: Market, verdict: DeliveryVerdict) {
  return {
    domain: taskDomain(market.chainId, market.taskRegistry),
    types: deliveryVerdictTypes,
    primaryType: "DeliveryVerdict",
    message: { ...verdict, claimedAt: BigInt(verdict.claimedAt) },
  } as const;
}

/** Who signed a verdict; undefined for what is no signature. */
export async function verdictSigner(
  market: Market,
  verdict: DeliveryVerdict,
  signature: Hex,
): Promise<Address | undefined> {
  const hash = hashTypedData(verdictTypedData(market, verdict));
  return recoverAddress({ hash, signature }).catch(() => undefined);
}

/**
 * The chunks that every attester fetches, ascending: the last one, whose length binds the size, and
 * `keccak256(blockHash || leaseId || uint32 i) mod chunks` for i from 0, until there are `DRAWN_CHUNKS` different ones. The
 * same for all, so that a claim has one question and not one for each seat; drawn by the block of the claim, which nobody
 * knew when the result was attested.
 */
export function drawnChunks(blockHash: Hex, leaseId: Hex, ciphertextSize: bigint): number[] {
  const count = chunkCount(ciphertextSize);
  if (count <= DRAWN_CHUNKS) return Array.from({ length: count }, (_, index) => index);
  const drawn = new Set([count - 1]);
  for (let draw = 0; drawn.size < DRAWN_CHUNKS; draw++) {
    const hash = keccak256(concat([blockHash, leaseId, numberToHex(draw, { size: 4 })]));
    drawn.add(Number(hexToBigInt(hash) % BigInt(count)));
  }
  return [...drawn].sort((a, b) => a - b);
}
