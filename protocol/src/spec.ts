import { bytesToHex, type Hex } from "viem";
import { z } from "zod";
import { canonicalJson, parseJson } from "./canonical-json.ts";
import { type Digest, saltedDigest } from "./digest.ts";
import { DekuperError } from "./errors.ts";
import { parseImage } from "./image.ts";
import { isolationClasses, type Order, verificationLevels } from "./order.ts";
import { pathProblem } from "./path.ts";

/** Most bytes of a canonical spec. */
export const MAX_SPEC_BYTES = 256 * 1024;
/** Most inputs of a task. */
export const MAX_INPUTS = 1024;

const hex32 = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, "expected 0x and 64 hex digits") as unknown as z.ZodType<Hex>;
const path = z
  .string()
  .refine((text) => pathProblem(text) === undefined, "expected a relative path without empty, . or .. parts");
const count = (max: number) => z.int().min(0).max(max);

/** Environment variables that the oracle sets itself: a task that sets them is refused (design, section 4). */
export const RESERVED_ENV =
  /^(NNODES|NODE_RANK|MASTER_ADDR|MASTER_PORT|NODE_IPS|ATTEMPT|CHECKPOINT_DIR|PET_.*|NVIDIA_VISIBLE_DEVICES|DEKUPER_.*)$/;

const envName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "expected a variable name")
  .refine((name) => !RESERVED_ENV.test(name), "is set by Dekuper");

/** What runs, canonically. Its salted digest stands in the order; nodes fetch it by that digest before they accept. */
export const taskSpecSchema = z
  .strictObject({
    version: z.literal(1),
    salt: hex32,
    /** Every registered node may read it; otherwise only who holds the task's key. */
    public: z.boolean(),
    name: z.string().min(1).max(63),
    image: z.string().refine((text) => isImage(text), "expected host/name@sha256:<64 hex>"),
    command: z.array(z.string().max(65_536)).min(1).max(256),
    env: z.record(envName, z.string().max(32_768)),
    resources: z.strictObject({
      gpus: count(1024),
      gpuModel: z.string().max(63),
      vCpus: count(4096).min(1),
      memoryMiB: count(64 * 1024 * 1024).min(16),
      storageMiB: count(1024 * 1024 * 1024).min(1),
      isolation: z.enum(isolationClasses),
      maxDuration: count(30 * 86_400).min(1),
    }),
    /** `sealed`: sha-256 of what rests in the input's place where the task is private. */
    inputs: z
      .array(z.strictObject({ path, digest: hex32, size: count(2 ** 50), sealed: hex32.optional() }))
      .max(MAX_INPUTS),
    output: z.strictObject({
      maxBytes: count(2 ** 50).min(1),
      recipient: z.string().regex(/^age1[02-9ac-hj-np-z]{58}$/, "expected an age X25519 recipient"),
    }),
    verification: z.enum(verificationLevels),
  })
  .check(({ value, issues }) => {
    const index = value.inputs.findIndex(({ sealed }) => (sealed === undefined) !== value.public);
    if (index < 0) return;
    const message = value.public
      ? "a public task's inputs are not sealed"
      : "a private task's inputs are sealed";
    issues.push({ code: "custom", message, input: value.inputs, path: ["inputs", index, "sealed"] });
  });

/** A parsed, checked spec. */
export type TaskSpec = z.infer<typeof taskSpecSchema>;

/** A spec's canonical bytes: RFC 8785. */
export function encodeSpec(spec: TaskSpec): Uint8Array {
  return canonicalJson(spec);
}

/** `specDigest = sha256(salt || canonical spec)`. */
export function specDigest(spec: TaskSpec): Digest {
  return saltedDigest(spec.salt, encodeSpec(spec));
}

/** Reads a spec from bytes that came from anyone and checks it against the digest in the order. */
export function decodeSpec(bytes: Uint8Array, expected: Digest): TaskSpec {
  if (bytes.length > MAX_SPEC_BYTES) {
    throw new DekuperError(
      "MESSAGE_INVALID",
      `The spec has ${bytes.length} bytes, at most ${MAX_SPEC_BYTES} are taken.`,
    );
  }
  const parsed = taskSpecSchema.safeParse(parseJson(bytes, "spec"));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DekuperError(
      "MESSAGE_INVALID",
      `The spec's ${issue?.path.join(".") ?? "root"}: ${issue?.message}.`,
    );
  }
  const spec = parsed.data;
  const paths = new Set(spec.inputs.map((input) => input.path));
  if (paths.size !== spec.inputs.length)
    throw new DekuperError("MESSAGE_INVALID", "Two inputs of the spec have the same path.");
  const canonical = encodeSpec(spec);
  if (bytesToHex(canonical) !== bytesToHex(bytes))
    throw new DekuperError("MESSAGE_INVALID", "The spec is not canonical JSON.");
  const got = saltedDigest(spec.salt, canonical);
  if (got !== expected) {
    throw new DekuperError("BLOB_CORRUPT", "The spec's digest differs from the order's.", {
      details: { got, expected },
    });
  }
  return spec;
}

/** The first field in which spec and order differ, or undefined: a node accepts only if they are equal. */
export function specOrderDifference(spec: TaskSpec, order: Order): string | undefined {
  const { resources } = spec;
  const pairs: [string, unknown, unknown][] = [
    ["public", spec.public, !order.isPrivate],
    ["gpus", resources.gpus, order.gpus],
    ["gpuModel", resources.gpuModel, order.gpuModel],
    ["vCpus", resources.vCpus, order.vCpus],
    ["memoryMiB", BigInt(resources.memoryMiB), order.memoryMiB],
    ["storageMiB", BigInt(resources.storageMiB), order.storageMiB],
    ["isolation", isolationClasses.indexOf(resources.isolation), order.isolation],
    ["maxDuration", resources.maxDuration, order.maxDuration],
    ["verification", verificationLevels.indexOf(spec.verification), order.verification],
    ["specDigest", specDigest(spec), order.specDigest],
  ];
  return pairs.find(([, left, right]) => left !== right)?.[0];
}

function isImage(reference: string): boolean {
  try {
    parseImage(reference);
    return true;
  } catch {
    return false;
  }
}
