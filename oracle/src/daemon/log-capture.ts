import { isDekuperError } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { AttemptRef, ClusterDriver } from "../cluster/driver.ts";
import type { LogStore } from "../peer/peer.ts";

/** Most bytes of a log that is attested and delivered. What a task prints beyond it is left out. */
export const MAX_LOG_BYTES = 16 * 1024 * 1024;

/** How long the cluster may take to give an ended run's log again: the result must be on chain within its grace. */
const READ_AGAIN_MS = 60_000;

/** Copies running containers' logs into the log store, so that they can be followed and outlive the pod. */
export class LogCapture {
  private readonly driver: Pick<ClusterDriver, "readLog">;
  private readonly logs: LogStore;
  private readonly onFailure: (ref: AttemptRef, error: unknown) => void;
  private readonly readAgainMs: number;
  private readonly following = new Map<string, { stop: AbortController; done: Promise<void> }>();

  /** `onFailure` hears of a broken stream and of a disk that takes no more; neither ends anything else. */
  constructor(
    driver: Pick<ClusterDriver, "readLog">,
    logs: LogStore,
    onFailure: (ref: AttemptRef, error: unknown) => void = () => undefined,
    readAgainMs: number = READ_AGAIN_MS,
  ) {
    this.readAgainMs = readAgainMs;
    this.driver = driver;
    this.logs = logs;
    this.onFailure = onFailure;
  }

  /** Follows an attempt's log unless that is being done. A broken stream is taken up by the next call. */
  follow(ref: AttemptRef, signal: AbortSignal): void {
    const key = keyOf(ref);
    if (this.following.has(key)) return;
    const stop = new AbortController();
    const done = this.copy(ref, AbortSignal.any([signal, stop.signal])).finally(() =>
      this.following.delete(key),
    );
    this.following.set(key, { stop, done });
  }

  /**
   * The whole log of an ended run: read again from the cluster, or what was captured where the cluster has less of it
   * (rotated, or the pod is gone). The stored log is complete and ended afterwards.
   */
  async finish(ref: AttemptRef, signal: AbortSignal): Promise<Uint8Array> {
    const current = this.following.get(keyOf(ref));
    current?.stop.abort();
    await current?.done;
    const again = await this.readAgain(ref, signal);
    const captured = await this.captured(ref, signal);
    const log = again !== undefined && again.length >= captured.length ? again : captured;
    if (log !== captured) await this.logs.replace(ref.leaseId, ref.attempt, log);
    await this.logs.end(ref.leaseId, ref.attempt);
    return log;
  }

  /** The log so far. */
  async captured(ref: AttemptRef, signal: AbortSignal): Promise<Uint8Array> {
    if ((await this.logs.size(ref.leaseId, ref.attempt)) === undefined) return new Uint8Array();
    return collect(this.logs.read(ref.leaseId, ref.attempt, { offset: 0, follow: false, signal }));
  }

  async stop(): Promise<void> {
    const all = [...this.following.values()];
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ done }) => done));
  }

  private async copy(ref: AttemptRef, signal: AbortSignal): Promise<void> {
    try {
      // After a restart the cluster sends the log from its beginning: what is stored already is skipped.
      let skip = (await this.logs.size(ref.leaseId, ref.attempt))?.bytes ?? 0;
      for await (const bytes of this.driver.readLog(ref, { follow: true }, signal)) {
        const fresh = bytes.subarray(Math.min(skip, bytes.length));
        skip -= bytes.length - fresh.length;
        if (fresh.length > 0) await this.logs.append(ref.leaseId, ref.attempt, fresh);
      }
    } catch (error) {
      if (!signal.aborted) this.onFailure(ref, error); // the next look at the pod follows again
    }
  }

  private async readAgain(ref: AttemptRef, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const limit = AbortSignal.timeout(this.readAgainMs);
    try {
      return await collect(this.driver.readLog(ref, { follow: false }, AbortSignal.any([signal, limit])));
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted || isDekuperError(error)) return undefined; // what was captured stands
      throw error;
    }
  }
}

async function collect(from: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of from) {
    const part = bytes.subarray(0, MAX_LOG_BYTES - size);
    parts.push(part);
    size += part.length;
    if (size >= MAX_LOG_BYTES) break;
  }
  return Buffer.concat(parts);
}

function keyOf({ leaseId, attempt }: { leaseId: Hex; attempt: number }): string {
  return `${leaseId}:${attempt}`;
}
