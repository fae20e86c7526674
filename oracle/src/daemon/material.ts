import { createHash } from "node:crypto";
import {
  type BlobName,
  DekuperError,
  type Digest,
  decodeSpec,
  isDekuperError,
  MAX_SPEC_BYTES,
  sealedSize,
  specOrderDifference,
  type TaskSpec,
} from "@dekuper/protocol";
import type { Hex } from "viem";
import type { OrderedTask } from "../journal/facts.ts";
import type { BlobStore, PeerNode } from "../peer/peer.ts";
import type { OpenTaskFacts } from "../plan/accept.ts";
import type { ImageChecker } from "./image-checker.ts";
import type { OpenedKey, TaskKeys } from "./task-keys.ts";

export type Material = OpenTaskFacts["material"];

/** What says where a task's data is, and under which key. */
type TaskData = Pick<OrderedTask, "taskId" | "consumer"> & {
  readonly order: Pick<OrderedTask["order"], "isPrivate" | "specDigest">;
};

/** Seconds until a spec that nobody had, or a key that was not here, is asked for again. */
const RETRY_SECONDS = 5;
const FETCH_TIMEOUT_MS = 60_000;

/** Not handed over so far, or not in a block that was read. */
class KeyMissing extends DekuperError {
  constructor() {
    super("KEY_WRAP_INVALID", "This node was handed no key of the task.");
  }
}

/**
 * Specs and inputs of orders: fetched by digest before a task is accepted, read from the store afterwards. A private task's rest
 * sealed, and are opened with its key each time that they are read.
 */
export class MaterialStore {
  private readonly blobs: BlobStore;
  private readonly peer: Pick<PeerNode, "fetchBlob">;
  private readonly maxInputBytes: number;
  private readonly images: Pick<ImageChecker, "check">;
  private readonly keys: Pick<TaskKeys, "of">;
  private readonly known = new Map<Hex, Material>();
  /** The leases of one task that come to this node together need the same data. */
  private readonly fetching = new Map<string, Promise<void>>();

  constructor(
    blobs: BlobStore,
    peer: Pick<PeerNode, "fetchBlob">,
    maxInputBytes: number,
    images: Pick<ImageChecker, "check">,
    keys: Pick<TaskKeys, "of">,
  ) {
    this.blobs = blobs;
    this.peer = peer;
    this.maxInputBytes = maxInputBytes;
    this.images = images;
    this.keys = keys;
  }

  of(leaseId: Hex): Material {
    return this.known.get(leaseId) ?? { kind: "unknown" };
  }

  forget(leaseId: Hex): void {
    this.known.delete(leaseId);
  }

  forgetUnless(isWanted: (leaseId: Hex) => boolean): void {
    for (const leaseId of this.known.keys()) if (!isWanted(leaseId)) this.known.delete(leaseId);
  }

  /** Gets spec and inputs, checks them against the order, and asks for the image. `now` is chain time. */
  async fetch(leaseId: Hex, task: OrderedTask, now: number, signal: AbortSignal): Promise<void> {
    this.known.set(leaseId, await this.get(task, now, signal));
  }

  /**
   * Gets again what is missing of an accepted order: a state folder that takes over leases (`adopt`) begins empty. Throws
   * what `fetchBlob` does.
   */
  async recover(task: TaskData, what: "spec" | "all", signal: AbortSignal): Promise<void> {
    const key = await this.keyOf(task);
    await this.ensureSpec(task, key, signal);
    if (what === "spec") return;
    for (const input of (await this.specWith(task, key)).inputs) await this.ensureInput(input, signal);
  }

  /** The spec of an order that was accepted; it is in the store. */
  async spec(task: TaskData): Promise<TaskSpec> {
    return this.specWith(task, await this.keyOf(task));
  }

  /** An input of an order that was accepted, as the task is to see it. */
  async *input(task: TaskData, spec: TaskSpec, digest: Digest): AsyncGenerator<Uint8Array, void, void> {
    const key = await this.keyOf(task);
    const input = spec.inputs.find((one) => one.digest === digest);
    if (input === undefined) throw new DekuperError("INTERNAL", `The task has no input ${digest}.`);
    const stored = this.blobs.read(inputName(input));
    yield* key === undefined ? stored : key.key.open(stored);
  }

  /** Keeps what an order needs until then, before it is accepted. What is gone by now is fetched again: `BLOB_NOT_FOUND`. */
  async hold(leaseId: Hex, task: OrderedTask, until: number): Promise<void> {
    try {
      await this.retain(task, await this.spec(task), until);
    } catch (error) {
      this.forget(leaseId);
      throw error;
    }
  }

  /** Keeps spec and inputs until then, Unix seconds. */
  async retain(task: TaskData, spec: Pick<TaskSpec, "inputs">, until: number): Promise<void> {
    await this.blobs.retain(specName(task, await this.keyOf(task)), until);
    for (const input of spec.inputs) await this.blobs.retain(inputName(input), until);
  }

