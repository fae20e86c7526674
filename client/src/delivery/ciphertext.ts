import {
  ChunkTree,
  DekuperError,
  isDekuperError,
  type OutputAttestation,
  type ReadToken,
} from "@dekuper/protocol";
import type { Address } from "viem";
import type { ConsumerPeer } from "../consumer-peer.ts";

/** Where a ciphertext grows until it is whole: a file in Node, memory in a browser. */
export interface CiphertextStore {
  read(): AsyncIterable<Uint8Array>;
  append(bytes: Uint8Array): Promise<void>;
  /** Throws away what is there. */
  reset(): Promise<void>;
}

/** How often a broken transfer is taken up again without a byte gained. */
const MAX_IDLE_RETRIES = 5;
const RETRY_MS = 1_000;

/**
 * Gets a lease's ciphertext from its node into the store: resumes what is there, takes broken transfers up again, and
 * checks size and Merkle root against the attestation. `BLOB_CORRUPT` empties the store.
 */
export async function downloadCiphertext(from: {
  peer: ConsumerPeer;
  node: Address;
  attestation: Pick<OutputAttestation, "ciphertextRoot" | "ciphertextSize">;
  token: () => Promise<ReadToken>;
  store: CiphertextStore;
  onProgress?: ((received: number, size: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { attestation, store, onProgress, signal } = from;
  const size = Number(attestation.ciphertextSize);
  let tree = new ChunkTree();
  for await (const bytes of store.read()) tree.update(bytes);
  if (tree.size > size) {
    await store.reset();
    tree = new ChunkTree();
  }
  onProgress?.(tree.size, size);
  for (let idle = 0; tree.size < size; ) {
    const before = tree.size;
    try {
      await receive(from, tree, size);
    } catch (error) {
      const again = isDekuperError(error, "PEER_UNREACHABLE") || isDekuperError(error, "TIMED_OUT");
      if (!again || signal?.aborted) throw error;
      idle = tree.size > before ? 0 : idle + 1;
      if (idle > MAX_IDLE_RETRIES) throw error;
      await pause(RETRY_MS * 2 ** idle, signal);
    }
  }
  const got = tree.root();
  if (got !== attestation.ciphertextRoot) {
    await store.reset();
    throw new DekuperError("BLOB_CORRUPT", "The node's ciphertext is not the one that it attested.", {
      details: { node: from.node, got, expected: attestation.ciphertextRoot },
    });
  }
}

async function receive(
  from: Parameters<typeof downloadCiphertext>[0],
  tree: ChunkTree,
  size: number,
): Promise<void> {
  const { peer, node, attestation, store, onProgress, signal } = from;
  const before = tree.size;
  const stream = peer.getBlob(
    node,
    { kind: "output", digest: attestation.ciphertextRoot },
    { offset: before, token: await from.token(), signal },
  );
  for await (const bytes of stream) {
    if (tree.size + bytes.length > size) {
      await store.reset();
      throw new DekuperError("BLOB_CORRUPT", `The node sends more than the ${size} bytes that it attested.`, {
        details: { node, size },
      });
    }
    await store.append(bytes);
    tree.update(bytes);
    onProgress?.(tree.size, size);
  }
  if (tree.size === before && before < size) {
    throw new DekuperError("PEER_UNREACHABLE", `${node} ended the transfer at ${before} of ${size} bytes.`);
  }
}

/** In memory: for browsers and small results. */
export function memoryCiphertext(): CiphertextStore {
  let parts: Uint8Array[] = [];
  return {
    async *read() {
      yield* parts;
    },
    append: async (bytes) => {
      parts.push(bytes.slice());
    },
    reset: async () => {
      parts = [];
    },
  };
}

/** Waits, or throws the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(done.resolve, ms);
  const abort = () => done.reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await done.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
