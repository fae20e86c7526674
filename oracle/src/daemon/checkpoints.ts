import { type BlobName, DekuperError, decodeManifest, isDekuperError, isQuorum } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { AttemptRef, ClusterDriver, SentFile } from "../cluster/driver.ts";
import type { AttemptJournal, AttemptRecord, StoredCheckpoint } from "../journal/attempts.ts";
import type { PeerNode } from "../peer/peer.ts";
import {
  bytesIn,
  type CheckpointCipher,
  type CheckpointStore,
  checkpointFiles,
  digestOf,
  packCheckpoint,
  plainCipher,
} from "../result/checkpoint.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

export interface CheckpointDeps {
  readonly driver: Pick<ClusterDriver, "readCheckpoint" | "checkpointManifest">;
  readonly blobs: CheckpointStore;
  readonly journal: Pick<AttemptJournal, "find" | "recordCheckpoint">;
  readonly peer: Pick<PeerNode, "fetchBlob" | "putBlob">;
  /** Other nodes, those first that are to have a copy. */
  readonly others: () => readonly Address[];
  readonly clock: { now(): number };
  readonly log: Pick<OracleLog, "info" | "warn">;
  /** The daemon's: what is taken in the background outlives the step that asked for it. */
  readonly signal: AbortSignal;
  readonly settings: { readonly maxBytes: number; readonly copies: number };
  /** Undefined: this node cannot keep the task's checkpoints. Default: public tasks', as they are. */
  readonly cipherOf?: (record: AttemptRecord) => CheckpointCipher | undefined;
}

/** For one checkpoint: read, packed, and given to others. */
const TAKE_MS = 5 * 60_000;
/** Given to one node. */
const PUT_MS = 2 * 60_000;
/** Nodes that are asked to take a copy, for each that is wanted. */
const TRIES_PER_COPY = 3;
/** What is claimed is kept for so long after each claim, seconds. */
const KEPT_SECONDS = 2 * 3_600;

const nameOf = (digest: Hex): BlobName => ({ kind: "checkpoint", digest });

/**
 * Checkpoints for failover (rule 17): taken out of the pod, stored and given to other nodes before they are claimed, so that
 * what the chain names can be fetched when this node is gone. A lease never waits for it, and never fails for it.
 */
export class Checkpoints {
  private readonly deps: CheckpointDeps;
  private readonly taking = new Map<
    string,
    { readonly stop: AbortController; readonly done: Promise<void> }
  >();

  constructor(deps: CheckpointDeps) {
    this.deps = deps;
  }

