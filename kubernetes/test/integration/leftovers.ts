import { existsSync, readFileSync } from "node:fs";
import { cgroupHierarchies } from "../../src/cgroups.ts";
import { runCommand } from "../../src/command.ts";
import { type ClusterLayout, clusterLayout } from "../../src/layout.ts";
import { readMachine, readSysctls } from "../../src/machine-registry.ts";
import { allProcesses } from "../../src/processes.ts";

/** What the kernel still knows of a cluster, in words; found without the code that removes it. */
export async function leftoversOf(stateDir: string): Promise<string[]> {
  const layout = clusterLayout(stateDir);
  const links = await runCommand("ip", ["-o", "link", "show"]);
  const namespaces = await runCommand("ip", ["netns", "list"]);
  const tables = await runCommand("nft", ["list", "tables"]);
  const routes = await runCommand("ip", ["route", "show", "table", "all"]);
  const named = (text: string): string[] =>
    text.split("\n").filter((line) => line.includes(layout.id) || line.includes(layout.stateDir));
  return [
    ...processes(layout),
    ...named(readFileSync("/proc/self/mountinfo", "utf8")),
    ...named(readFileSync("/proc/net/unix", "utf8")),
    ...named(links),
    ...named(namespaces),
    ...named(routes),
    ...tables.split("\n").filter((line) => line.includes("dekuper")),
    ...cgroupHierarchies()
      .map(({ mountPoint }) => `${mountPoint}/${layout.cgroup}`)
      .filter((path) => existsSync(path)),
  ];
}

/** Processes whose command line or cgroup names the cluster; containers' command lines are the pods' own. */
function processes({ id, stateDir }: ClusterLayout): string[] {
  return allProcesses().flatMap((pid) => {
    if (pid === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      const cgroups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      const isOurs =
        command.includes(`${stateDir}/`) ||
        command.includes(`dkp-${id}`) ||
        cgroups.includes(`dekuper-${id}`);
      return isOurs ? [`process ${pid}: ${command}`] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

/** Sysctls that differ from before; other clusters of this machine may still need theirs changed. */
export function changedSysctls(before: Record<string, string>): string[] {
  if (Object.keys(readMachine().clusters).length > 0) return [];
  const now = readSysctls();
  return Object.entries(before).flatMap(([name, value]) =>
    now[name] === value ? [] : [`${name}: ${value} -> ${now[name]}`],
  );
}
