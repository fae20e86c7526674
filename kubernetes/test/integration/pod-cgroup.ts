import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupHierarchies } from "../../src/cgroups.ts";
import { clusterLayout } from "../../src/layout.ts";

/** The pod's folder in each cgroup hierarchy that has one. */
export function podCgroups(stateDir: string, uid: string): string[] {
  const { cgroup } = clusterLayout(stateDir);
  return cgroupHierarchies().flatMap(({ mountPoint }) => {
    const pods = join(mountPoint, cgroup, "kubepods");
    return ["", "burstable", "besteffort"]
      .map((quality) => join(pods, quality, `pod${uid}`))
      .filter((folder) => existsSync(folder));
  });
}

/** A file of the pod's cgroup, of whichever hierarchy has it. */
export function readPodCgroup(stateDir: string, uid: string, file: string): string {
  const path = podCgroups(stateDir, uid)
    .map((folder) => join(folder, file))
    .find((candidate) => existsSync(candidate));
  if (!path) throw new Error(`pod ${uid} has no ${file} in any cgroup`);
  return readFileSync(path, "utf8").trim();
}

/** Every process of the pod, its sandbox's too. */
export function podProcesses(stateDir: string, uid: string): number[] {
  const folders = podCgroups(stateDir, uid).flatMap((folder) => [
    folder,
    ...readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name)),
  ]);
  const pids = folders.flatMap((folder) => readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n"));
  return [...new Set(pids.filter(Boolean).map(Number))];
}
