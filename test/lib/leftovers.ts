import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** What still runs or lies in a local network's state folder, in words; found by /proc alone. */
export async function leftOf(stateDir: string): Promise<string[]> {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
      return command.includes(stateDir) ? [`process ${pid}: ${command.slice(0, 200)}`] : [];
    });
  const mounts = read("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => line.includes(stateDir));
  const files = existsSync(stateDir) ? readdirSync(stateDir).map((name) => `${stateDir}/${name}`) : [];
  return [...processes, ...mounts, ...files];
}

/** Files below the folder that contain the text. */
export async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(files.map(async (path) => (await readFile(path)).includes(text)));
  return files.filter((_, index) => found[index]);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}
