import {
  type BlobSource,
  DekuperError,
  type Digest,
  encodeSpec,
  environmentOf,
  isImageByDigest,
  isolationClasses,
  MAX_ATTEMPTS,
  MAX_INPUTS,
  MAX_SPEC_BYTES,
  type Network,
  type Order,
  parseAmount,
  parseBytes,
  parseGpu,
  parseImage,
  parseMiB,
  parseSeconds,
  quorumOf,
  specDigest,
  type TaskFile,
  type TaskKey,
  type TaskSpec,
  taskSpecSchema,
  templates,
  verificationLevels,
} from "@dekuper/protocol";
import { bytesToHex, type Hex } from "viem";
import type { TokenInfo } from "./chain/account.ts";
import type { PlanOrder } from "./plan.ts";
import type { SealedBlob } from "./sealed-task.ts";

/** An input whose digest is known and whose bytes can be opened again. */
export interface TaskInput {
  /** Under /input. */
  readonly path: string;
  readonly digest: Digest;
  readonly source: BlobSource;
  /** Of a private task: what nodes get in its place. See `sealInputs`. */
  readonly sealed?: SealedBlob | undefined;
}

/** A task that could be ordered: the spec is final, rate and time are not chosen yet. */
export interface PreparedTask {
  readonly spec: TaskSpec;
  /** Canonical bytes of the spec. */
  readonly specBytes: Uint8Array;
  readonly specDigest: Digest;
  readonly inputs: readonly TaskInput[];
  /** Of a private task: its key, and its spec as nodes get it. See `sealTask`. */
  readonly sealed?: { readonly key: TaskKey; readonly spec: SealedBlob } | undefined;
  readonly planOrder: PlanOrder;
  /** Seconds that the order stays open. */
  readonly openFor: number;
  /** Seconds from accept to start. */
  readonly startWindow: number;
  /** Of each lease; undefined: what the path has as its default. */
  readonly maxAttempts: number | undefined;
  /** Seconds offline after which another node may have a lease. */
  readonly failoverAfter: number;
}

/** How a task finds its nodes: by their signed quotes, or by whoever accepts its posted rate. */
export type OrderPath = "quoted" | "open";

/** Nodes of the quoted path are asked again where one is lost; on the open path the rate may draw nobody, so the task ends. */
export const DEFAULT_ATTEMPTS: Readonly<Record<OrderPath, number>> = { quoted: MAX_ATTEMPTS, open: 1 };

/** Defaults of what a task file leaves out. */
const DEFAULT_VCPUS = 1;
const DEFAULT_MEMORY_MIB = 1024;
const DEFAULT_STORAGE_MIB = 2048;
const DEFAULT_OUTPUT_BYTES = 1024 ** 3;
const DEFAULT_TIMES = {
  local: { openFor: 300, startWindow: 120, failoverAfter: 10 },
  other: { openFor: 3600, startWindow: 900, failoverAfter: 120 },
} as const;

/**
 * Turns a task file into a spec. Pure and browser-safe: images by tag and inputs on disk are resolved before
 * (`@dekuper/client/node` does both). A private task's inputs are sealed before and its spec after: `preparePrivateTask`.
 */
