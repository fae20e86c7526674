import type { Hex } from "viem";
import { z } from "zod";
import { MAX_BRANCH_HASHES } from "./merkle-branch.ts";

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>;
const attempt = z.int().positive();
const failed = z.strictObject({
  ok: z.literal(false),
  code: z.string().max(64),
  message: z.string().max(512),
});

/** The consumer's EIP-712 `Receipt` with its signature (ERC-1271 allowed): handed to the node that delivered. */
export const receiptSchema = z.strictObject({
  leaseId: hex32,
  attempt,
  /** `attestationDigest` of what was verified. */
  attestationDigest: hex32,
  signature: z.string().regex(/^0x(?:[0-9a-f]{2}){1,1024}$/) as unknown as z.ZodType<Hex>,
});
export type Receipt = z.infer<typeof receiptSchema>;

/** One chunk of a ciphertext whose delivery is disputed. */
export const chunkRequestSchema = z.strictObject({
  leaseId: hex32,
  attempt,
  /** From 0; one of those that the claim's block draws. */
  index: z.int().nonnegative(),
});
export type ChunkRequest = z.infer<typeof chunkRequestSchema>;

/** After it the chunk's bytes follow. The branch is from the chunk's neighbour up. */
export const chunkAnswerSchema = z.discriminatedUnion("ok", [
  z.strictObject({
    ok: z.literal(true),
    size: z.int().positive(),
    branch: z.array(hex32).max(MAX_BRANCH_HASHES),
  }),
  failed,
]);

/** What an attester has found of one claim: anybody may ask it. */
export const verdictRequestSchema = z.strictObject({
  leaseId: hex32,
  attempt,
  /** Unix seconds of the claim's block. */
  claimedAt: z.int().positive(),
});
export type VerdictRequest = z.infer<typeof verdictRequestSchema>;

/** Without a verdict it has none yet. */
export const verdictAnswerSchema = z.discriminatedUnion("ok", [
  z.strictObject({
    ok: z.literal(true),
    verdict: z
      .strictObject({
        fetched: z.boolean(),
        signature: z.string().regex(/^0x[0-9a-f]{130}$/) as unknown as z.ZodType<Hex>,
      })
      .optional(),
  }),
  failed,
]);
export type VerdictAnswer = NonNullable<
  Extract<z.infer<typeof verdictAnswerSchema>, { ok: true }>["verdict"]
>;
