import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Hex, hexToBytes } from "viem";
import type { BlobSource } from "./channel-calls.ts";
import type { Digest } from "./digest.ts";
import { DekuperError } from "./errors.ts";

/** Bytes of a task key's seed, of its salt, and of what tells one sealed blob of a task from another. */
const KEY_BYTES = 32;
const VERSION = 1;
const HEADER_BYTES = 1 + 2 * KEY_BYTES;
/** Plain bytes of every chunk but the last. */
const CHUNK_BYTES = 64 * 1024;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED_CHUNK_BYTES = NONCE_BYTES + CHUNK_BYTES + TAG_BYTES;

const text = new TextEncoder();

type SubtleKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

interface Subkeys {
  readonly encryption: SubtleKey;
  readonly nonces: SubtleKey;
  readonly labels: SubtleKey;
}

/**
 * One key a task (rule 11): seals its spec, inputs and checkpoints. Whoever holds it reads all of them. The salt is public: it
 * stands in the task's key wraps and at the head of every sealed blob, and says which task a blob belongs to.
 *
 * A sealed blob is `0x01 || salt (32) || label (32) || chunks`, a chunk `nonce (12) || AES-256-GCM of at most 64 KiB || tag (16)`.
 * A chunk's nonce is an HMAC of header, position and content. So the same data is the same blob each time, however often and
 * from wherever it is sent again, and a file that changes while it is read never meets a nonce that was used.
 */
export class TaskKey {
  readonly salt: Hex;
  /** Not a property: neither a log nor JSON ever shows it. */
  readonly #seed: Uint8Array;
  #subkeys: Promise<Subkeys> | undefined;

  /** `seed` is 32 secret bytes, `salt` 32 public ones. */
  constructor(seed: Uint8Array, salt: Hex) {
    if (seed.length !== KEY_BYTES)
      throw new DekuperError("KEY_WRAP_INVALID", `A task key has ${KEY_BYTES} bytes, got ${seed.length}.`);
    this.#seed = seed.slice();
    this.salt = bytesToHex(hexToBytes(salt, { size: KEY_BYTES }));
  }

  /** The secret itself, to be wrapped for a node. */
  reveal(): Uint8Array {
    return this.#seed.slice();
  }

  /** Seals data whose sha-256 is known: the same data, the same blob, and it can be opened at any offset. */
  async sealSource(source: BlobSource, digest: Digest): Promise<BlobSource> {
    const { labels } = await this.subkeys();
    const label = new Uint8Array(await crypto.subtle.sign("HMAC", labels, buffer(hexToBytes(digest))));
    const header = this.header(label);
    return {
      size: sealedSize(source.size),
      open: (offset) => this.sealedFrom(source, header, offset),
    };
  }

