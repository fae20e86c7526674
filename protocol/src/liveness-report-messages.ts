import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { canonicalJson, parseJson } from "./canonical-json.ts";
import { MAX_HEADER_BYTES } from "./channels.ts";
import { DekuperError } from "./errors.ts";
import { byAddress, type LivenessReport, MAX_REPORT_CHANGES } from "./liveness-report.ts";

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), "expected an address")
  .transform((text) => getAddress(text));
/** As the contract takes it. */
const ascending = z
  .array(address)
  .max(MAX_REPORT_CHANGES)
  .refine(
    (nodes) => nodes.every((node, index) => index === 0 || byAddress(nodes[index - 1] as Address, node) < 0),
    "expected strictly ascending addresses",
  );
const seconds = z.int().nonnegative();
const signature = z.string().regex(/^0x[0-9a-f]{130}$/) as unknown as z.ZodType<Hex>;

/** One seat asks another to sign a report. */
export const reportRequestSchema = z.strictObject({
  version: z.literal(1),
  report: z
    .strictObject({
      epoch: seconds,
      committeeVersion: seconds.max(2 ** 32 - 1),
      issuedAt: seconds,
      offline: ascending,
      online: ascending,
    })
    .refine(
      ({ offline, online }) => offline.length + online.length <= MAX_REPORT_CHANGES,
      `expected at most ${MAX_REPORT_CHANGES} nodes together`,
    ),
});
export type ReportRequest = z.infer<typeof reportRequestSchema>;

const supported = z.strictObject({
  ok: z.literal(true),
  /** What the asked seat has seen itself, of what was asked. */
  offline: ascending,
  online: ascending,
  /** Over the whole report, where it has seen all of it. */
  signature: signature.optional(),
});
const failed = z.strictObject({
  ok: z.literal(false),
  code: z.string().max(64),
  message: z.string().max(512),
});
const answerSchema = z.discriminatedUnion("ok", [supported, failed]);

/** Which entries of a report a seat has seen itself, and its signature where these are all of them. */
export interface ReportAnswer {
  readonly offline: readonly Address[];
  readonly online: readonly Address[];
  readonly signature?: Hex | undefined;
}

export function encodeReportRequest(report: LivenessReport): Uint8Array {
  return canonicalJson({ version: 1, report });
}

export function encodeReportAnswer({ offline, online, signature: signed }: ReportAnswer): Uint8Array {
  const rest = signed === undefined ? {} : { signature: signed };
  return canonicalJson({ ok: true, offline, online, ...rest });
}

/** Reads a seat's answer; `MESSAGE_INVALID` names what is wrong, a failure is returned as the seat gave it. */
export function decodeReportAnswer(bytes: Uint8Array): ReportAnswer | { code: string; message: string } {
  if (bytes.length > MAX_HEADER_BYTES)
    throw new DekuperError("MESSAGE_INVALID", `An answer of ${bytes.length} bytes.`);
  const parsed = answerSchema.safeParse(parseJson(bytes, "answer"));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DekuperError("MESSAGE_INVALID", `The answer's ${issue?.path.join(".")}: ${issue?.message}.`);
  }
  const { ok, ...answer } = parsed.data;
  return answer;
}
