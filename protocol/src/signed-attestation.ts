import { type Hex, isHex } from "viem";
import { z } from "zod";
import { DekuperError } from "./errors.ts";
import type { OutputAttestation } from "./typed-data.ts";

/** An end-of-run claim with its operator's signature. */
export interface SignedAttestation {
  readonly attestation: OutputAttestation;
  readonly signature: Hex;
}

const sizedHex = (digits: number) =>
  z.custom<Hex>(
    (value) => isHex(value) && value.length === digits + 2,
    `expected 0x and ${digits} hex digits`,
  );
const whole = (bits: number, isSigned = false) => {
  const [least, most] = isSigned
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1)]
    : [0n, 2n ** BigInt(bits)];
  return z
    .union([z.int(), z.string().regex(/^-?\d{1,20}$/)], `expected a whole number of ${bits} bits`)
    .transform(BigInt)
    .refine((value) => value >= least && value < most, `expected a whole number of ${bits} bits`);
};
const small = (bits: number, isSigned = false) => whole(bits, isSigned).transform(Number);
const digest = sizedHex(64);

const fields = z.object({
  taskId: digest,
  leaseId: digest,
  attempt: small(32),
  specDigest: digest,
  outputDigest: digest,
  logDigest: digest,
  ciphertextRoot: digest,
  ciphertextSize: whole(64),
  imageDigest: digest,
  outcome: small(8),
  exitCode: small(32, true),
  started: whole(64),
  ended: whole(64),
  cpuSeconds: whole(64),
  gpuSeconds: whole(64),
  retainUntil: whole(64),
} satisfies Record<keyof OutputAttestation, z.ZodType>);

/**
 * A signed attestation out of JSON: what `dekuper task show --json`, `task fetch --json` or `demo --json` print, the typed
 * data (`message`) or the bare fields, each with `signature` beside or inside. Numbers of 64 bits may be strings.
 * `MESSAGE_INVALID` names the file, the field, what it got and what it takes.
 */
export function parseSignedAttestation(content: unknown, file: string): SignedAttestation {
  const outer = recordOf(content) ?? {};
  const inner = recordOf(outer.attestation) ?? outer;
  const parsed = fields.safeParse(recordOf(inner.message) ?? inner);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join(".") || "(whole file)";
    const got = valueAt(recordOf(inner.message) ?? inner, issue?.path ?? []);
    throw invalid(file, field, got, issue?.message.replace(/^Invalid input: /, "") ?? "another value");
  }
  const signature = sizedHex(130).safeParse(inner.signature ?? outer.signature);
  if (!signature.success)
    throw invalid(file, "signature", inner.signature ?? outer.signature, "expected 0x and 130 hex digits");
  return { attestation: parsed.data, signature: signature.data };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function valueAt(record: Readonly<Record<string, unknown>>, path: readonly PropertyKey[]): unknown {
  const [key] = path;
  return typeof key === "string" ? record[key] : record;
}

function invalid(file: string, field: string, got: unknown, expected: string): DekuperError {
  const shown = got === undefined ? "nothing" : (JSON.stringify(got)?.slice(0, 80) ?? "nothing");
  return new DekuperError("MESSAGE_INVALID", `${file}: ${field}: got ${shown}, ${expected}.`, {
    details: { file, field },
    hint: "An attestation is in `dekuper task show TASK --json`, and in what a node hands to its consumer.",
  });
}
