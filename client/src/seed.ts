import { type BlobName, type BlobSource, DekuperError, isDekuperError } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { ConsumerPeer } from "./consumer-peer.ts";
import type { PreparedTask } from "./task.ts";

/** What happens while nodes are given a task's data. */
export type SeedStep =
  | { readonly kind: "uploading"; readonly node: Address; readonly name: BlobName; readonly size: number }
  | { readonly kind: "uploaded"; readonly node: Address; readonly bytes: number }
  | { readonly kind: "unreachable"; readonly node: Address; readonly error: DekuperError };

export interface Seeding {
  readonly peer: Pick<ConsumerPeer, "putBlob">;
  readonly task: PreparedTask;
  readonly onStep?: ((step: SeedStep) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which nodes have spec and inputs, and why the others do not. */
export interface Seeded {
  readonly nodes: readonly Address[];
  readonly failures: ReadonlyMap<Address, DekuperError>;
}

/** Puts spec and inputs on nodes, `wanted` at a time: one that cannot be reached gives way to the next in the list. */
export async function seed(
  seeding: Seeding,
  nodes: readonly Address[],
  wanted = nodes.length,
): Promise<Seeded> {
  const failures = new Map<Address, DekuperError>();
  const seeded: Address[] = [];
  const waiting = [...nodes];
  const blobs = blobsOf(seeding.task);
  const work = async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      try {
        const bytes = await putAll(seeding, blobs, node);
        seeded.push(node);
        seeding.onStep?.({ kind: "uploaded", node, bytes });
        return;
      } catch (error) {
        if (seeding.signal?.aborted || !isDekuperError(error)) throw error;
        failures.set(node, error);
        seeding.onStep?.({ kind: "unreachable", node, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(wanted, nodes.length) }, work));
  return { nodes: seeded, failures };
}

/** Nobody took the data: nothing can be ordered. */
export function notSeeded({ failures }: Seeded): DekuperError {
  const [first] = failures.values();
  const asked = failures.size === 1 ? "node" : "nodes";
  return new DekuperError(
    first?.code === "BLOB_QUOTA" ? "BLOB_QUOTA" : "PEER_UNREACHABLE",
    `None of ${failures.size} fitting ${asked} took spec and inputs: ${first?.message ?? "none is online."}`,
    {
      details: { nodes: failures.size },
      cause: first,
      hint: "Nothing was ordered and nothing was paid. Try again later.",
    },
  );
}

async function putAll(
  { peer, onStep, signal }: Seeding,
  blobs: readonly SeededBlob[],
  node: Address,
): Promise<number> {
  let total = 0;
  for (const { name, source } of blobs) {
    onStep?.({ kind: "uploading", node, name, size: source.size });
    await peer.putBlob(node, name, source, { signal });
    total += source.size;
  }
  return total;
}

/** What nodes get of a task, each blob once: of a private one nothing that can be read without its key. */
function blobsOf({ spec, specDigest, specBytes, inputs, sealed }: PreparedTask): SeededBlob[] {
  const blobs = new Map<Hex, SeededBlob>();
  const add = (kind: BlobName["kind"], { digest, source }: { digest: Hex; source: BlobSource }) =>
    blobs.set(digest, { name: { kind, digest }, source });
  if (spec.public) {
    for (const input of inputs) add("input", input);
    add("spec", { digest: specDigest, source: sourceOf(specBytes) });
    return [...blobs.values()];
  }
  for (const input of inputs) add("sealed", requireSealed(input.sealed));
  add("sealed", requireSealed(sealed?.spec));
  return [...blobs.values()];
}

interface SeededBlob {
  readonly name: BlobName;
  readonly source: BlobSource;
}

function requireSealed<Sealed>(sealed: Sealed | undefined): Sealed {
  if (sealed !== undefined) return sealed;
  throw new DekuperError("INTERNAL", "A private task was to be sent before it was sealed.");
}

/** Bytes in memory as a source that can be opened again. */
export function sourceOf(bytes: Uint8Array): BlobSource {
  return {
    size: bytes.length,
    async *open(offset) {
      if (offset < bytes.length) yield bytes.subarray(offset);
    },
  };
}
