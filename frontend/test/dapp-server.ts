import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repositoryRoot } from "./local-market.ts";
import { freePort, runProcess, startProcess, until } from "./processes.ts";

const frontend = join(repositoryRoot, "frontend");
const next = join(
  dirname(createRequire(import.meta.url).resolve("next/package.json")),
  "dist",
  "bin",
  "next",
);
const env = { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" } as const;

/** `next start` with a network file of one's own; builds first if a source is newer than the build. */
export async function serveDapp(network: unknown): Promise<{ url: string; stop(): Promise<void> }> {
  await buildOnce();
  const folder = await mkdtemp(join(tmpdir(), "dekuper-dapp-"));
  const file = join(folder, "network.json");
  await writeFile(file, JSON.stringify(network));
  const port = await freePort();
  const server = startProcess(
    {
      file: process.execPath,
      args: [next, "start", "--hostname", "127.0.0.1", "--port", String(port)],
      cwd: frontend,
      env: { ...env, DEKUPER_NETWORK_FILE: file },
    },
    "next start",
  );
  const url = `http://127.0.0.1:${port}`;
  await until("the dApp", async () => (await fetch(`${url}/network.json`)).ok);
  return {
    url,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function buildOnce(): Promise<void> {
  const built = await stat(join(frontend, ".next", "BUILD_ID")).catch(() => undefined);
  const sources = ["app", "features", "ui", "public", "next.config.ts", "package.json"].map((name) =>
    join(frontend, name),
  );
  const all = [...sources, join(repositoryRoot, "client", "src"), join(repositoryRoot, "protocol", "src")];
  const newest = Math.max(...(await Promise.all(all.map(newestIn))));
  if (built !== undefined && built.mtimeMs >= newest) return;
  await runProcess({ file: process.execPath, args: [next, "build"], cwd: frontend, env }, "next build");
}

async function newestIn(path: string): Promise<number> {
  const { mtimeMs } = await stat(path);
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  const times = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mtimeMs);
  return Math.max(mtimeMs, ...(await Promise.all(times)));
}
