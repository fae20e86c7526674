import {
  type BlobName,
  DekuperError,
  decodeSpec,
  isDekuperError,
  MAX_SPEC_BYTES,
  type Order,
  specOrderDifference,
  type TaskSpec,
} from "@dekuper/protocol";
import type { Hex } from "viem";
import type { BlobStore, PeerNode } from "../peer/peer.ts";
import type { OpenTaskFacts } from "../plan/accept.ts";
import type { ImageChecker } from "./image-checker.ts";

export type Material = OpenTaskFacts["material"];

/** Seconds until a spec that nobody had is asked for again. */
const RETRY_SECONDS = 5;
const FETCH_TIMEOUT_MS = 60_000;

/** Specs and inputs of orders: fetched by digest before a task is accepted, read from the store afterwards. */
export class MaterialStore {
  private readonly blobs: BlobStore;
  private readonly peer: Pick<PeerNode, "fetchBlob">;
  private readonly maxInputBytes: number;
  private readonly images: Pick<ImageChecker, "check">;
  private readonly known = new Map<Hex, Material>();
  /** The leases of one task that come to this node together need the same data. */
  private readonly fetching = new Map<string, Promise<void>>();

  constructor(
    blobs: BlobStore,
    peer: Pick<PeerNode, "fetchBlob">,
    maxInputBytes: number,
    images: Pick<ImageChecker, "check">,
  ) {
    this.blobs = blobs;
    this.peer = peer;
    this.maxInputBytes = maxInputBytes;
    this.images = images;
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
  async fetch(leaseId: Hex, order: Order, now: number, signal: AbortSignal): Promise<void> {
    this.known.set(leaseId, await this.get(order, now, signal));
  }

  /**
   * Gets again what is missing of an accepted order: a state folder that takes over leases (`adopt`) begins empty. Throws
   * what `fetchBlob` does.
   */
  async recover(order: Order, what: "spec" | "all", signal: AbortSignal): Promise<void> {
    await this.ensure({ kind: "spec", digest: order.specDigest }, MAX_SPEC_BYTES, signal);
    if (what === "spec") return;
    for (const { digest, size } of (await this.spec(order)).inputs)
      await this.ensure({ kind: "input", digest }, size, signal);
  }

  /** The spec of an order that was accepted; it is in the store. */
  async spec(order: Order): Promise<TaskSpec> {
    const bytes = await this.blobs.readAll({ kind: "spec", digest: order.specDigest }, MAX_SPEC_BYTES);
    return decodeSpec(bytes, order.specDigest);
  }

  /** Keeps what an order needs until then, before it is accepted. What is gone by now is fetched again: `BLOB_NOT_FOUND`. */
  async hold(leaseId: Hex, order: Order, until: number): Promise<void> {
    try {
      await this.retain(await this.spec(order), order.specDigest, until);
    } catch (error) {
      this.forget(leaseId);
      throw error;
    }
  }

  /** Keeps spec and inputs until then, Unix seconds. */
  async retain(spec: TaskSpec, specDigest: Hex, until: number): Promise<void> {
    await this.blobs.retain({ kind: "spec", digest: specDigest }, until);
    for (const { digest } of spec.inputs) await this.blobs.retain({ kind: "input", digest }, until);
  }

  private async get(order: Order, now: number, signal: AbortSignal): Promise<Material> {
    try {
      await this.ensure({ kind: "spec", digest: order.specDigest }, MAX_SPEC_BYTES, signal);
      const spec = await this.spec(order);
      const difference = specOrderDifference(spec, order);
      if (difference !== undefined) return { kind: "invalid", reason: `spec-differs-in-${difference}` };
      const total = spec.inputs.reduce((sum, { size }) => sum + size, 0);
      if (total > this.maxInputBytes) return { kind: "invalid", reason: "inputs-too-large" };
      const image = await this.images.check(spec.image, signal);
      if (image.kind === "unknown")
        return { kind: "missing", what: "image-answer", retryAt: now + image.retrySeconds };
      if (image.kind === "unfit")
        return { kind: "ready", spec, imageProblem: image.problem, retryAt: now + image.retrySeconds };
      for (const { digest, size } of spec.inputs) {
        const name = { kind: "input", digest } as const;
        await this.ensure(name, size, signal);
        const stored = await this.blobs.has(name);
        if (stored?.size !== size) return { kind: "invalid", reason: "input-size-differs" };
      }
      return { kind: "ready", spec };
    } catch (error) {
      if (isDekuperError(error, "MESSAGE_INVALID")) return { kind: "invalid", reason: "spec-invalid" };
      if (error instanceof DekuperError || signal.aborted)
        return { kind: "missing", what: "spec", retryAt: now + RETRY_SECONDS };
      throw error;
    }
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
