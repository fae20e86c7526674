import { createHash } from "node:crypto";
import { DekuperError, encodeManifest, type ManifestEntry } from "@dekuper/protocol";
import { pack } from "tar-stream";
import { bytesToHex, type Hex } from "viem";
import type { SentFile } from "../cluster/driver.ts";
import type { BlobStore, BlobWriter } from "../peer/peer.ts";
import { DEFAULT_LIMITS, type FileEntry, readEntries } from "./output-entries.ts";
import { type Pack, packFile } from "./pack-file.ts";

/** How a task's checkpoints rest outside its pods: as they are, or encrypted to the task's key. */
export interface CheckpointCipher {
  seal(plain: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  open(sealed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Of a public task, whose spec and inputs every registered node may read anyhow. */
export const plainCipher: CheckpointCipher = { seal: (plain) => plain, open: (sealed) => sealed };

/** A checkpoint as a blob. */
export interface PackedCheckpoint {
  /** sha-256 of the blob: its name. */
  readonly digest: Hex;
  readonly size: number;
  /** sha-256 of the manifest of what was packed. */
  readonly manifestDigest: Hex;
}

/**
 * Packs a pod's CHECKPOINT_DIR anew while it is read: regular files with good names only, like an output, since another
 * node will put them into a pod of its own. Nothing is named in the store yet: `commit` does it, or `abort`.
 */
export async function packCheckpoint(
  source: AsyncIterable<Uint8Array>,
  writer: Pick<BlobWriter, "write">,
  options: { cipher: CheckpointCipher; maxBytes: number; signal: AbortSignal },
): Promise<PackedCheckpoint> {
  const { cipher, maxBytes, signal } = options;
  signal.throwIfAborted();
  const tar = pack();
  tar.on("error", () => undefined); // who fills it and who reads it get the reason
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  either.addEventListener("abort", () => tar.destroy(either.reason as Error), { once: true });
  const filled = fill(tar, source, maxBytes);
  filled.catch((error: unknown) => stop.abort(error));
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const bytes of cipher.seal(tar as unknown as AsyncIterable<Uint8Array>)) {
      signal.throwIfAborted();
      hash.update(bytes);
      size += bytes.length;
      await writer.write(bytes);
    }
    return { digest: `0x${hash.digest("hex")}`, size, manifestDigest: digestOf(await filled) };
  } catch (error) {
    stop.abort(error);
    throw either.reason;
  }
}

/** A stored checkpoint's files, to be sent into a pod, with the manifest's digest. */
export async function checkpointFiles(
  read: () => AsyncIterable<Uint8Array>,
  cipher: CheckpointCipher,
): Promise<{ readonly files: readonly SentFile[]; readonly manifestDigest: Hex }> {
  const entries: ManifestEntry[] = [];
  for await (const entry of filesIn(cipher.open(read()))) {
    const hash = createHash("sha256");
    for await (const bytes of entry.bytes) hash.update(bytes);
    entries.push({ path: entry.path, size: entry.size, digest: `0x${hash.digest("hex")}` });
  }
  let stream: AsyncGenerator<FileEntry> | undefined;
  const files = entries.map(
    (entry, index): SentFile => ({
      ...entry,
      open: async function* () {
        // A tar is read from its beginning to its end, and so once for each try.
        if (index === 0) {
          await stream?.return(undefined);
          stream = filesIn(cipher.open(read()));
        }
        const next = await stream?.next();
        if (next?.done !== false || next.value.path !== entry.path)
          throw new DekuperError("BLOB_CORRUPT", "The checkpoint is not what it was.");
        yield* next.value.bytes;
      },
    }),
  );
  return { files, manifestDigest: digestOf(encodeManifest(entries)) };
}

/** Bytes of all files of a manifest. */
export function bytesIn(entries: readonly ManifestEntry[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}

export function digestOf(manifest: Uint8Array): Hex {
  return bytesToHex(createHash("sha256").update(manifest).digest());
}

async function* filesIn(tar: AsyncIterable<Uint8Array>): AsyncGenerator<FileEntry> {
  for await (const entry of readEntries(tar, DEFAULT_LIMITS)) if (entry.kind === "file") yield entry;
}

async function fill(tar: Pack, source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const entries: ManifestEntry[] = [];
  let total = 0;
  for await (const { path, size, bytes } of filesIn(source)) {
    total += size;
    if (total > maxBytes)
      throw new DekuperError("BLOB_QUOTA", `The checkpoint holds more than ${maxBytes} bytes.`);
    entries.push({ path, size, digest: await packFile(tar, path, size, bytes) });
  }
  tar.finalize();
  return encodeManifest(entries);
}

export type CheckpointStore = Pick<BlobStore, "create" | "has" | "read" | "retain">;
