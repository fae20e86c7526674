import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readdir, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type BlobName, blobVerifier, DekuperError, isDekuperError, MAX_SPEC_BYTES } from "@dekuper/protocol";
import { BlobIndex } from "./blob-index.ts";
import { fileSize, onDisk, publishFile, readHandle, syncFolder, writeAll } from "./durable-file.ts";
import type { BlobStore, BlobWriter } from "./peer.ts";

/** What peers may leave here. Bytes that a lease retains, and what this node makes itself, do not count. */
export interface BlobQuotas {
  /** Of everybody together [64 GiB]. */
  readonly totalBytes: number;
  /** Of one owner: a registered node, or the host that a stranger comes from [8 GiB]. */
  readonly ownerBytes: number;
  /** Blobs of one owner [4096]. */
  readonly ownerBlobs: number;
  /** How long a blob stays that nobody retains, seconds [3600]. */
  readonly unretainedSeconds: number;
  /** Space on the disk that puts leave free, bytes [1 GiB]. */
  readonly minFreeBytes: number;
}

const GIB = 2 ** 30;
export const DEFAULT_BLOB_QUOTAS: BlobQuotas = {
  totalBytes: 64 * GIB,
  ownerBytes: 8 * GIB,
  ownerBlobs: 4096,
  unretainedSeconds: 3600,
  minFreeBytes: GIB,
};

const KINDS = [
  "spec",
  "input",
  "output",
  "output-key",
  "checkpoint",
  "sealed",
] as const satisfies readonly BlobName["kind"][];

/** Owner of what this node fetches or makes itself. */
export const SELF = "self";

export interface FileBlobStore extends BlobStore {
  close(): void;
}

/**
 * Content-addressed files. A file gets its final name only after its bytes were verified and synced, so whatever lies
 * under a final name is right, also after kill -9; the index is rebuilt from the files where the two differ.
 * A partial put belongs to its owner: nobody can hold up or spoil the put of another.
 */
export async function createBlobStore(options: {
  dir: string;
  /** Milliseconds. */
  clock?: { now(): number };
  quotas?: Partial<BlobQuotas>;
}): Promise<FileBlobStore> {
  const store = new DiskBlobStore(
    options.dir,
    options.clock ?? Date,
    { ...DEFAULT_BLOB_QUOTAS, ...options.quotas },
    await openIndex(options.dir),
  );
  await store.reconcile();
  return store;
}

async function openIndex(dir: string): Promise<BlobIndex> {
  for (const kind of KINDS) await mkdir(join(dir, kind), { recursive: true });
  for (const folder of ["partial", "new"]) await mkdir(join(dir, folder), { recursive: true });
  return new BlobIndex(join(dir, "index.sqlite"));
}

class DiskBlobStore implements FileBlobStore {
  private readonly dir: string;
  private readonly clock: { now(): number };
  private readonly quotas: BlobQuotas;
  private readonly index: BlobIndex;
  /** The put that writes to a partial file now; a newer one of the same owner takes over. */
  private readonly writers = new Map<string, { turn: AbortController; done: Promise<unknown> }>();

  constructor(dir: string, clock: { now(): number }, quotas: BlobQuotas, index: BlobIndex) {
    this.dir = dir;
    this.clock = clock;
    this.quotas = quotas;
    this.index = index;
  }

  close(): void {
    for (const { turn } of this.writers.values()) turn.abort();
    this.index.close();
  }

  /** After a crash: files without a row get one, rows without a file go, unfinished own files go. */
  async reconcile(): Promise<void> {
    const named = new Set(this.index.names());
    for (const kind of KINDS)
      for (const shard of await readdir(join(this.dir, kind)))
        for (const file of await readdir(join(this.dir, kind, shard))) {
          const name: BlobName = { kind, digest: `0x${file}` };
          if (named.delete(key(name))) continue;
          const size = (await fileSize(this.path(name))) ?? 0;
          this.index.insert({ name: key(name), size, owner: SELF, created: this.seconds() });
        }
    for (const missing of named) this.index.delete(missing);
    const partials = new Set(this.index.partialFiles());
    for (const file of await readdir(join(this.dir, "partial")))
      if (!partials.delete(file)) await rm(join(this.dir, "partial", file), { force: true });
    for (const missing of partials) this.index.deletePartial(missing);
    for (const file of await readdir(join(this.dir, "new"))) await rm(join(this.dir, "new", file));
  }

