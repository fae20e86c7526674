import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { KubernetesError, systemErrorCode } from "./errors.ts";
import { bootId, identify, isAlive, type ProcessIdentity } from "./processes.ts";

export interface FileLock {
  release(): void;
}

export interface LockOptions {
  /** How long to wait for another holder, in milliseconds. Default 0: fail at once. */
  waitMs?: number;
  /** Called once when there is somebody to wait for. */
  onWait?: (holder: ProcessIdentity) => void;
  signal?: AbortSignal;
}

/** Parses a lock file; `undefined` for anything that no holder of ours wrote. */
export function parseHolder(text: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, startTicks, bootId } = value as Record<string, unknown>;
    if (typeof pid !== "number" || typeof startTicks !== "string" || typeof bootId !== "string")
      return undefined;
    return { pid, startTicks, bootId };
  } catch {
    return undefined;
  }
}

/** Who holds the lock now; a dead holder holds nothing. */
export function lockHolder(path: string): ProcessIdentity | undefined {
  const holder = parseHolder(readOrEmpty(path));
  return holder && isAlive(holder) ? holder : undefined;
}

/**
 * Takes an exclusive lock on a path. The file is made complete elsewhere and linked into place, so nobody ever reads
 * half a holder; one left by a dead process (also by one whose pid was given to another) is taken over.
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<FileLock> {
  const self = identify(process.pid);
  if (!self) throw new KubernetesError("LOCK_HELD", "cannot read this process's own start time from /proc");
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.${self.startTicks}`;
  const deadline = Date.now() + (options.waitMs ?? 0);
  let told = false;
  writeFileSync(draft, JSON.stringify(self));
  try {
    while (true) {
      options.signal?.throwIfAborted();
      if (tryLink(draft, path)) {
        removeDrafts(path);
        return { release: () => rmSync(path, { force: true }) };
      }
      const holder = lockHolder(path);
      if (!holder) {
        removeStale(path, `${draft}.stale`);
        continue;
      }
      if (Date.now() >= deadline) {
        throw new KubernetesError("LOCK_HELD", `another process (pid ${holder.pid}) holds ${path}`, {
          details: { path, holder },
        });
      }
      if (!told) options.onWait?.(holder);
      told = true;
      await delay(50);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moves a stale file aside before deleting it: had a live holder slipped in meanwhile, it is put back. */
function removeStale(path: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return;
    throw error;
  }
  const holder = parseHolder(readOrEmpty(aside));
  if (holder && isAlive(holder)) tryLink(aside, path);
  rmSync(aside, { force: true });
}

/** Removes the drafts of processes that were killed while they waited. */
function removeDrafts(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const [, pid, startTicks] = name.slice(basename(path).length).match(/^\.(\d+)\.(\d+)(\.stale)?$/) ?? [];
    if (pid === undefined || startTicks === undefined) continue;
    if (!isAlive({ pid: Number(pid), startTicks, bootId: bootId() }))
      rmSync(join(dirname(path), name), { force: true });
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return "";
    throw error;
  }
}
