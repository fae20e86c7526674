import {
  ChunkTree,
  delivery,
  encodeManifest,
  type ManifestEntry,
  outputDigest,
  saltedDigest,
  type TaskSpec,
} from "@dekuper/protocol";
import { Encrypter } from "age-encryption";
import { pack } from "tar-stream";
import type { AttemptObservation, AttemptRef, ClusterDriver } from "../cluster/driver.ts";
import type { BlobStore } from "../peer/peer.ts";
import { DEFAULT_LIMITS, type OutputLimits, readEntries, type SkippedEntry } from "./output-entries.ts";
import { type Pack, packBytes, packFile } from "./pack-file.ts";
import type { ResultSealer, SealedResult } from "./result.ts";

export interface ResultSealerOptions {
  readonly driver: Pick<ClusterDriver, "readOutput">;
  readonly blobStore: Pick<BlobStore, "create">;
  readonly limits?: Partial<OutputLimits>;
}

type SealRequest = Parameters<ResultSealer["seal"]>[0];

/** What went into a delivery. */
interface Contents {
  readonly manifest: Uint8Array;
  readonly skipped: readonly SkippedEntry[];
}

/** `/output` holds more than `output.maxBytes`. Known only once the reading has begun. */
class OutputTooLarge extends Error {}

/** Entries that `skipped.txt` names; what is left out beyond it is only counted: links cost a task nothing, names cost us memory. */
const MAX_SKIPPED = 1000;

/**
 * Seals ended runs in one pass: the pod's tar is read, hashed, packed again, encrypted and written, each byte once and none
 * kept in memory. Nothing is ever extracted to this machine's disk (rule 35).
 */
export function createResultSealer(options: ResultSealerOptions): ResultSealer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  return {
    seal: async (request, signal) => {
      try {
        return await sealOnce(options, limits, request, signal);
      } catch (error) {
        if (!(error instanceof OutputTooLarge)) throw error;
        return sealOnce(options, undefined, { ...request, outcome: "OutputTooLarge" }, signal);
      }
    },
  };
}

/** Without limits the output is left out: the log alone is delivered. */
async function sealOnce(
  { driver, blobStore }: ResultSealerOptions,
  limits: OutputLimits | undefined,
  { observation, spec, outcome, log, recipient = spec.output.recipient }: SealRequest,
  signal: AbortSignal,
): Promise<SealedResult> {
  const writer = await blobStore.create();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const tar = pack();
  // Destroying the tar ends both sides of it: who fills it, and who reads it. They get the reason, so its event says nothing new.
  tar.on("error", () => undefined);
  either.addEventListener("abort", () => tar.destroy(either.reason as Error), { once: true });
  const tree = new ChunkTree();
  const filled = fill(
    tar,
    limits === undefined ? undefined : { output: driver.readOutput(refOf(observation), either), limits },
    spec,
    log,
  );
  filled.catch((error: unknown) => stop.abort(error));
  try {
    for await (const bytes of encrypt(tar as unknown as AsyncIterable<Uint8Array>, recipient)) {
      signal.throwIfAborted();
      tree.update(bytes);
      await writer.write(bytes);
    }
    const { manifest, skipped } = await filled;
    const ciphertextRoot = tree.root();
    await writer.commit({ kind: "output", digest: ciphertextRoot });
    return {
      outcome,
      exitCode: observation.exitCode ?? -1,
      outputDigest: outputDigest(spec.salt, manifest),
      logDigest: saltedDigest(spec.salt, log),
      ciphertextRoot,
      ciphertextSize: tree.size,
      skipped,
    };
  } catch (error) {
    stop.abort(error);
    await writer.abort();
    throw either.reason; // what came first; the broken pipe after it is no reason
  }
}

/** The delivery's tar: output files, log, what was skipped, and last the manifest of what was packed. */
async function fill(
  tar: Pack,
  source: { output: AsyncIterable<Uint8Array>; limits: OutputLimits } | undefined,
  spec: TaskSpec,
  log: Uint8Array,
): Promise<Contents> {
  const entries: ManifestEntry[] = [];
  const skipped: SkippedEntry[] = [];
  let unnamed = 0;
  let total = 0;
  if (source !== undefined) {
    for await (const entry of readEntries(source.output, source.limits)) {
      if (entry.kind === "skipped") {
        if (skipped.length < MAX_SKIPPED) skipped.push(entry);
        else unnamed++;
        continue;
      }
      total += entry.size;
      if (total > spec.output.maxBytes) throw new OutputTooLarge();
      const digest = await packFile(tar, `${delivery.outputFolder}${entry.path}`, entry.size, entry.bytes);
      entries.push({ path: entry.path, size: entry.size, digest });
    }
  }
  if (unnamed > 0) skipped.push({ kind: "skipped", reason: "more", path: `${unnamed} others` });
  await packBytes(tar, delivery.log, log);
  if (skipped.length > 0) await packBytes(tar, delivery.skipped, skippedList(skipped));
  const manifest = encodeManifest(entries);
  await packBytes(tar, delivery.manifest, manifest);
  tar.finalize();
  return { manifest, skipped };
}

/** One line an entry; a name with control characters is written as JSON, so that it stays one line. */
function skippedList(skipped: readonly SkippedEntry[]): Uint8Array {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const shown = (path: string) => (/[\u0000-\u001f\u007f]/.test(path) ? JSON.stringify(path) : path);
  return new TextEncoder().encode(skipped.map(({ reason, path }) => `${reason} ${shown(path)}\n`).join(""));
}

async function* encrypt(
  plain: AsyncIterable<Uint8Array>,
  recipient: string,
): AsyncGenerator<Uint8Array, void, void> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const stream = await encrypter.encrypt(ReadableStream.from(plain) as ReadableStream<Uint8Array>);
  yield* stream as unknown as AsyncIterable<Uint8Array>;
}

function refOf({ chainId, registry, leaseId, attempt }: AttemptObservation): AttemptRef {
  return { chainId, registry, leaseId, attempt };
}
