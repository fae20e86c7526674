import { type Address, bytesToHex, concat, type Hex, hexToBytes, isAddressEqual, size } from "viem";
import type { Digest } from "./digest.ts";
import { DekuperError } from "./errors.ts";

/** Most bytes of a wrap that the contract takes (rule 11). */
export const MAX_WRAP_BYTES = 512;

const VERSION = 1;
const SALT_BYTES = 32;
const DIGEST_BYTES = 32;
const HEAD_BYTES = 1 + SALT_BYTES + DIGEST_BYTES;
const SEED_BYTES = 32;
const ADDRESS_BYTES = 20;

/** A task key on its way to one node, as the chain carries it: `0x01 || salt (32) || specBlob (32) || age file`. */
export interface TaskKeyWrap {
  /** Of the task key; the consumer derives its key again from it. */
  readonly salt: Hex;
  /** sha-256 of the sealed spec: its name as a `sealed` blob. */
  readonly specBlob: Digest;
  /** An age file for the node's encryption key that holds `wrapPayload`. */
  readonly file: Uint8Array;
}

/** Throws `KEY_WRAP_INVALID` where the wrap would be longer than the contract takes. */
export function encodeWrap({ salt, specBlob, file }: TaskKeyWrap): Hex {
  const wrap = concat([
    Uint8Array.of(VERSION),
    hexToBytes(salt, { size: SALT_BYTES }),
    hexToBytes(specBlob, { size: DIGEST_BYTES }),
    file,
  ]);
  if (wrap.length > MAX_WRAP_BYTES) throw invalid(`it has ${wrap.length} bytes, at most ${MAX_WRAP_BYTES}`);
  return bytesToHex(wrap);
}

/** Reads what anyone may have put on chain. Throws `KEY_WRAP_INVALID`. */
export function decodeWrap(wrap: Hex): TaskKeyWrap {
  const length = size(wrap);
  if (length <= HEAD_BYTES || length > MAX_WRAP_BYTES)
    throw invalid(`it has ${length} bytes, expected ${HEAD_BYTES + 1} to ${MAX_WRAP_BYTES}`);
  const bytes = hexToBytes(wrap);
  if (bytes[0] !== VERSION) throw invalid(`its version is ${bytes[0]}, expected ${VERSION}`);
  return {
    salt: bytesToHex(bytes.subarray(1, 1 + SALT_BYTES)),
    specBlob: bytesToHex(bytes.subarray(1 + SALT_BYTES, HEAD_BYTES)),
    file: bytes.slice(HEAD_BYTES),
  };
}

/** What a wrap's age file holds: `seed (32) || consumer (20)`. */
export function wrapPayload(seed: Uint8Array, consumer: Address): Uint8Array {
  return concat([seed, hexToBytes(consumer, { size: ADDRESS_BYTES })]);
}

/**
 * The seed of a wrap that was opened. Throws `KEY_WRAP_INVALID` where it was made for another consumer's task: whoever copies a
 * wrap from the chain into a task of their own gets nothing run, and nothing read, with it.
 */
export function readWrapPayload(payload: Uint8Array, consumer: Address): Uint8Array {
  if (payload.length !== SEED_BYTES + ADDRESS_BYTES)
    throw invalid(`it holds ${payload.length} bytes, expected ${SEED_BYTES + ADDRESS_BYTES}`);
  const madeFor = bytesToHex(payload.subarray(SEED_BYTES));
  if (!isAddressEqual(madeFor, consumer)) throw invalid(`it was made by ${madeFor}, not by ${consumer}`);
  return payload.slice(0, SEED_BYTES);
}

function invalid(why: string): DekuperError {
  return new DekuperError("KEY_WRAP_INVALID", `The task's key wrap cannot be used: ${why}.`);
}