  /** The newest checkpoint that others have. A newer one is taken in the background and waited for at most `waitMs`. */
  async newest(
    record: AttemptRecord,
    ref: AttemptRef,
    waitMs: number,
  ): Promise<StoredCheckpoint | undefined> {
    const { journal } = this.deps;
    const done = this.take(record, ref);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), waitMs);
    await Promise.race([done, late.promise]);
    clearTimeout(timer);
    const { checkpoint } = journal.find(record.leaseId, record.attempt) ?? record;
    return checkpoint !== undefined && (await this.keep(checkpoint)) ? checkpoint : undefined;
  }

  /** Ends what is being taken: the run is over, and its output is wanted. */
  async stop(ref: AttemptRef): Promise<void> {
    const current = this.taking.get(keyOf(ref));
    current?.stop.abort(new DekuperError("TIMED_OUT", "The run has ended."));
    await current?.done;
  }

  async settled(): Promise<void> {
    await Promise.all([...this.taking.values()].map(({ done }) => done));
  }

  /** Gets what an attempt goes on from; null: nobody has it, not in time, or it is too large. */
  async fetch(
    record: AttemptRecord,
    digest: Hex,
    limit: { readonly maxBytes: number; readonly signal: AbortSignal },
  ): Promise<StoredCheckpoint | null> {
    const { blobs, peer, settings, log } = this.deps;
    const cipher = this.cipherOf(record);
    const maxBytes = Math.min(settings.maxBytes, limit.maxBytes);
    if (cipher === undefined || maxBytes === 0) return null;
    const name = nameOf(digest);
    try {
      await peer.fetchBlob(name, maxBytes, limit.signal);
      const size = (await blobs.has(name))?.size ?? 0;
      const { files, manifestDigest } = await checkpointFiles(() => blobs.read(name), cipher);
      if (files.length === 0) return null;
      const checkpoint = { digest, size, manifestDigest };
      await this.keep(checkpoint);
      log.info({ leaseId: record.leaseId, attempt: record.attempt, digest, size }, "checkpoint-fetched");
      return checkpoint;
    } catch (error) {
      if (!isDekuperError(error) && !limit.signal.aborted) throw error;
      log.info({ leaseId: record.leaseId, digest, error: errorFields(error) }, "checkpoint-not-found");
      return null;
    }
  }

  /** The files of what an attempt goes on from; none where it is gone: the run begins anew then. */
  async files(record: AttemptRecord): Promise<readonly SentFile[]> {
    const { blobs, log } = this.deps;
    const cipher = this.cipherOf(record);
    if (record.resume === undefined || record.resume === null || cipher === undefined) return [];
    const name = nameOf(record.resume.digest);
    try {
      return (await checkpointFiles(() => blobs.read(name), cipher)).files;
    } catch (error) {
      if (!isDekuperError(error)) throw error;
      log.warn({ leaseId: record.leaseId, error: errorFields(error) }, "checkpoint-gone");
      return [];
    }
  }

  private cipherOf(record: AttemptRecord): CheckpointCipher | undefined {
    if (isQuorum(record.order)) return undefined; // no failover, and nothing that another replica could copy
    const { cipherOf } = this.deps;
    if (cipherOf !== undefined) return cipherOf(record);
    return record.order.isPrivate ? undefined : plainCipher;
  }

  private take(record: AttemptRecord, ref: AttemptRef): Promise<void> {
    const key = keyOf(ref);
    const running = this.taking.get(key);
    if (running !== undefined) return running.done;
    const { signal, log, settings } = this.deps;
    const cipher = this.cipherOf(record);
    if (cipher === undefined || settings.maxBytes === 0) return Promise.resolve();
    const stop = new AbortController();
    const limited = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(TAKE_MS)]);
    const done = this.takeOnce(record, ref, cipher, limited)
      .catch((error: unknown) => {
        if (!stop.signal.aborted && !signal.aborted)
          log.warn({ leaseId: ref.leaseId, error: errorFields(error) }, "checkpoint-not-taken");
      })
      .finally(() => this.taking.delete(key));
    this.taking.set(key, { stop, done });
    return done;
  }

  private async takeOnce(
    record: AttemptRecord,
    ref: AttemptRef,
    cipher: CheckpointCipher,
    signal: AbortSignal,
  ): Promise<void> {
    const { driver, journal, settings } = this.deps;
    const manifest = await driver.checkpointManifest(ref, signal);
    if (manifest.length === 0) return;
    const manifestDigest = digestOf(manifest);
    const before = (journal.find(ref.leaseId, ref.attempt) ?? record).checkpoint;
    if (before?.manifestDigest === manifestDigest) {
      await this.spread(nameOf(before.digest), signal); // others forget what nobody renews
      return;
    }
    const bytes = bytesIn(decodeManifest(manifest));
    if (bytes > settings.maxBytes)
      throw new DekuperError("BLOB_QUOTA", `CHECKPOINT_DIR holds ${bytes} bytes, too many to be kept.`, {
        details: { bytes, maxCheckpointBytes: settings.maxBytes },
      });
    const checkpoint = await this.store(ref, manifestDigest, cipher, signal);
    if (checkpoint === undefined) return;
    const { wanted, made } = await this.spread(nameOf(checkpoint.digest), signal);
    // One that nobody else has is worth less than an older one that somebody has.
    if (made > 0 || wanted === 0 || before === undefined)
      journal.recordCheckpoint(ref.leaseId, ref.attempt, checkpoint);
  }

  /** Undefined: the task wrote while it was read. What was the same twice is whole. */
  private async store(
    ref: AttemptRef,
    manifestDigest: Hex,
    cipher: CheckpointCipher,
    signal: AbortSignal,
  ): Promise<StoredCheckpoint | undefined> {
    const { driver, blobs, settings, log } = this.deps;
    const writer = await blobs.create();
    let packed: StoredCheckpoint;
    try {
      packed = await packCheckpoint(driver.readCheckpoint(ref, signal), writer, {
        cipher,
        maxBytes: settings.maxBytes,
        signal,
      });
    } catch (error) {
      await writer.abort();
      throw error;
    }
    if (packed.manifestDigest !== manifestDigest) {
      await writer.abort();
      log.info({ leaseId: ref.leaseId }, "checkpoint-changed-while-read");
      return undefined;
    }
    await writer.commit(nameOf(packed.digest));
    await this.keep(packed);
    return packed;
  }

  /** Gives it to others until enough have it. */
  private async spread(
    name: BlobName,
    signal: AbortSignal,
  ): Promise<{ readonly wanted: number; readonly made: number }> {
    const { others, peer, settings, log } = this.deps;
    const candidates = others().slice(0, settings.copies * TRIES_PER_COPY);
    let made = 0;
    for (const node of candidates) {
      if (made === settings.copies) break;
      try {
        await peer.putBlob(node, name, AbortSignal.any([signal, AbortSignal.timeout(PUT_MS)]));
        made += 1;
      } catch (error) {
        signal.throwIfAborted();
        log.info({ node, digest: name.digest, error: errorFields(error) }, "checkpoint-copy-refused");
      }
    }
    return { wanted: Math.min(settings.copies, candidates.length), made };
  }

  /** False where it is not here any more. */
  private async keep({ digest }: StoredCheckpoint): Promise<boolean> {
    const { blobs, clock } = this.deps;
    try {
      await blobs.retain(nameOf(digest), Math.floor(clock.now() / 1000) + KEPT_SECONDS);
      return true;
    } catch (error) {
      if (isDekuperError(error, "BLOB_NOT_FOUND")) return false;
      throw error;
    }
  }
}

const keyOf = ({ leaseId, attempt }: AttemptRef) => `${leaseId}:${attempt}`;
