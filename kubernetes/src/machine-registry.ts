import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { succeeds } from "./command.ts";
import { acquireLock } from "./file-lock.ts";
import { COMPILED_IN_FOLDERS, MACHINE_DIR, NETNS_DIR } from "./layout.ts";
import { readJson, writeJson } from "./settings.ts";

/**
 * Sysctls of the whole machine that a kubelet sets at its start (`setupKernelTunables` in pkg/kubelet/cm). Those of
 * the network belong to the cluster's own network namespace and go with it.
 */
const KUBELET_SYSCTLS = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
];

export interface RegisteredCluster {
  stateDir: string;
  index: number;
}

/** The clusters of this machine and how the machine was before the first of them. */
export interface MachineRecord {
  clusters: Record<string, RegisteredCluster>;
  sysctls: Record<string, string>;
  /** Folders that were made for the clusters, outermost first. */
  madeFolders: string[];
  /** Whether `ip netns` mounts its folder for the clusters' sake. */
  mountsNetns: boolean;
}

const RECORD = join(MACHINE_DIR, "clusters.json");

function emptyRecord(): MachineRecord {
  return { clusters: {}, sysctls: {}, madeFolders: [], mountsNetns: false };
}

export function readMachine(): MachineRecord {
  return readJson<MachineRecord>(RECORD) ?? emptyRecord();
}

/** Enters a cluster; `choose` picks its address plan among those the others leave free. */
export function registerCluster(
  id: string,
  stateDir: string,
  choose: (taken: number[]) => number,
): Promise<RegisteredCluster> {
  return changeMachine((record) => {
    if (Object.keys(record.clusters).length === 0) {
      record.sysctls = readSysctls();
      record.madeFolders = [...COMPILED_IN_FOLDERS, NETNS_DIR].flatMap(makeFolder);
      record.mountsNetns = !isMounted(NETNS_DIR);
    }
    const taken = Object.entries(record.clusters).flatMap(([other, { index }]) =>
      other === id ? [] : [index],
    );
    const entry = { stateDir, index: choose(taken) };
    record.clusters[id] = entry;
    return entry;
  });
}

/** Takes a cluster out. With the last one go the machine's changed sysctls and the folders made for the clusters. */
export function unregisterCluster(id: string): Promise<void> {
  return changeMachine(async (record) => {
    if (!(id in record.clusters)) return;
    delete record.clusters[id];
    if (Object.keys(record.clusters).length > 0) return;
    for (const [name, value] of Object.entries(record.sysctls)) writeSysctl(name, value);
    // Refused while somebody else's namespace is pinned there, which is right.
    if (record.mountsNetns && isMounted(NETNS_DIR)) await succeeds("umount", [NETNS_DIR]);
    for (const folder of record.madeFolders.toReversed()) removeIfEmpty(folder);
    Object.assign(record, emptyRecord());
  });
}

async function changeMachine<T>(change: (record: MachineRecord) => T | Promise<T>): Promise<T> {
  const lock = await acquireLock(join(MACHINE_DIR, "clusters.lock"), { waitMs: 30_000 });
  try {
    const record = readMachine();
    const answer = await change(record);
    if (Object.keys(record.clusters).length > 0) writeJson(RECORD, record);
    else rmSync(RECORD, { force: true });
    return answer;
  } finally {
    lock.release();
    removeIfEmpty(MACHINE_DIR);
  }
}

export function readSysctls(): Record<string, string> {
  const present = KUBELET_SYSCTLS.filter((name) => existsSync(join("/proc/sys", name)));
  return Object.fromEntries(
    present.map((name) => [name, readFileSync(join("/proc/sys", name), "utf8").trim()]),
  );
}

function writeSysctl(name: string, value: string): void {
  const path = join("/proc/sys", name);
  if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value);
}

/** Makes a folder and answers which ones had to be made. */
function makeFolder(path: string): string[] {
  if (existsSync(path)) return [];
  const made = [...makeFolder(dirname(path)), path];
  mkdirSync(path, { recursive: true });
  return made;
}

function isMounted(folder: string): boolean {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return mounts.some((line) => line.split(" ")[4] === folder);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // somebody uses it
  }
}