  async has(name: BlobName): Promise<{ size: number } | undefined> {
    const row = this.index.find(key(name));
    return row === undefined ? undefined : { size: row.size };
  }

  async *read(name: BlobName, offset = 0): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.index.find(key(name)) === undefined) throw notFound(name);
    const handle = await open(this.path(name), "r").catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? notFound(name) : error;
    });
    try {
      yield* readHandle(handle, offset);
    } finally {
      await handle.close();
    }
  }

  async readAll(name: BlobName, maxBytes: number): Promise<Uint8Array> {
    const row = this.index.find(key(name));
    if (row === undefined) throw notFound(name);
    if (row.size > maxBytes)
      throw new DekuperError(
        "MESSAGE_INVALID",
        `The ${name.kind} has ${row.size} bytes, more than ${maxBytes}.`,
      );
    const parts: Uint8Array[] = [];
    for await (const part of this.read(name)) parts.push(part);
    return new Uint8Array(Buffer.concat(parts));
  }

  async partialSize(name: BlobName, owner?: string): Promise<number> {
    const files =
      owner === undefined ? this.index.partialFiles({ name: key(name) }) : [partialFile(name, owner)];
    const sizes = await Promise.all(files.map((file) => fileSize(join(this.dir, "partial", file))));
    return Math.max(0, ...sizes.map((size) => size ?? 0));
  }

  async put(
    name: BlobName,
    size: number,
    from: { owner: string; offset: number; bytes: AsyncIterable<Uint8Array> },
  ): Promise<void> {
    if ((await this.renew(name)) !== undefined) return;
    const file = partialFile(name, from.owner);
    await this.reserve(name, size, from.owner, file);
    const before = this.writers.get(file);
    before?.turn.abort(new DekuperError("PEER_UNREACHABLE", "A newer put took over."));
    const turn = new AbortController();
    // One writer at a time: bytes are verified as they are written and not read again.
    const done = (before?.done ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => onDisk(() => this.receive(name, size, from, join(this.dir, "partial", file), turn.signal)));
    this.writers.set(file, { turn, done });
    try {
      await done;
    } catch (error) {
      if ((await this.has(name)) !== undefined) return; // another owner's put was faster
      const useless = isDekuperError(error, "BLOB_CORRUPT") || isDekuperError(error, "DISK_FULL");
      if (useless && this.writers.get(file)?.turn === turn) await this.drop(file);
      throw error;
    } finally {
      if (this.writers.get(file)?.turn === turn) this.writers.delete(file);
    }
  }

  async create(): Promise<BlobWriter> {
    const path = join(this.dir, "new", randomUUID());
    const handle = await onDisk(() => open(path, "wx"));
    let size = 0;
    return {
      write: (bytes) =>
        onDisk(async () => {
          await writeAll(handle, bytes, size);
          size += bytes.length;
        }),
      // What this node made itself is not read again to be verified: its maker has just computed the name.
      commit: (name) =>
        onDisk(async () => {
          await handle.sync();
          await handle.close();
          await this.publish(path, name, size, SELF);
        }),
      abort: async () => {
        await handle.close();
        await rm(path, { force: true });
      },
    };
  }

  async renew(name: BlobName): Promise<{ size: number } | undefined> {
    const row = this.index.find(key(name));
    if (row === undefined) return undefined;
    if (row.created < this.seconds()) this.index.touch(row.name, this.seconds());
    return { size: row.size };
  }

  async retain(name: BlobName, until: number): Promise<void> {
    if (this.index.find(key(name)) === undefined) throw notFound(name);
    this.index.retain(key(name), until);
  }

  async sweep(nowSeconds: number): Promise<number> {
    const expired = this.index.expired(nowSeconds, this.quotas.unretainedSeconds);
    for (const name of expired) {
      const [kind, digest] = name.split(":") as [BlobName["kind"], BlobName["digest"]];
      await rm(this.path({ kind, digest }), { force: true });
      this.index.delete(name);
    }
    const idle = this.index.partialFiles({ before: nowSeconds - this.quotas.unretainedSeconds });
    for (const file of idle) if (!this.writers.has(file)) await this.drop(file);
    return expired.length;
  }

  private async reserve(name: BlobName, size: number, owner: string, file: string): Promise<void> {
    if (name.kind === "spec" && size > MAX_SPEC_BYTES)
      throw new DekuperError("BLOB_QUOTA", `A spec has at most ${MAX_SPEC_BYTES} bytes.`, {
        retryable: false,
      });
    await onDisk(async () => {
      let disk = await statfs(this.dir);
      if (this.refusal(name, size, owner, disk) !== undefined) {
        await this.sweep(this.seconds());
        disk = await statfs(this.dir);
      }
      // Judged and written down without a pause between: puts that come at once do not all see the same room.
      const refusal = this.refusal(name, size, owner, disk);
      if (refusal !== undefined) throw refusal;
      this.index.setPartial({ name: key(name), owner, file, size, touched: this.seconds() });
    });
  }

  private refusal(
    name: BlobName,
    size: number,
    owner: string,
    disk: { bavail: number; bsize: number },
  ): DekuperError | undefined {
    const except = { name: key(name), owner };
    const all = this.index.usage(undefined, except);
    const own = this.index.usage(owner, except);
    const { totalBytes, ownerBytes, ownerBlobs, minFreeBytes } = this.quotas;
    if (all.bytes + size > totalBytes)
      return new DekuperError("BLOB_QUOTA", "The node's space for data that is not yet in use is full.");
    if (owner !== SELF && (own.bytes + size > ownerBytes || own.blobs >= ownerBlobs))
      return new DekuperError("BLOB_QUOTA", "The node's space for data of this address is full.", {
        details: { bytes: own.bytes, blobs: own.blobs, ownerBytes, ownerBlobs },
      });
    return disk.bavail * disk.bsize - size < minFreeBytes
      ? new DekuperError("DISK_FULL", "The node's disk is nearly full.")
      : undefined;
  }

  private async receive(
    name: BlobName,
    size: number,
    from: { owner: string; offset: number; bytes: AsyncIterable<Uint8Array> },
    path: string,
    turn: AbortSignal,
  ): Promise<void> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
    try {
      const there = (await handle.stat()).size;
      if (from.offset > there || from.offset > size)
        throw new DekuperError("MESSAGE_INVALID", `A put from byte ${from.offset}, ${there} are here.`);
      await handle.truncate(from.offset);
      const verifier = blobVerifier(name, () => createHash("sha256"));
      for await (const part of readHandle(handle, 0)) verifier.update(part);
      let offset = from.offset;
      for await (const part of untilAborted(from.bytes, turn)) {
        if (offset + part.length > size)
          throw new DekuperError("BLOB_CORRUPT", `More than the declared ${size} bytes.`);
        await writeAll(handle, part, offset);
        verifier.update(part);
        offset += part.length;
      }
      turn.throwIfAborted();
      if (offset < size) throw new DekuperError("PEER_UNREACHABLE", `Only ${offset} of ${size} bytes came.`);
      verifier.finish();
      await handle.sync();
    } finally {
      await handle.close();
    }
    await this.publish(path, name, size, from.owner);
  }

  private async publish(path: string, name: BlobName, size: number, owner: string): Promise<void> {
    const target = this.path(name);
    if ((await mkdir(dirname(target), { recursive: true })) !== undefined)
      await syncFolder(dirname(dirname(target)));
    await publishFile(path, target);
    this.index.insert({ name: key(name), size, owner, created: this.seconds() });
    for (const file of this.index.partialFiles({ name: key(name) }))
      if (file !== basename(path)) {
        this.writers.get(file)?.turn.abort(new DekuperError("PEER_UNREACHABLE", "The blob is here already."));
        await this.drop(file);
      }
  }

  private async drop(file: string): Promise<void> {
    await rm(join(this.dir, "partial", file), { force: true });
    this.index.deletePartial(file);
  }

  private path({ kind, digest }: BlobName): string {
    return join(this.dir, kind, digest.slice(2, 4), digest.slice(2));
  }

  private seconds(): number {
    return Math.floor(this.clock.now() / 1000);
  }
}

function key(name: BlobName): string {
  return `${name.kind}:${name.digest}`;
}

function partialFile(name: BlobName, owner: string): string {
  const tag = createHash("sha256").update(owner).digest("hex").slice(0, 16);
  return `${name.kind}-${name.digest.slice(2)}-${tag}`;
}

/** The same bytes; an abort ends the wait for the next ones at once. */
async function* untilAborted(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const iterator = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    void iterator.return?.().catch(() => undefined);
  }
}

function notFound(name: BlobName): DekuperError {
  return new DekuperError("BLOB_NOT_FOUND", `There is no ${name.kind} ${name.digest} here.`);
}
