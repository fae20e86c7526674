import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Hex, hexToBytes } from "viem";

/** A salted or plain sha-256, 32 bytes. Off chain and on chain alike (rule 7). */
export type Digest = Hex;

/** sha-256 of the parts, one after the other. */
export function digestOf(...parts: Uint8Array[]): Digest {
  const hash = sha256.create();
  for (const part of parts) hash.update(part);
  return bytesToHex(hash.digest());
}

/** `sha256(salt || bytes)`; the salt is the task's, 32 bytes. */
export function saltedDigest(salt: Hex, bytes: Uint8Array): Digest {
  return digestOf(hexToBytes(salt, { size: 32 }), bytes);
}

/** An incremental salted sha-256 for what does not fit in memory. */
export function saltedHasher(salt: Hex): { update(bytes: Uint8Array): void; digest(): Digest } {
  const hash = sha256.create();
  hash.update(hexToBytes(salt, { size: 32 }));
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: () => bytesToHex(hash.digest()),
  };
}
