import { type Hex, stringToBytes } from "viem";
import { type Digest, saltedDigest } from "./digest.ts";
import { DekuperError } from "./errors.ts";
import { pathProblem } from "./path.ts";

/** One regular file of an output. */
export interface ManifestEntry {
  /** Relative path, UTF-8, `/` between parts. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Plain sha-256 of the content. */
  readonly digest: Digest;
}

/**
 * The manifest of an output (rule 7): one line a file, `<sha256 hex> <size> <path>\n`, sorted by the bytes of the path.
 * Two nodes that hold the same files write the same bytes.
 */
export function encodeManifest(entries: readonly ManifestEntry[]): Uint8Array {
  const lines = [...entries].sort(byPathBytes).map((entry, index, sorted) => {
    const problem = pathProblem(entry.path);
    if (problem !== undefined)
      throw new DekuperError("PATH_INVALID", `Manifest path ${JSON.stringify(entry.path)}: ${problem}.`);
    if (sorted[index - 1]?.path === entry.path) {
      throw new DekuperError("PATH_INVALID", `Manifest path ${JSON.stringify(entry.path)} stands twice.`);
    }
    return `${entry.digest.slice(2)} ${entry.size} ${entry.path}\n`;
  });
  return stringToBytes(lines.join(""));
}

/** Reads a manifest back; throws `MESSAGE_INVALID` on anything that `encodeManifest` would not write. */
export function decodeManifest(bytes: Uint8Array): ManifestEntry[] {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const lines = text === "" ? [] : text.split("\n");
  if (lines.length > 0 && lines.pop() !== "")
    throw new DekuperError("MESSAGE_INVALID", "The manifest's last line does not end.");
  const entries = lines.map((line, index): ManifestEntry => {
    const match = /^([0-9a-f]{64}) (0|[1-9]\d{0,15}) (.+)$/.exec(line);
    const [, digest, size, path] = match ?? [];
    if (digest === undefined || path === undefined || pathProblem(path) !== undefined) {
      throw new DekuperError(
        "MESSAGE_INVALID",
        `Line ${index + 1} of the manifest is not "<sha256> <size> <path>".`,
      );
    }
    return { path, size: Number(size), digest: `0x${digest}` };
  });
  const sorted = entries.every(
    (entry, index) => index === 0 || byPathBytes(entries[index - 1] ?? entry, entry) < 0,
  );
  if (!sorted) throw new DekuperError("MESSAGE_INVALID", "The manifest is not sorted by path.");
  return entries;
}

/** `outputDigest = sha256(salt || manifest)`. */
export function outputDigest(salt: Hex, manifest: Uint8Array): Digest {
  return saltedDigest(salt, manifest);
}

function byPathBytes(a: { path: string }, b: { path: string }): number {
  const left = stringToBytes(a.path);
  const right = stringToBytes(b.path);
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
