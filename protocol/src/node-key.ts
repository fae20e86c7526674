import { x25519 } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bech32 } from "@scure/base";
import { type Address, bytesToHex, getAddress, type Hex, hexToBytes, keccak256 } from "viem";
import { DekuperError } from "./errors.ts";

/**
 * The node's chain address is its network address: one secp256k1 key is both. libp2p holds it compressed (33 bytes),
 * the registry uncompressed without its 0x04 (64 bytes).
 */
export function addressOfPublicKey(key: Uint8Array | Hex): Address {
  const hash = keccak256(uncompressed(key));
  return getAddress(`0x${hash.slice(-40)}`);
}

/** 64 bytes, as the registry takes it. */
export function registryPublicKey(key: Uint8Array | Hex): Hex {
  return bytesToHex(uncompressed(key));
}

/** 33 bytes, as libp2p takes it. */
export function compressedPublicKey(key: Uint8Array | Hex): Uint8Array {
  return secp256k1.Point.fromBytes(sec1(key)).toBytes(true);
}

function uncompressed(key: Uint8Array | Hex): Uint8Array {
  return secp256k1.Point.fromBytes(sec1(key)).toBytes(false).subarray(1);
}

function sec1(key: Uint8Array | Hex): Uint8Array {
  const bytes = typeof key === "string" ? hexToBytes(key) : key;
  if (bytes.length === 33 || bytes.length === 65) return bytes;
  if (bytes.length === 64) return Uint8Array.from([4, ...bytes]);
  throw new DekuperError(
    "MESSAGE_INVALID",
    `A secp256k1 public key has 33, 64 or 65 bytes, got ${bytes.length}.`,
  );
}

/** Generations of encryption keys that a node opens wraps with: one whose key was changed still reads what older ones were given. */
export const ENCRYPTION_KEY_GENERATIONS = 8;

/**
 * The X25519 secret to which a node's task keys are wrapped, 32 bytes. Derived from the operator's key, so that there is one secret
 * to keep; the next `generation` (from 1) is another key.
 */
export function nodeEncryptionSecret(operatorKey: Hex, generation = 1): Uint8Array {
  const info = new TextEncoder().encode(`dekuper node encryption key ${generation}`);
  return hkdf(sha256, hexToBytes(operatorKey, { size: 32 }), undefined, info, 32);
}

/** The public half, as the node's profile has it. */
export function nodeEncryptionKey(operatorKey: Hex, generation = 1): Hex {
  return bytesToHex(x25519.getPublicKey(nodeEncryptionSecret(operatorKey, generation)));
}

/** 32 bytes of an X25519 secret as age writes an identity: `AGE-SECRET-KEY-1...`. */
export function ageIdentity(secret: Uint8Array): string {
  return bech32.encodeFromBytes("AGE-SECRET-KEY-", secret).toUpperCase();
}

/** The secret of an age X25519 identity. */
export function ageSecret(identity: string): Uint8Array {
  return bech32.decodeToBytes(identity).bytes;
}

/** 32 bytes of an X25519 public key as age writes a recipient: `age1...`. */
export function ageRecipient(publicKey: Hex): string {
  return bech32.encodeFromBytes("age", hexToBytes(publicKey, { size: 32 }));
}