  private async get(task: OrderedTask, now: number, signal: AbortSignal): Promise<Material> {
    const { order } = task;
    try {
      const key = await this.keyOf(task);
      await this.ensureSpec(task, key, signal);
      const spec = await this.specWith(task, key);
      const difference = specOrderDifference(spec, order);
      if (difference !== undefined) return { kind: "invalid", reason: `spec-differs-in-${difference}` };
      const total = spec.inputs.reduce((sum, { size }) => sum + size, 0);
      if (total > this.maxInputBytes) return { kind: "invalid", reason: "inputs-too-large" };
      const image = await this.images.check(spec.image, signal);
      if (image.kind === "unknown")
        return { kind: "missing", what: "image-answer", retryAt: now + image.retrySeconds };
      if (image.kind === "unfit")
        return { kind: "ready", spec, imageProblem: image.problem, retryAt: now + image.retrySeconds };
      for (const input of spec.inputs) {
        await this.ensureInput(input, signal);
        const stored = await this.blobs.has(inputName(input));
        if (stored?.size !== storedSize(input)) return { kind: "invalid", reason: "input-size-differs" };
        if (key !== undefined && !(await this.opensTo(input, key))) {
          return { kind: "invalid", reason: "input-differs" };
        }
      }
      return { kind: "ready", spec };
    } catch (error) {
      if (error instanceof KeyMissing) return { kind: "missing", what: "key", retryAt: now + RETRY_SECONDS };
      // Whoever has not taken the lease yet may be handed a better one.
      if (isDekuperError(error, "KEY_WRAP_INVALID"))
        return { kind: "invalid", reason: "key-wrap-invalid", retryAt: now + RETRY_SECONDS };
      if (isDekuperError(error, "MESSAGE_INVALID")) return { kind: "invalid", reason: "spec-invalid" };
      // What a sealed blob holds is as the consumer sealed it: nobody else has a better one.
      if (order.isPrivate && isDekuperError(error, "BLOB_CORRUPT"))
        return { kind: "invalid", reason: "spec-invalid" };
      if (error instanceof DekuperError || signal.aborted)
        return { kind: "missing", what: "spec", retryAt: now + RETRY_SECONDS };
      throw error;
    }
  }

  /** Undefined: the task is public, and needs none. */
  private async keyOf(task: TaskData): Promise<OpenedKey | undefined> {
    if (!task.order.isPrivate) return undefined;
    const key = await this.keys.of(task);
    if (key === undefined) throw new KeyMissing();
    return key;
  }

  private async specWith(task: TaskData, key: OpenedKey | undefined): Promise<TaskSpec> {
    const name = specName(task, key);
    const maxBytes = key === undefined ? MAX_SPEC_BYTES : sealedSize(MAX_SPEC_BYTES);
    const stored = await this.blobs.readAll(name, maxBytes);
    return decodeSpec(key === undefined ? stored : await openAll(key, stored), task.order.specDigest);
  }

  private ensureSpec(task: TaskData, key: OpenedKey | undefined, signal: AbortSignal): Promise<void> {
    return this.ensure(
      specName(task, key),
      key === undefined ? MAX_SPEC_BYTES : sealedSize(MAX_SPEC_BYTES),
      signal,
    );
  }

  private ensureInput(input: Input, signal: AbortSignal): Promise<void> {
    return this.ensure(inputName(input), storedSize(input), signal);
  }

  /** A public input is named by what it is; a sealed one says so only once it is opened. */
  private async opensTo(input: Input, { key }: OpenedKey): Promise<boolean> {
    const hash = createHash("sha256");
    for await (const bytes of key.open(this.blobs.read(inputName(input)))) hash.update(bytes);
    return `0x${hash.digest("hex")}` === input.digest;
  }

  private async ensure(name: BlobName, maxBytes: number, signal: AbortSignal): Promise<void> {
    if ((await this.blobs.has(name)) !== undefined) return;
    const key = `${name.kind}:${name.digest}`;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    const fetched =
      this.fetching.get(key) ??
      this.peer.fetchBlob(name, maxBytes, limited).finally(() => this.fetching.delete(key));
    this.fetching.set(key, fetched);
    await fetched;
  }
}

type Input = TaskSpec["inputs"][number];

function specName({ order }: TaskData, key: OpenedKey | undefined): BlobName {
  return key === undefined
    ? { kind: "spec", digest: order.specDigest }
    : { kind: "sealed", digest: key.specBlob };
}

function inputName({ digest, sealed }: Input): BlobName {
  return sealed === undefined ? { kind: "input", digest } : { kind: "sealed", digest: sealed };
}

function storedSize({ size, sealed }: Input): number {
  return sealed === undefined ? size : sealedSize(size);
}

async function openAll({ key }: OpenedKey, sealed: Uint8Array): Promise<Uint8Array> {
  const once = async function* () {
    yield sealed;
  };
  const parts: Uint8Array[] = [];
  for await (const part of key.open(once())) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
