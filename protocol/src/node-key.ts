import { secp256k1 } from "@noble/curves/secp256k1.js";
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