export function prepareTask(from: {
  file: TaskFile;
  network: Network;
  token: Pick<TokenInfo, "symbol" | "decimals">;
  inputs: readonly TaskInput[];
  /** Age recipient of the outputs. */
  recipient: string;
  /** By digest; default: what the file or its template names, if the network knows it. */
  image?: string | undefined;
  /** Default: 32 random bytes. */
  salt?: Hex | undefined;
  /** Where bare names of `env` have their values. Default: nowhere. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
}): PreparedTask {
  const { file, network, token } = from;
  const gpu = parseGpu(file.resources.gpu ?? 0);
  const template = templates[file.template ?? "container"];
  const quorum = quorumOf(file);
  const unchecked = {
    version: 1,
    salt: from.salt ?? bytesToHex(crypto.getRandomValues(new Uint8Array(32))),
    public: file.public === true,
    name: file.name,
    image: from.image ?? imageOf(file, network),
    command: commandOf(file),
    env: { ...template.env, ...environmentOf(file, from.env) },
    resources: {
      gpus: gpu.count,
      gpuModel: gpu.model,
      vCpus: file.resources.cpu ?? DEFAULT_VCPUS,
      memoryMiB: orDefault(file.resources.memory, parseMiB, DEFAULT_MEMORY_MIB),
      storageMiB: orDefault(file.resources.storage, parseMiB, DEFAULT_STORAGE_MIB),
      isolation: file.resources.isolation ?? "container",
      maxDuration: parseSeconds(file.resources.duration),
    },
    inputs: from.inputs.map(({ path, digest, source, sealed }) => ({
      path,
      digest,
      size: source.size,
      ...(sealed === undefined ? {} : { sealed: sealed.digest }),
    })),
    output: {
      maxBytes: orDefault(file.output?.maxSize, parseBytes, DEFAULT_OUTPUT_BYTES),
      recipient: from.recipient,
    },
    verification: quorum === undefined ? "signed" : "quorum",
  };
  const spec = checked(unchecked);
  const specBytes = encodeSpec(spec);
  if (specBytes.length > MAX_SPEC_BYTES) {
    throw invalid(
      "(whole file)",
      `${specBytes.length} bytes of spec`,
      `at most ${MAX_SPEC_BYTES}; move data to inputs`,
    );
  }
  const times = DEFAULT_TIMES[network.local ? "local" : "other"];
  return {
    spec,
    specBytes,
    specDigest: specDigest(spec),
    inputs: from.inputs,
    planOrder: {
      gpus: spec.resources.gpus,
      gpuModel: spec.resources.gpuModel,
      vCpus: spec.resources.vCpus,
      memoryMiB: BigInt(spec.resources.memoryMiB),
      storageMiB: BigInt(spec.resources.storageMiB),
      isolation: spec.resources.isolation,
      leases: quorum?.of ?? file.nodes ?? 1,
      threshold: quorum?.agree ?? 0,
      maxDuration: spec.resources.maxDuration,
      fundedSeconds: orDefault(file.fund, parseSeconds, spec.resources.maxDuration),
      rate: orDefault(file.rate, (text) => parseAmount(text, token), undefined),
      budget: orDefault(file.budget, (text) => parseAmount(text, token), undefined),
    },
    openFor: orDefault(file.openFor, parseSeconds, times.openFor),
    startWindow: orDefault(file.startWithin, parseSeconds, times.startWindow),
    maxAttempts: quorum === undefined ? file.attempts : 1,
    failoverAfter: orDefault(file.failover, parseSeconds, times.failoverAfter),
  };
}

/** The order of a prepared task at a rate; `now` is chain time. `PRIVATE_NEEDS_QUOTES` for a private one on the open path. */
export function orderOf(
  task: PreparedTask,
  ratePerHour: bigint,
  now: bigint,
  path: OrderPath = "open",
): Order {
  const { resources, verification } = task.spec;
  if (path === "open") requirePublic(task);
  return {
    specDigest: task.specDigest,
    leases: task.planOrder.leases,
    threshold: task.planOrder.threshold ?? 0,
    maxAttempts: task.maxAttempts ?? DEFAULT_ATTEMPTS[path],
    isPrivate: !task.spec.public,
    gpus: resources.gpus,
    gpuModel: resources.gpuModel,
    vCpus: resources.vCpus,
    memoryMiB: BigInt(resources.memoryMiB),
    storageMiB: BigInt(resources.storageMiB),
    isolation: isolationClasses.indexOf(resources.isolation),
    maxDuration: resources.maxDuration,
    fundedSeconds: task.planOrder.fundedSeconds,
    ratePerHour,
    startWindow: task.startWindow,
    failoverAfter: task.failoverAfter,
    openUntil: now + BigInt(task.openFor),
    verification: verificationLevels.indexOf(verification),
  };
}

/** On the open path any node may take the task, so any must be able to read it. */
export function requirePublic({ spec }: Pick<PreparedTask, "spec">): void {
  if (spec.public) return;
  throw new DekuperError(
    "PRIVATE_NEEDS_QUOTES",
    `The open path takes public tasks only; ${spec.name} is private.`,
    {
      details: { field: "public" },
    },
  );
}

/** The image that the file or its template names, by digest: `IMAGE_INVALID` where a tag is still to be resolved. */
export function imageOf(file: TaskFile, network: Network): string {
  const named = imageNameOf(file);
  const known = Object.hasOwn(network.images, named) ? network.images[named] : undefined;
  const image = known ?? named;
  if (!isImageByDigest(image)) {
    const names = Object.keys(network.images).join(", ") || "none";
    throw new DekuperError(
      "IMAGE_INVALID",
      `image: got ${JSON.stringify(image)}, expected host/name@sha256:<64 hex>, or a name that network ${network.name} knows (${names}).`,
      { details: { got: image, known: names } },
    );
  }
  const { host } = parseImage(image);
  if (host === "localhost" && !network.local) {
    throw new DekuperError("IMAGE_INVALID", `image: ${image} exists on a local network only.`, {
      details: { got: image },
    });
  }
  return image;
}

/** What the file or its template calls the image. */
export function imageNameOf(file: TaskFile): string {
  const named = file.image ?? templates[file.template ?? "container"].image;
  if (named !== undefined) return named;
  throw invalid("image", "nothing", "an image (only the templates batch and pytorch bring their own)");
}

function commandOf(file: TaskFile): readonly string[] {
  if (typeof file.command === "string") return ["sh", "-c", file.command];
  const command = file.command ?? templates[file.template ?? "container"].command;
  if (command !== undefined) return command;
  throw invalid("command", "nothing", "a command (only the template pytorch brings its own)");
}

/** The spec's own schema has the last word: what it refuses, every node would. */
function checked(unchecked: unknown): TaskSpec {
  const parsed = taskSpecSchema.safeParse(unchecked);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(
      issue?.path.join(".") ?? "(whole file)",
      "a value that nodes refuse",
      issue?.message ?? "another",
    );
  }
  const paths = new Set<string>();
  for (const { path } of parsed.data.inputs) {
    if (paths.has(path)) throw invalid("inputs", `${path} twice`, "each path under /input once");
    paths.add(path);
  }
  for (const path of paths) {
    const parent = [...path.matchAll(/\//g)]
      .map((slash) => path.slice(0, slash.index))
      .find((part) => paths.has(part));
    if (parent !== undefined) throw invalid("inputs", `${parent} as a file and as a folder`, "one of them");
  }
  if (paths.size > MAX_INPUTS) throw invalid("inputs", `${paths.size} files`, `at most ${MAX_INPUTS}`);
  return parsed.data;
}

function invalid(field: string, got: string, expected: string): DekuperError {
  return new DekuperError("TASK_FILE_INVALID", `${field}: got ${got}, expected ${expected}.`, {
    details: { field, got, expected },
  });
}

function orDefault<Value, Read, Fallback>(
  value: Value | undefined,
  read: (value: Value) => Read,
  fallback: Fallback,
): Read | Fallback {
  return value === undefined ? fallback : read(value);
}
