import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DekuperError } from "@dekuper/protocol";

const SQLITE_BUSY = 5;

/** A state folder that this process alone uses. */
export interface StateFolder {
  readonly dir: string;
  /** 32 hex digits, made once per folder: a restart from it is the same instance. */
  readonly instanceId: string;
  release(): void;
}

/**
 * Takes the state folder. The lock names its holder by pid and start time, so that one left by a killed process, or by one
 * whose pid was given to another, is taken over. The kernel's own lock decides besides: of a process in another container,
 * such as the pod before this one of a rolling update, the pid means nothing here. `STATE_LOCKED` otherwise.
 */
export function openStateFolder(dir: string): StateFolder {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const kernelLock = lockByKernel(dir);
  try {
    lockByName(dir);
    const release = () => {
      rmSync(join(dir, "lock"), { force: true });
      kernelLock.close();
    };
    return { dir, instanceId: instanceIdOf(dir), release };
  } catch (error) {
    kernelLock.close();
    throw error;
  }
}

/** SQLite's lock is the kernel's on the file: it ends with the process, however that ends, and tells nobody's pid. */
function lockByKernel(dir: string): DatabaseSync {
  const file = new DatabaseSync(join(dir, "lock.sqlite"));
  try {
    file.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return file;
  } catch (cause) {
    file.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause;
    const pid = liveHolder(join(dir, "lock"));
    const who = pid === undefined ? "A process in another container" : `Process ${pid}`;
    throw new DekuperError("STATE_LOCKED", `${who} uses the state folder ${dir}.`, {
      cause,
      details: pid === undefined ? { dir } : { pid, dir },
    });
  }
}

function lockByName(dir: string): void {
  const lock = join(dir, "lock");
  const self = `${process.pid} ${startTime(process.pid) ?? ""}`;
  const draft = `${lock}.${process.pid}`;
  writeFileSync(draft, self);
  try {
    for (;;) {
      try {
        linkSync(draft, lock);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const pid = liveHolder(lock);
      if (pid !== undefined) {
        throw new DekuperError("STATE_LOCKED", `Process ${pid} uses the state folder ${dir}.`, {
          details: { pid, dir },
        });
      }
      removeStale(lock);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The pid in a lock file, if that process still runs. */
function liveHolder(lock: string): string | undefined {
  const [pid = "", started] = read(lock).split(" ");
  return started !== undefined && startTime(Number(pid)) === started ? pid : undefined;
}

/** Moves a stale lock aside before it is deleted: had somebody else taken it over meanwhile, it is put back. */
function removeStale(lock: string): void {
  const aside = `${lock}.stale.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (liveHolder(aside) !== undefined) linkSync(aside, lock);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function instanceIdOf(dir: string): string {
  const path = join(dir, "instance-id");
  if (!existsSync(path)) {
    writeFileSync(`${path}.draft`, randomBytes(16).toString("hex"), { mode: 0o600 });
    renameSync(`${path}.draft`, path);
  }
  return read(path);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // gone between two looks: the same as never there
  }
}

/** Clock ticks from boot to the process's start, field 22 of proc(5); undefined for no such process. */
function startTime(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
