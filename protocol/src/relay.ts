import { type Address, getAddress, type Hex, isAddress, isHex } from "viem";
import { z } from "zod";

/** EIP-712 domain of the Forwarder: calls that others carry are signed in it (ERC-2771, rule 29). */
export function forwarderDomain(chainId: number, forwarder: Address) {
  return { name: "Dekuper Forwarder", version: "1", chainId, verifyingContract: forwarder } as const;
}

export const forwardRequestTypes = {
  ForwardRequest: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "gas", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint48" },
    { name: "data", type: "bytes" },
  ],
} as const;

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), "expected 0x and 40 hex digits")
  .transform((text): Address => getAddress(text));
const bytes = z.custom<Hex>(
  (value) => isHex(value) && value.length % 2 === 0,
  "expected 0x and bytes in hex",
);
const uint = z
  .string()
  .regex(/^\d{1,78}$/, "expected digits")
  .transform(BigInt);

/** A signed call as the Forwarder takes it. `value` is always 0: no call of a consumer carries coin. */
const forwardRequestSchema = z.strictObject({
  from: address,
  to: address,
  value: z.literal("0", 'expected "0"').transform(() => 0n),
  gas: uint,
  deadline: z.int().positive(),
  data: bytes,
  signature: bytes,
});
export type ForwardRequest = z.output<typeof forwardRequestSchema>;

/** Most calls of one batch. */
export const MAX_RELAYED_CALLS = 4;
/** Most bytes of a batch as JSON: an award of 64 leases with a key for each node. */
export const MAX_RELAY_BYTES = 1024 * 1024;

/** What a consumer posts: calls that happen in this order, all or none. */
export const relayBatchSchema = z.strictObject({
  requests: z.array(forwardRequestSchema).min(1).max(MAX_RELAYED_CALLS),
});

/** What a relay says of itself: one of the batch's calls gives it at least `fee` base units of free balance. */
export const relayTermsSchema = z.object({
  chainId: z.int().positive(),
  forwarder: address,
  /** Who sends, and whom the fee is given to. */
  relayer: address,
  fee: uint,
});
export type RelayTerms = z.output<typeof relayTermsSchema>;

/** What a relay answers to a batch. */
export const relayAnswerSchema = z.union([
  z.object({ hash: z.custom<Hex>((value) => isHex(value) && value.length === 66) }),
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
]);

/** A batch as JSON. */
export function encodeRelayBatch(requests: readonly ForwardRequest[]): string {
  return JSON.stringify({ requests }, (_, value) => (typeof value === "bigint" ? value.toString() : value));
}
