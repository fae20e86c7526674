import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cgroupHierarchies } from "../../src/cgroups.ts";
import { runCommand } from "../../src/command.ts";
import { type ClusterLayout, clusterLayout, MACHINE_DIR, NETNS_DIR } from "../../src/layout.ts";
import { readMachine, readSysctls } from "../../src/machine-registry.ts";
import { allProcesses, stateOf } from "../../src/processes.ts";

/** What the kernel still knows of a cluster, in words; found without the code that removes it. */
export async function leftoversOf(stateDir: string): Promise<string[]> {
  const layout = clusterLayout(stateDir);
  const links = await runCommand("ip", ["-o", "link", "show"]);
  const namespaces = await runCommand("ip", ["netns", "list"]);
  const tables = await runCommand("nft", ["list", "tables"]);
  const routes = await runCommand("ip", ["route", "show", "table", "all"]);
  const named = (text: string): string[] =>
    text.split("\n").filter((line) => line.includes(layout.id) || line.includes(`${layout.stateDir}/`));
  return [
    ...processes(layout),
    ...mountsAnywhere(layout),
    ...named(readFileSync("/proc/net/unix", "utf8")),
    ...named(links),
    ...named(namespaces),
    ...named(routes),
    ...tables.split("\n").filter((line) => line.includes("dekuper")),
    ...cgroupHierarchies()
      .map(({ mountPoint }) => `${mountPoint}/${layout.cgroup}`)
      .filter((path) => existsSync(path)),
    ...(existsSync(MACHINE_DIR) ? readdirSync(MACHINE_DIR).filter((name) => name.includes(layout.id)) : []),
    ...(layout.id in readMachine().clusters ? [`${layout.id} is registered`] : []),
  ];
}

/** Processes whose command line or cgroup names the cluster; containers' command lines are the pods' own. */
function processes({ id, stateDir }: ClusterLayout): string[] {
  return allProcesses().flatMap((pid) => {
    if (pid === process.pid || stateOf(readOfProcess(pid, "stat")) === "Z") return [];
    const command = readOfProcess(pid, "cmdline").replaceAll("\0", " ");
    const isOurs =
      command.includes(`${stateDir}/`) ||
      command.includes(`dkp-${id}`) ||
      readOfProcess(pid, "cgroup").includes(`dekuper-${id}`);
    return isOurs ? [`process ${pid}: ${command}`] : [];
  });
}

/** Mounts in any process's mount namespace: another cluster's supervisor may hold what this one made. */
function mountsAnywhere({ id, stateDir }: ClusterLayout): string[] {
  return allProcesses().flatMap((pid) =>
    readOfProcess(pid, "mountinfo")
      .split("\n")
      .filter((line) => line.includes(`dkp-${id}`) || line.includes(`${stateDir}/`))
      .map((line) => `mount in process ${pid}: ${line}`),
  );
}

function readOfProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}

export type MachineState = Readonly<Record<string, string>>;

/** How the machine is; undefined while a cluster runs that has it changed for its own sake. */
export function machineState(): MachineState | undefined {
  if (Object.keys(readMachine().clusters).length > 0) return undefined;
  const netns = readFileSync("/proc/self/mountinfo", "utf8").includes(` ${NETNS_DIR} `);
  return { ...readSysctls(), [NETNS_DIR]: netns ? "mounted" : "not mounted" };
}

/** What differs from before. Nothing can be said while other clusters run, or when they did before. */
export function machineChanges(before: MachineState | undefined): string[] {
  const now = machineState();
  if (!before || !now) return [];
  return Object.entries(before).flatMap(([name, value]) =>
    now[name] === value ? [] : [`${name}: ${value} -> ${now[name]}`],
  );
}
