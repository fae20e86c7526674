import { encodeManifest, outputDigest, saltedDigest } from "@dekuper/protocol";
import { sha256 } from "@noble/hashes/sha2.js";
import { Encrypter } from "age-encryption";
import { bytesToHex, type Hex, stringToBytes } from "viem";

export const salt: Hex = `0x${"5a".repeat(32)}`;

/** One entry of a tar that is being made. */
export interface Part {
  readonly path: string;
  readonly bytes?: Uint8Array;
  /** Default: `0`, a regular file. */
  readonly type?: string;
  /** What the header claims; default: what is there. */
  readonly size?: number;
}

const BLOCK = 512;

/** A ustar entry; long paths by a pax header, as oracles write them. */
export function tarEntry({
  path,
  bytes = new Uint8Array(),
  type = "0",
  size = bytes.length,
}: Part): Uint8Array {
  const name = stringToBytes(path);
  if (name.length > 100) {
    const record = paxRecord("path", path);
    return concat([
      tarEntry({ path: "pax", bytes: stringToBytes(record), type: "x" }),
      tarEntry({ path: "long", bytes, type, size }),
    ]);
  }
  const header = new Uint8Array(BLOCK);
  header.set(name, 0);
  header.set(stringToBytes("0000644\0"), 100);
  header.set(stringToBytes(`${size.toString(8).padStart(11, "0")}\0`), 124);
  header.set(stringToBytes("00000000000\0"), 136);
  header.set(stringToBytes(type), 156);
  header.set(stringToBytes("ustar\u000000"), 257);
  header.set(stringToBytes("        "), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(stringToBytes(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  const padding = new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return concat([header, bytes, padding]);
}

export function paxRecord(key: string, value: string): string {
  const rest = stringToBytes(` ${key}=${value}\n`).length;
  let length = rest + 1;
  while (`${length}`.length + rest !== length) length = `${length}`.length + rest;
  return `${length} ${key}=${value}\n`;
}

export function tar(parts: readonly Part[]): Uint8Array {
  return concat([...parts.map(tarEntry), new Uint8Array(2 * BLOCK)]);
}

/** A delivery as an honest node makes it, with the attestation's digests. */
export function aDelivery(files: Readonly<Record<string, string>>, log = "epoch 1\n", taskSalt: Hex = salt) {
  const entries = Object.entries(files).map(([path, text]) => {
    const bytes = stringToBytes(text);
    return { path, bytes, digest: bytesToHex(sha256(bytes)) };
  });
  const manifest = encodeManifest(
    entries.map(({ path, bytes, digest }) => ({ path, size: bytes.length, digest })),
  );
  const logBytes = stringToBytes(log);
  const parts: Part[] = [
    { path: "manifest", bytes: manifest },
    { path: "log", bytes: logBytes },
    ...entries.map(({ path, bytes }) => ({ path: `output/${path}`, bytes })),
  ];
  const attestation = {
    outputDigest: outputDigest(taskSalt, manifest),
    logDigest: saltedDigest(taskSalt, logBytes),
  };
  return { parts, attestation };
}

/** A delivery's bytes as they travel: a tar, encrypted to the consumer. */
export async function sealed(parts: readonly Part[], recipient: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return encrypter.encrypt(tar(parts));
}

/** In pieces that respect no boundary. */
export async function* chunked(bytes: Uint8Array, size = 333): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
