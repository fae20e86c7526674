import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemErrorCode } from "./errors.ts";
import { signalProcess } from "./processes.ts";

export interface CgroupHierarchy {
  mountPoint: string;
  version: 1 | 2;
  /** Version 1: what is mounted here, such as `memory`. */
  controllers: string[];
}

/** Parses /proc/self/mountinfo (proc_pid_mountinfo(5)) into the cgroup hierarchies of either version. */
export function parseHierarchies(mountinfo: string): CgroupHierarchy[] {
  const found: CgroupHierarchy[] = [];
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const mountPoint = left.split(" ")[4];
    const [type, , options = ""] = right.split(" ");
    if (!mountPoint) continue;
    if (type === "cgroup") {
      const controllers = options.split(",").filter((option) => option !== "rw" && option !== "ro");
      found.push({ mountPoint, version: 1, controllers });
    }
    if (type === "cgroup2") found.push({ mountPoint, version: 2, controllers: [] });
  }
  return found;
}

export function cgroupHierarchies(): CgroupHierarchy[] {
  return parseHierarchies(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** Makes the cluster's folder in every hierarchy, and in it `system`, where the supervisor and all it starts live. */
export function createCgroups(name: string): void {
  for (const hierarchy of cgroupHierarchies()) {
    const root = join(hierarchy.mountPoint, name);
    const system = join(root, "system");
    mkdirSync(system, { recursive: true });
    if (hierarchy.controllers.includes("cpuset")) [root, system].forEach(inheritCpuset);
    // Version 2 hands controllers down only where a parent says so; its leaves alone may hold processes.
    if (hierarchy.version === 2) [hierarchy.mountPoint, root].forEach(delegateControllers);
  }
}

/** Moves this process, and so all its later children, into the cluster's `system` folder. */
export function enterSystemCgroup(name: string): void {
  for (const { mountPoint } of cgroupHierarchies()) {
    writeFileSync(join(mountPoint, name, "system", "cgroup.procs"), String(process.pid));
  }
}

/** Every process in any of the cluster's cgroups. */
export function cgroupProcesses(name: string): number[] {
  const pids = new Set<number>();
  for (const { mountPoint } of cgroupHierarchies()) {
    for (const folder of foldersUnder(join(mountPoint, name))) {
      for (const pid of readProcs(folder)) pids.add(pid);
    }
  }
  return [...pids];
}

/**
 * Kills all that live in the cluster's cgroups. They are frozen meanwhile where the machine can do that, so that a
 * fork bomb does not outrun the signals.
 */
export async function killCgroups(name: string, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (Date.now() < end) {
    const pids = cgroupProcesses(name).filter((pid) => pid !== process.pid);
    if (pids.length === 0) return;
    setFrozen(name, true);
    for (const pid of cgroupProcesses(name)) if (pid !== process.pid) signalProcess(pid, "SIGKILL");
    setFrozen(name, false);
    await delay(20);
  }
}

/** Removes the cluster's folders from every hierarchy. Answers the ones that would not go. */
export async function removeCgroups(name: string, deadlineMs = 5_000): Promise<string[]> {
  const end = Date.now() + deadlineMs;
  while (true) {
    const left: string[] = [];
    for (const { mountPoint } of cgroupHierarchies()) {
      for (const folder of foldersUnder(join(mountPoint, name))) if (!removeFolder(folder)) left.push(folder);
    }
    if (left.length === 0 || Date.now() >= end) return left;
    await delay(50);
  }
}

function setFrozen(name: string, frozen: boolean): void {
  for (const { mountPoint, version, controllers } of cgroupHierarchies()) {
    const root = join(mountPoint, name);
    if (controllers.includes("freezer"))
      writeQuietly(join(root, "freezer.state"), frozen ? "FROZEN" : "THAWED");
    if (version === 2) writeQuietly(join(root, "cgroup.freeze"), frozen ? "1" : "0");
  }
}

/** The folder and all below it, deepest first. */
function foldersUnder(root: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return []; // there is no such cgroup (any more)
  }
  return [...entries.flatMap((entry) => foldersUnder(join(root, entry))), root];
}

function readProcs(folder: string): number[] {
  try {
    return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return systemErrorCode(error) === "ENOENT";
  }
}

/** A new cpuset of version 1 is empty, and an empty one takes no process. */
function inheritCpuset(folder: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = join(folder, file);
    if (readFileSync(own, "utf8").trim() === "")
      writeFileSync(own, readFileSync(join(folder, "..", file), "utf8"));
  }
}

function delegateControllers(folder: string): void {
  const controllers = readFileSync(join(folder, "cgroup.controllers"), "utf8")
    .trim()
    .split(" ")
    .filter(Boolean);
  for (const controller of controllers)
    writeQuietly(join(folder, "cgroup.subtree_control"), `+${controller}`);
}

/** For writes the kernel may refuse on some machines and where the next step shows whether it mattered. */
function writeQuietly(path: string, text: string): void {
  if (!existsSync(path)) return;
  try {
    writeFileSync(path, text);
  } catch {
    // see above
  }
}
