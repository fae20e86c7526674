import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DekuperError } from "@dekuper/protocol";
import { repositoryRoot } from "./deploy.ts";
import type { Progress } from "./output.ts";
import { freePorts, startDetached, untilReady } from "./processes.ts";
import type { NetworkState } from "./state.ts";

const frontend = join(repositoryRoot, "frontend");
/** What the build is made from. */
const SOURCES = ["frontend", "protocol", "client", "package-lock.json"];

/** Builds the dApp unless these very sources were built before, and serves it on a free port of loopback. */
export async function startDapp(
  state: NetworkState,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  await buildDapp(progress, signal);
  const [port = 0] = await freePorts(1);
  const url = `http://localhost:${port}`;
  const dapp = startDetached({
    name: "dapp",
    file: process.execPath,
    args: [nextBinary(), "start", "--hostname", "127.0.0.1", "--port", String(port)],
    cwd: frontend,
    logFile: state.path("dapp.log"),
    env: { DEKUPER_NETWORK_FILE: state.networkFile, NEXT_TELEMETRY_DISABLED: "1" },
  });
  state.update((record) => ({ ...record, dappUrl: url, processes: [...record.processes, dapp] }));
  await untilReady(dapp, async () => (await fetch(`${url}/network.json`)).ok, { timeoutMs: 60_000, signal });
  progress.done(`dApp at ${url}`);
  return url;
}

/** `next build`, once for each content of the sources. */
export async function buildDapp(progress: Progress, signal?: AbortSignal): Promise<void> {
  const stampFile = join(frontend, ".next", "dekuper-sources");
  const stamp = await contentOf(SOURCES);
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  progress.step("building the dApp");
  const build = spawn(process.execPath, [nextBinary(), "build"], {
    cwd: frontend,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" },
    ...(signal === undefined ? {} : { signal }),
  });
  let output = "";
  for (const stream of [build.stdout, build.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-20_000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) =>
    build.once("error", reject).once("close", resolve),
  );
  if (code !== 0)
    throw new DekuperError(
      "COMPONENT_FAILED",
      `The dApp could not be built:\n${output.trimEnd().split("\n").slice(-25).join("\n")}`,
    );
  writeFileSync(stampFile, stamp);
}

/** A digest over the tracked and untracked (but not ignored) files below these paths. */
async function contentOf(paths: readonly string[]): Promise<string> {
  const list = spawn("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z", ...paths], {
    cwd: repositoryRoot,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let names = "";
  list.stdout.setEncoding("utf8").on("data", (text: string) => {
    names += text;
  });
  await new Promise((resolve, reject) => list.once("error", reject).once("close", resolve));
  const hash = createHash("sha256");
  for (const name of names.split("\0").filter(Boolean).sort()) {
    const path = join(repositoryRoot, name);
    if (existsSync(path)) hash.update(name).update("\0").update(readFileSync(path));
  }
  return hash.digest("hex");
}

function nextBinary(): string {
  return join(
    dirname(createRequire(join(frontend, "package.json")).resolve("next/package.json")),
    "dist",
    "bin",
    "next",
  );
}
