import { chunkRoot, type DekuperError, type TaskSpec } from "@dekuper/protocol";
import { Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { extract } from "tar-stream";
import type { AttemptObservation } from "../../src/cluster/driver.ts";
import type { BlobWriter } from "../../src/peer/peer.ts";
import type { OutputLimits } from "../../src/result/output-entries.ts";
import type { SealedResult } from "../../src/result/result.ts";
import { createResultSealer } from "../../src/result/seal.ts";
import { aTaskSpec } from "../task-spec.ts";

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

export const salt = `0x${"5a".repeat(32)}` as const;

export function aSpec(maxBytes = 1_000_000): TaskSpec {
  return aTaskSpec({ salt, output: { maxBytes, recipient } });
}

export const observation: AttemptObservation = {
  chainId: 31337,
  registry: `0x${"11".repeat(20)}`,
  leaseId: `0x${"22".repeat(32)}`,
  attempt: 1,
  namespace: "dkp",
  stage: "exited",
  createdAt: 1,
  exitCode: 0,
  terminating: false,
};

/** A blob store that keeps what was committed, and what was given up. */
export class MemoryBlobs {
  readonly committed = new Map<string, Uint8Array>();
  aborted = 0;
  bytes = 0;
  private readonly keep: boolean;
  private readonly failure: { after: number; error: DekuperError } | undefined;

  constructor(options: { keep?: boolean; failure?: { after: number; error: DekuperError } } = {}) {
    this.keep = options.keep ?? true;
    this.failure = options.failure;
  }

  async create(): Promise<BlobWriter> {
    const parts: Uint8Array[] = [];
    return {
      write: async (bytes) => {
        this.bytes += bytes.length;
        if (this.failure !== undefined && this.bytes > this.failure.after) throw this.failure.error;
        if (this.keep) parts.push(Buffer.from(bytes));
      },
      commit: async ({ digest }) => {
        this.committed.set(digest, Buffer.concat(parts));
      },
      abort: async () => {
        this.aborted++;
      },
    };
  }
}

/** Seals what `output` streams; each try reads it anew, as the driver does. */
export async function seal(
  output: () => AsyncIterable<Uint8Array>,
  options: {
    spec?: TaskSpec;
    log?: string;
    limits?: Partial<OutputLimits>;
    blobs?: MemoryBlobs;
    signal?: AbortSignal;
  } = {},
): Promise<{ sealed: SealedResult; blobs: MemoryBlobs; ciphertext: Uint8Array }> {
  const { spec = aSpec(), log = "line 1\n", limits = {}, blobs = new MemoryBlobs() } = options;
  const sealer = createResultSealer({ driver: { readOutput: output }, blobStore: blobs, limits });
  const sealed = await sealer.seal(
    { observation, spec, outcome: "Success", log: Buffer.from(log) },
    options.signal ?? AbortSignal.timeout(20_000),
  );
  return { sealed, blobs, ciphertext: blobs.committed.get(sealed.ciphertextRoot) ?? new Uint8Array() };
}

export async function decrypted(ciphertext: Uint8Array): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return decrypter.decrypt(ciphertext);
}

/** What the consumer finds in a delivery, by the tar's paths. */
export async function open(ciphertext: Uint8Array): Promise<Map<string, string>> {
  const reader = extract();
  reader.end(Buffer.from(await decrypted(ciphertext)));
  const found = new Map<string, string>();
  for await (const entry of reader) {
    const parts: Uint8Array[] = [];
    for await (const part of entry as AsyncIterable<Uint8Array>) parts.push(part);
    found.set(entry.header.name, Buffer.concat(parts).toString("utf8"));
  }
  return found;
}

export const rootOf = chunkRoot;
