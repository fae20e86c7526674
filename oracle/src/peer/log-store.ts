import { mkdir, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Hex } from "viem";
import { fileSize, onDisk, publishFile, readHandle, syncFolder } from "./durable-file.ts";
import type { LogStore } from "./peer.ts";

const TRUNCATED = new TextEncoder().encode(
  "\n[the log is longer than this node keeps; the rest is left out]\n",
);

/** Longer than any run (30 days), its windows and its retention together: seconds. */
const KEPT_SECONDS = 60 * 86_400;

/**
 * One file per lease attempt, and a `.ended` mark beside it. A log keeps its first `maxBytes`; one last line says
 * where it was cut. Calls for one log must come one after the other, as its single writer makes them.
 */
export function createLogStore(options: { dir: string; maxBytes?: number }): LogStore {
  return new DiskLogStore(options.dir, options.maxBytes ?? 256 * 1024 * 1024);
}

class DiskLogStore implements LogStore {
  private readonly dir: string;
  private readonly maxBytes: number;
  private readonly waiting = new Map<string, Set<() => void>>();

  constructor(dir: string, maxBytes: number) {
    this.dir = dir;
    this.maxBytes = maxBytes;
  }

  async append(leaseId: Hex, attempt: number, bytes: Uint8Array): Promise<void> {
    const path = this.path(leaseId, attempt);
    await onDisk(async () => {
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(path, "a");
      try {
        const { size } = await handle.stat();
        await handle.appendFile(this.bounded(bytes, size));
      } finally {
        await handle.close();
      }
    });
    this.notify(path);
  }

  async replace(leaseId: Hex, attempt: number, bytes: Uint8Array): Promise<void> {
    const path = this.path(leaseId, attempt);
    await onDisk(async () => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.new`, this.bounded(bytes, 0), { flush: true });
      await publishFile(`${path}.new`, path);
    });
    this.notify(path);
  }

  async end(leaseId: Hex, attempt: number): Promise<void> {
    const path = this.path(leaseId, attempt);
    await onDisk(async () => {
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(path, "a");
      await handle.sync().finally(() => handle.close());
      await writeFile(`${path}.ended`, "", { flush: true });
      await syncFolder(dirname(path));
    });
    this.notify(path);
  }

  async size(leaseId: Hex, attempt: number): Promise<{ bytes: number; ended: boolean } | undefined> {
    const path = this.path(leaseId, attempt);
    // The mark first: a log that is marked grows no more, so the size read after it is the whole one.
    const ended = (await fileSize(`${path}.ended`)) !== undefined;
    const bytes = await fileSize(path);
    return bytes === undefined ? undefined : { bytes, ended };
  }

  async *read(
    leaseId: Hex,
    attempt: number,
    options: { offset: number; follow: boolean; signal: AbortSignal },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const path = this.path(leaseId, attempt);
    let { offset } = options;
    for (;;) {
      options.signal.throwIfAborted();
      const grown = this.growth(path, options.signal);
      const now = await this.size(leaseId, attempt);
      if (now !== undefined && offset < now.bytes) {
        const handle = await open(path, "r");
        try {
          for await (const part of readHandle(handle, offset)) {
            yield part;
            offset += part.length;
          }
        } finally {
          await handle.close();
          grown.stop();
        }
      } else if (!options.follow || now?.ended === true) {
        grown.stop();
        return;
      } else await grown.happened;
      grown.stop();
    }
  }

  async sweep(nowSeconds: number): Promise<number> {
    let deleted = 0;
    for (const lease of await readdir(this.dir).catch(noneYet)) {
      const folder = join(this.dir, lease);
      const times = await Promise.all(
        (await readdir(folder).catch(noneYet)).map(async (file) => (await stat(join(folder, file))).mtimeMs),
      );
      if (Math.max(0, ...times) > (nowSeconds - KEPT_SECONDS) * 1000) continue;
      await rm(folder, { recursive: true, force: true });
      deleted++;
    }
    return deleted;
  }

  private bounded(bytes: Uint8Array, size: number): Uint8Array {
    if (size > this.maxBytes) return new Uint8Array();
    if (size + bytes.length <= this.maxBytes) return bytes;
    return new Uint8Array(Buffer.concat([bytes.subarray(0, this.maxBytes - size), TRUNCATED]));
  }

  private path(leaseId: Hex, attempt: number): string {
    return join(this.dir, leaseId.slice(2), `${attempt}.log`);
  }

  private notify(path: string): void {
    for (const wake of this.waiting.get(path) ?? []) wake();
  }

  private growth(path: string, signal: AbortSignal): { happened: Promise<void>; stop(): void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = this.waiting.get(path) ?? new Set();
    this.waiting.set(path, waiters.add(resolve));
    const onAbort = () => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    return {
      happened: promise,
      stop: () => {
        signal.removeEventListener("abort", onAbort);
        waiters.delete(resolve);
        if (waiters.size === 0 && this.waiting.get(path) === waiters) this.waiting.delete(path);
      },
    };
  }
}

function noneYet(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
  throw error;
}
