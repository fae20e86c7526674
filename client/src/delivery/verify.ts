import {
  DekuperError,
  decodeManifest,
  delivery,
  type ManifestEntry,
  type OutputAttestation,
  outputAttestationTypes,
  outputDigest,
  pathProblem,
  saltedHasher,
  taskDomain,
} from "@dekuper/protocol";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Address, bytesToHex, type Hex, hashStruct, recoverTypedDataAddress } from "viem";
import { readTar } from "./tar.ts";

/** Where the verified bytes go. Nothing may be shown to anyone before `verifyDelivery` has returned. */
export interface DeliverySink {
  /** A file of the output, by its checked relative path; called once per path. */
  file(path: string, size: number): Promise<ByteSink>;
  log(): Promise<ByteSink>;
}
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** What a delivery held, all of it as attested. */
export interface VerifiedDelivery {
  readonly files: readonly ManifestEntry[];
  readonly logBytes: number;
  /** Entries of /output that the node left out: links, devices, bad names. */
  readonly skipped: readonly { readonly reason: string; readonly path: string }[];
}

/** Most bytes of a manifest or of `skipped.txt`: they are held in memory. */
const MAX_LIST_BYTES = 256 * 1024 * 1024;

/**
 * Verifies a decrypted delivery against the attestation while it streams into the sink: the manifest's digest, every
 * file's sha-256 and size, the log's digest, and that nothing else is there. Throws `ATTESTATION_INVALID` or
 * `PATH_INVALID`; what the sink holds is then worthless. Runs in browsers too.
 */
export async function verifyDelivery(
  plaintext: AsyncIterable<Uint8Array>,
  expected: { attestation: Pick<OutputAttestation, "outputDigest" | "logDigest">; salt: Hex },
  sink: DeliverySink,
): Promise<VerifiedDelivery> {
  const { attestation, salt } = expected;
  const found = new Map<string, { size: number; digest: Hex }>();
  const seen = new Set<string>();
  let manifest: ReadonlyMap<string, ManifestEntry> | undefined;
  let log: { size: number; digest: Hex } | undefined;
  let skipped = "";
  for await (const entry of readTar(plaintext)) {
    if (seen.has(entry.path)) throw mismatch(`${entry.path} stands twice in the delivery`);
    seen.add(entry.path);
    if (entry.path === delivery.manifest) {
      const bytes = await collect(entry.bytes, entry.size, entry.path);
      requireEqual("manifest", outputDigest(salt, bytes), attestation.outputDigest);
      manifest = new Map(decodeManifest(bytes).map((file) => [file.path, file]));
    } else if (entry.path === delivery.log) {
      const hasher = saltedHasher(salt);
      await pour(entry.bytes, await sink.log(), (bytes) => hasher.update(bytes));
      log = { size: entry.size, digest: hasher.digest() };
    } else if (entry.path === delivery.skipped) {
      skipped = new TextDecoder().decode(await collect(entry.bytes, entry.size, entry.path));
    } else {
      const path = outputPath(entry.path);
      if (manifest !== undefined) requireListed(manifest, path, entry.size);
      const hash = sha256.create();
      await pour(entry.bytes, await sink.file(path, entry.size), (bytes) => hash.update(bytes));
      found.set(path, { size: entry.size, digest: bytesToHex(hash.digest()) });
    }
  }
  if (manifest === undefined) throw mismatch("the delivery has no manifest");
  if (log === undefined) throw mismatch("the delivery has no log");
  requireEqual("log", log.digest, attestation.logDigest);
  for (const { path, size, digest } of manifest.values()) {
    const file = found.get(path);
    if (file === undefined) throw mismatch(`${path} is in the manifest but not in the delivery`);
    if (file.size !== size) throw mismatch(`${path} has ${file.size} bytes, the manifest says ${size}`);
    requireEqual(path, file.digest, digest);
    found.delete(path);
  }
  const [extra] = found.keys();
  if (extra !== undefined) throw mismatch(`${extra} is in the delivery but not in the manifest`);
  return { files: [...manifest.values()], logBytes: log.size, skipped: parseSkipped(skipped) };
}

