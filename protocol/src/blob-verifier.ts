import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "viem";
import type { BlobName } from "./channels.ts";
import { DekuperError, isDekuperError } from "./errors.ts";
import { ChunkTree } from "./merkle.ts";
import { decodeSpec, MAX_SPEC_BYTES } from "./spec.ts";

/** Takes a blob's bytes in order and says at the end whether they are what the name says. */
export interface BlobVerifier {
  update(bytes: Uint8Array): void;
  /** Throws `BLOB_CORRUPT` if the bytes are not the named ones. */
  finish(): void;
}

/** An incremental sha-256; Node's own is several times faster than the one that runs everywhere. */
export interface Sha256 {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** Checks `spec` by its salted digest, `input`, `checkpoint` and `sealed` by sha-256, `output` by its ciphertext's Merkle root. */
export function blobVerifier(name: BlobName, newSha256: () => Sha256 = () => sha256.create()): BlobVerifier {
  if (name.kind === "spec") return specVerifier(name);
  if (name.kind === "output") {
    const tree = new ChunkTree();
    return { update: (bytes) => tree.update(bytes), finish: () => demand(name, tree.root()) };
  }
  const hash = newSha256();
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    finish: () => demand(name, bytesToHex(hash.digest())),
  };
}

function specVerifier(name: BlobName): BlobVerifier {
  const parts: Uint8Array[] = [];
  let size = 0;
  return {
    update: (bytes) => {
      size += bytes.length;
      if (size > MAX_SPEC_BYTES)
        throw new DekuperError("BLOB_CORRUPT", `The spec has more than ${MAX_SPEC_BYTES} bytes.`);
      parts.push(bytes.slice());
    },
    finish: () => {
      const whole = new Uint8Array(size);
      let offset = 0;
      for (const part of parts) {
        whole.set(part, offset);
        offset += part.length;
      }
      try {
        decodeSpec(whole, name.digest);
      } catch (error) {
        if (isDekuperError(error, "BLOB_CORRUPT")) throw error;
        throw new DekuperError("BLOB_CORRUPT", "The bytes are not a valid spec.", { cause: error });
      }
    },
  };
}

function demand(name: BlobName, got: string): void {
  if (got !== name.digest)
    throw new DekuperError("BLOB_CORRUPT", `The ${name.kind}'s bytes do not match its name.`, {
      details: { got, expected: name.digest },
    });
}
