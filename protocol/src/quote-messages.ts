import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { canonicalJson, parseJson } from "./canonical-json.ts";
import { DekuperError } from "./errors.ts";
import { MAX_LEASES, orderProblem } from "./quote.ts";

/** Most bytes of the answer to a quote request: 64 quotes with their signatures. */
export const MAX_QUOTE_ANSWER_BYTES = 64 * 1024;

const address = z.codec(
  z.string().refine((text) => isAddress(text, { strict: false }), "expected an address"),
  z.custom<Address>(),
  { decode: (text) => getAddress(text), encode: (value) => value },
);
const hex32 = z.codec(z.string().regex(/^0x[0-9a-f]{64}$/), z.custom<Hex>(), {
  decode: (text) => text as Hex,
  encode: (value) => value,
});
const signature = z.codec(z.string().regex(/^0x[0-9a-f]{130}$/), z.custom<Hex>(), {
  decode: (text) => text as Hex,
  encode: (value) => value,
});
/** An unsigned integer that JSON's numbers cannot hold, as digits. */
const uint = (bits: number) =>
  z.codec(
    z
      .string()
      // Without `abort` the checks of the whole would meet a text where they expect a bigint.
      .regex(/^(0|[1-9]\d{0,77})$/, { error: "expected digits", abort: true })
      .refine((text) => BigInt(text) < 1n << BigInt(bits), {
        error: `expected less than 2^${bits}`,
        abort: true,
      }),
    z.bigint(),
    { decode: (text) => BigInt(text), encode: (value) => value.toString() },
  );
const small = (bits: number) =>
  z
    .int()
    .nonnegative()
    .max(2 ** bits - 1);
const member = z
  .int()
  .min(0)
  .max(MAX_LEASES - 1);

const orderSchema = z
  .strictObject({
    specDigest: hex32,
    leases: small(8),
    threshold: small(8),
    maxAttempts: small(8),
    isPrivate: z.boolean(),
    gpus: small(32),
    gpuModel: z.string().max(63),
    vCpus: small(32),
    memoryMiB: uint(64),
    storageMiB: uint(64),
    isolation: small(2),
    maxDuration: small(32),
    fundedSeconds: small(32),
    ratePerHour: uint(128),
    startWindow: small(32),
    failoverAfter: small(32),
    openUntil: uint(64),
    verification: small(2),
  })
  .check(({ value, issues }) => {
    const message = orderProblem(value);
    if (message !== undefined) issues.push({ code: "custom", message, input: value, path: [] });
  });

/**
 * What a consumer asks a node. The spec itself may be private and is not shown before the award: the envelope is what
 * the node needs for its own rules.
 */
export const quoteRequestSchema = z
  .strictObject({
    version: z.literal(1),
    order: orderSchema,
    consumer: address,
    /**
     * Leases that the node is to sign a quote for, by index. None: only what it would ask is wanted; nothing is signed,
     * and nothing is held.
     */
    members: z.array(member).max(MAX_LEASES),
    envelope: z.strictObject({
      /** `host/name@sha256:...`. */
      image: z.string().min(1).max(512),
      /** Of all inputs together. */
      inputBytes: z.int().nonnegative(),
    }),
  })
  .check(({ value, issues }) => {
    const { members, order } = value;
    const message =
      new Set(members).size !== members.length
        ? "a lease is named once"
        : members.some((index) => index >= order.leases)
          ? "the order has no such lease"
          : undefined;
    if (message !== undefined) issues.push({ code: "custom", message, input: members, path: ["members"] });
  });
export type QuoteRequest = z.output<typeof quoteRequestSchema>;

/** What a node asks for one lease, and how many of the order's leases it takes at that. It binds nobody. */
const offerSchema = z.strictObject({
  ratePerHour: uint(128),
  startWindow: small(32),
  members: z.int().min(1).max(MAX_LEASES),
});

const quoteSchema = z.strictObject({
  node: address,
  consumer: address,
  orderHash: hex32,
  memberIndex: member,
  ratePerHour: uint(128),
  startWindow: small(32),
  expiry: uint(64),
  nonce: uint(256),
  verification: small(2),
});

/** Why a node does not quote: a short reason, the planner's, and the values that decided. They may end up on a terminal. */
const refusalSchema = z.strictObject({
  reason: z.string().regex(/^[a-zA-Z0-9-]{1,64}$/),
  values: z
    .record(
      z.string().regex(/^[a-zA-Z]{1,32}$/),
      z
        .string()
        .max(128)
        .regex(/^\P{C}*$/u),
    )
    .refine((all) => Object.keys(all).length <= 8),
});
export type QuoteRefusal = z.output<typeof refusalSchema>;

const offered = z.strictObject({
  ok: z.literal(true),
  offer: offerSchema,
  /** Of the members that were asked for, as many as the node takes: perhaps fewer. */
  quotes: z.array(z.strictObject({ quote: quoteSchema, signature })).max(MAX_LEASES),
});
const refused = z.strictObject({ ok: z.literal(true), refused: refusalSchema });
const failed = z.strictObject({
  ok: z.literal(false),
  code: z.string().max(64),
  message: z.string().max(512),
});
const quoteAnswerSchema = z.union([offered, refused, failed]);

/** What a node answers: an offer with the quotes that it signed, or why it does not quote. */
export type QuoteAnswer = Omit<z.output<typeof offered>, "ok"> | Omit<z.output<typeof refused>, "ok">;
export type QuoteOffer = z.output<typeof offerSchema>;

export function encodeQuoteRequest(request: QuoteRequest): Uint8Array {
  return canonicalJson(z.encode(quoteRequestSchema, request));
}

export function encodeQuoteAnswer(answer: QuoteAnswer): Uint8Array {
  return canonicalJson(z.encode(quoteAnswerSchema, { ok: true, ...answer }));
}

/** Reads a node's answer; `MESSAGE_INVALID` names what is wrong, a failure is returned as the node gave it. */
export function decodeQuoteAnswer(bytes: Uint8Array): QuoteAnswer | { code: string; message: string } {
  const parsed = quoteAnswerSchema.safeParse(parseJson(bytes, "answer"));
  if (!parsed.success)
    throw new DekuperError("MESSAGE_INVALID", "The node's answer to a quote request is not valid.");
  const { ok, ...answer } = parsed.data;
  return answer;
}