/** Checks that the attestation is the one that the lease keeps, of its attempt, and that the node's operator signed it. */
export async function verifyAttestation(
  accepted: { attestation: OutputAttestation; signature: Hex },
  lease: {
    taskId: Hex;
    leaseId: Hex;
    attempt: number;
    specDigest: Hex;
    node: Address;
    /** EIP-712 struct hash of what the chain accepted. */
    attestationDigest: Hex;
  },
  market: { chainId: number; taskRegistry: Address },
): Promise<void> {
  const { attestation, signature } = accepted;
  for (const key of ["taskId", "leaseId", "attempt", "specDigest"] as const) {
    requireEqual(key, attestation[key], lease[key]);
  }
  const digest = hashStruct({
    data: { ...attestation },
    types: outputAttestationTypes,
    primaryType: "OutputAttestation",
  });
  requireEqual("attestation", digest, lease.attestationDigest);
  const signer = await recoverTypedDataAddress({
    domain: taskDomain(market.chainId, market.taskRegistry),
    types: outputAttestationTypes,
    primaryType: "OutputAttestation",
    message: attestation,
    signature,
  }).catch((cause) => {
    throw new DekuperError("ATTESTATION_INVALID", "The attestation's signature is none.", { cause });
  });
  requireEqual("signer", signer.toLowerCase(), lease.node.toLowerCase());
}

/** Output into memory, for browsers and small results. */
export function memorySink(): DeliverySink & {
  readonly files: Map<string, Uint8Array>;
  logBytes(): Uint8Array;
} {
  const files = new Map<string, Uint8Array>();
  let logged = new Uint8Array();
  const into = (store: (bytes: Uint8Array<ArrayBuffer>) => void): ByteSink => {
    const parts: Uint8Array[] = [];
    return {
      write: async (bytes) => {
        parts.push(bytes.slice());
      },
      close: async () => store(concat(parts)),
    };
  };
  return {
    files,
    logBytes: () => logged,
    file: async (path) => into((bytes) => files.set(path, bytes)),
    log: async () =>
      into((bytes) => {
        logged = bytes;
      }),
  };
}

function outputPath(entry: string): string {
  const path = entry.startsWith(delivery.outputFolder)
    ? entry.slice(delivery.outputFolder.length)
    : undefined;
  if (path === undefined) throw mismatch(`${JSON.stringify(entry)} has no place in a delivery`);
  const problem = pathProblem(path);
  if (problem === undefined) return path;
  throw new DekuperError("PATH_INVALID", `The delivery names ${JSON.stringify(entry)}: ${problem}.`, {
    details: { path: entry },
    hint: "The node sent a hostile or broken delivery: do not approve it.",
  });
}

function requireListed(manifest: ReadonlyMap<string, ManifestEntry>, path: string, size: number): void {
  const listed = manifest.get(path);
  if (listed === undefined) throw mismatch(`${path} is in the delivery but not in the manifest`);
  if (listed.size !== size) throw mismatch(`${path} has ${size} bytes, the manifest says ${listed.size}`);
}

async function pour(
  from: AsyncIterable<Uint8Array>,
  to: ByteSink,
  also: (bytes: Uint8Array) => void,
): Promise<void> {
  try {
    for await (const bytes of from) {
      also(bytes);
      await to.write(bytes);
    }
  } finally {
    await to.close();
  }
}

async function collect(from: AsyncIterable<Uint8Array>, size: number, what: string): Promise<Uint8Array> {
  if (size > MAX_LIST_BYTES) throw mismatch(`${what} has ${size} bytes, at most ${MAX_LIST_BYTES} are taken`);
  const parts: Uint8Array[] = [];
  for await (const bytes of from) parts.push(bytes.slice());
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function parseSkipped(text: string): { reason: string; path: string }[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const space = line.indexOf(" ");
      return space < 0
        ? { reason: line, path: "" }
        : { reason: line.slice(0, space), path: line.slice(space + 1) };
    });
}

function requireEqual(what: string, got: string | number, expected: string | number): void {
  if (got !== expected) {
    throw new DekuperError("ATTESTATION_INVALID", `The ${what} is not what the node attested.`, {
      details: { what, got, expected },
    });
  }
}

function mismatch(found: string): DekuperError {
  return new DekuperError("ATTESTATION_INVALID", `The delivery is not what the node attested: ${found}.`);
}
