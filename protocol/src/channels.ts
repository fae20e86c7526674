import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";

/** libp2p protocol names carry chain and TaskRegistry: peers of two markets never talk past each other. */
export function channelName(
  kind: "blob" | "logs" | "peers" | "quote" | "report" | "receipt" | "chunk" | "verdict",
  chainId: number,
  taskRegistry: Address,
): string {
  return `/dekuper/${chainId}/${taskRegistry.toLowerCase()}/${kind}/1`;
}

/** Most bytes of a request or answer header; a header is one varint-length-prefixed canonical JSON frame. */
export const MAX_HEADER_BYTES = 8 * 1024;

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>;
const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }))
  .transform((text) => getAddress(text));
const bytes = z.int().nonnegative();

/**
 * How a blob is named: `spec` by its salted digest, `input` and `checkpoint` by plain sha-256, `output` by its ciphertext's
 * Merkle root, `output-key` by the root of the output that it opens, `sealed` (the spec or an input of a private task) by its
 * ciphertext's sha-256. The receiver verifies the bytes against the name; a key by what it opens.
 */
export const blobNameSchema = z.strictObject({
  kind: z.enum(["spec", "input", "output", "output-key", "checkpoint", "sealed"]),
  digest: hex32,
});
export type BlobName = z.infer<typeof blobNameSchema>;

/** Scopes of a read token. */
export const readScopes = ["output", "logs"] as const;
export type ReadScope = (typeof readScopes)[number];

/** A consumer's EIP-712 `Read` with its signature: handed to the node that holds the lease. */
export const readTokenSchema = z.strictObject({
  chainId: z.int().positive(),
  registry: address,
  leaseId: hex32,
  attempt: z.int().positive(),
  scope: z.enum(readScopes),
  /** Unix seconds. */
  expiry: z.int().positive(),
  nonce: hex32,
  signature: z.string().regex(/^0x(?:[0-9a-f]{2}){1,1024}$/) as unknown as z.ZodType<Hex>,
});
export type ReadToken = z.infer<typeof readTokenSchema>;

/**
 * A put is vouched for by whoever will pay: EIP-712 is not needed for public data, but quotas are kept per peer.
 * After the header of a `put` is answered with `ok` and an offset, the bytes from that offset follow; the second answer ends it.
 * After the header of a `get` is answered with `ok` and a size, the bytes from the asked offset follow.
 */
export const blobRequestSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("has"), name: blobNameSchema }),
  z.strictObject({ op: z.literal("put"), name: blobNameSchema, size: bytes }),
  z.strictObject({
    op: z.literal("get"),
    name: blobNameSchema,
    offset: bytes,
    token: readTokenSchema.optional(),
  }),
]);
export type BlobRequest = z.infer<typeof blobRequestSchema>;

/** The log of a lease attempt from a byte offset; with `follow` until the run has ended. */
export const logsRequestSchema = z.strictObject({
  leaseId: hex32,
  attempt: z.int().positive(),
  offset: bytes,
  follow: z.boolean(),
  token: readTokenSchema,
});
export type LogsRequest = z.infer<typeof logsRequestSchema>;

/** Answer header of both channels. `size` is the whole blob's, `offset` where the bytes begin (get) or are wanted from (put). */
export const answerSchema = z.discriminatedUnion("ok", [
  z.strictObject({ ok: z.literal(true), size: bytes.optional(), offset: bytes.optional() }),
  z.strictObject({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(512) }),
]);
export type Answer = z.infer<typeof answerSchema>;