  /** Seals data that is not known before it ends. */
  async *seal(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const header = this.header(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
    yield header;
    yield* this.sealChunks(plain, header, 0);
  }

  /** The plain bytes of a sealed blob. Throws `BLOB_CORRUPT` at the first chunk that is not what was sealed, or at a cut. */
  async *open(sealed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const { encryption } = await this.subkeys();
    let header: Uint8Array | undefined;
    let index = 0;
    for await (const { bytes, isLast } of pieces(sealed, HEADER_BYTES, SEALED_CHUNK_BYTES)) {
      if (header === undefined) {
        header = bytes;
        if (header[0] !== VERSION || sealedSalt(header) !== this.salt)
          throw corrupt("it was not sealed under this task's key");
        if (isLast) throw corrupt("it ends before its first chunk");
        continue;
      }
      if (bytes.length < NONCE_BYTES + TAG_BYTES) throw corrupt("it was cut");
      const plain = await crypto.subtle
        .decrypt(
          {
            name: "AES-GCM",
            iv: buffer(bytes.subarray(0, NONCE_BYTES)),
            additionalData: buffer(position(header, index, isLast)),
          },
          encryption,
          buffer(bytes.subarray(NONCE_BYTES)),
        )
        .catch(() => {
          throw corrupt(`chunk ${index} was changed or cut`);
        });
      index++;
      if (plain.byteLength > 0) yield new Uint8Array(plain);
    }
    if (header === undefined) throw corrupt("it is empty");
  }

  private async *sealedFrom(
    source: BlobSource,
    header: Uint8Array,
    offset: number,
  ): AsyncGenerator<Uint8Array, void, void> {
    if (offset < HEADER_BYTES) yield header.subarray(offset);
    const index = Math.floor(Math.max(0, offset - HEADER_BYTES) / SEALED_CHUNK_BYTES);
    let skip = Math.max(0, offset - HEADER_BYTES) - index * SEALED_CHUNK_BYTES;
    // A whole number of chunks ends with the last of them, not with an empty one after it.
    if (index > 0 && index * CHUNK_BYTES >= source.size) return;
    for await (const chunk of this.sealChunks(source.open(index * CHUNK_BYTES), header, index)) {
      const rest = chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
      if (rest.length > 0) yield rest;
    }
  }

  private async *sealChunks(
    plain: AsyncIterable<Uint8Array>,
    header: Uint8Array,
    first: number,
  ): AsyncGenerator<Uint8Array, void, void> {
    const { encryption, nonces } = await this.subkeys();
    let index = first;
    for await (const { bytes, isLast } of pieces(plain, CHUNK_BYTES, CHUNK_BYTES)) {
      const at = position(header, index, isLast);
      const mac = await crypto.subtle.sign("HMAC", nonces, buffer(joined(at, bytes)));
      const nonce = new Uint8Array(mac, 0, NONCE_BYTES);
      const sealed = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv: nonce, additionalData: buffer(at) },
        encryption,
        buffer(bytes),
      );
      yield joined(nonce, new Uint8Array(sealed));
      index++;
    }
  }

  private header(label: Uint8Array): Uint8Array {
    return joined(Uint8Array.of(VERSION), hexToBytes(this.salt), label);
  }

  private subkeys(): Promise<Subkeys> {
    const derived = (name: string) =>
      buffer(hkdf(sha256, this.#seed, hexToBytes(this.salt), text.encode(name), 32));
    const mac = (name: string) =>
      crypto.subtle.importKey("raw", derived(name), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    this.#subkeys ??= Promise.all([
      crypto.subtle.importKey("raw", derived("dekuper task data 1"), "AES-GCM", false, [
        "encrypt",
        "decrypt",
      ]),
      mac("dekuper task nonces 1"),
      mac("dekuper task labels 1"),
    ]).then(([encryption, nonces, labels]) => ({ encryption, nonces, labels }));
    return this.#subkeys;
  }
}

/** Bytes of the sealed blob of so many plain bytes. */
export function sealedSize(plainBytes: number): number {
  const chunks = Math.max(1, Math.ceil(plainBytes / CHUNK_BYTES));
  return HEADER_BYTES + plainBytes + chunks * (NONCE_BYTES + TAG_BYTES);
}

/** Bytes at a sealed blob's head that `sealedSalt` reads. */
export const SEALED_HEAD_BYTES = 1 + KEY_BYTES;

/** The salt of the task key that a blob was sealed under, from its first bytes; undefined: it is no sealed blob. */
export function sealedSalt(head: Uint8Array): Hex | undefined {
  if (head.length < SEALED_HEAD_BYTES || head[0] !== VERSION) return undefined;
  return bytesToHex(head.subarray(1, SEALED_HEAD_BYTES));
}

/** What a chunk is bound to: its blob, its place, and whether the blob ends with it. */
function position(header: Uint8Array, index: number, isLast: boolean): Uint8Array {
  const place = new Uint8Array(9);
  new DataView(place.buffer).setBigUint64(0, BigInt(index));
  place[8] = isLast ? 1 : 0;
  return joined(header, place);
}

/** A stream in pieces of a fixed size, the first of its own, the last as it comes: at least one, perhaps empty. */
async function* pieces(
  bytes: AsyncIterable<Uint8Array>,
  firstSize: number,
  size: number,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly isLast: boolean }, void, void> {
  let wanted = firstSize;
  let piece = new Uint8Array(wanted);
  let filled = 0;
  for await (const part of bytes) {
    for (let at = 0; at < part.length; ) {
      // Only with a byte after it is it known not to be the last.
      if (filled === wanted) {
        yield { bytes: piece, isLast: false };
        wanted = size;
        piece = new Uint8Array(wanted);
        filled = 0;
      }
      const taken = Math.min(wanted - filled, part.length - at);
      piece.set(part.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
    }
  }
  yield { bytes: piece.subarray(0, filled), isLast: true };
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** WebCrypto's types want to be sure that no other thread shares the memory. */
function buffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}

function corrupt(why: string): DekuperError {
  return new DekuperError("BLOB_CORRUPT", `A sealed blob cannot be opened: ${why}.`);
}
