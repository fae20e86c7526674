import canonicalize from "canonicalize";
import { DekuperError } from "./errors.ts";

/** RFC 8785 canonical JSON as UTF-8 bytes. */
export function canonicalJson(value: unknown): Uint8Array {
  const text = canonicalize(value);
  if (text === undefined) throw new DekuperError("INTERNAL", "The value has no JSON form.");
  return new TextEncoder().encode(text);
}

/** Parses UTF-8 JSON bytes; `MESSAGE_INVALID` when they are neither. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DekuperError("MESSAGE_INVALID", `The ${what} is not JSON in UTF-8.`, { cause });
  }
}
