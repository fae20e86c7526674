import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/** Names one process for ever: a pid alone is given to another process sooner or later. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks between boot and the process's start: field 22 of /proc/PID/stat. */
  startTicks: string;
  bootId: string;
}

export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** Field 22 of a /proc/PID/stat line. The command's name, in brackets, may hold spaces and brackets itself. */
export function startTicksOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** State letter (field 3) of a /proc/PID/stat line. */
export function stateOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[0];
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // the process is gone, which is an answer
  }
}

export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  const startTicks = stat === undefined ? undefined : startTicksOf(stat);
  return startTicks === undefined ? undefined : { pid, startTicks, bootId: bootId() };
}

/** Whether this very process still runs (a zombie does not). */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  if (stat === undefined || stateOf(stat) === "Z") return false;
  return startTicksOf(stat) === identity.startTicks && bootId() === identity.bootId;
}

export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // already gone: what the signal was for
  }
}

/** Every process in the network namespace pinned at `path`, ours included; empty when there is none. */
export function processesInNetworkNamespace(path: string): number[] {
  let wanted: string;
  try {
    wanted = `net:[${statSync(path).ino}]`;
  } catch {
    return [];
  }
  return allProcesses().filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === wanted;
    } catch {
      return false;
    }
  });
}

/** Every process whose command line holds these arguments in a row. */
export function processesWithArguments(wanted: readonly string[]): number[] {
  const row = `\0${wanted.join("\0")}\0`;
  return allProcesses().filter((pid) => {
    try {
      return `\0${readFileSync(`/proc/${pid}/cmdline`, "utf8")}`.includes(row);
    } catch {
      return false;
    }
  });
}

export function allProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * A process's proportional set size in KiB; 0 when it is gone. Plain resident size would count the one binary that
 * six of a cluster's processes share six times.
 */
export function proportionalKiB(pid: number): number {
  try {
    const line = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+) kB$/m);
    return Number(line?.[1] ?? 0);
  } catch {
    return 0;
  }
}
