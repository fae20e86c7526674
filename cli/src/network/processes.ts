import { spawn } from "node:child_process";
import { mkdirSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive, signalProcess } from "@dekuper/kubernetes/processes";
import { DekuperError } from "@dekuper/protocol";
import type { LocalProcess } from "./state.ts";

/** Starts a process that outlives this one, with its output in a log file. */
export function startDetached(options: {
  name: string;
  file: string;
  args: readonly string[];
  logFile: string;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
}): LocalProcess {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, "a", 0o600);
  const child = spawn(options.file, options.args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity === undefined) {
    throw new DekuperError("COMPONENT_FAILED", `${options.name} did not start (${options.file}).`, {
      details: { log: options.logFile },
    });
  }
  child.unref();
  return { name: options.name, identity, logFile: options.logFile };
}

/** Ends a process that `startDetached` made: TERM, then KILL after `graceMs`. Nobody else's is touched. */
export async function stopProcess(target: LocalProcess, graceMs = 12_000): Promise<void> {
  if (!isAlive(target.identity)) return;
  signalProcess(target.identity.pid, "SIGTERM");
  const deadline = Date.now() + graceMs;
  while (isAlive(target.identity)) {
    if (Date.now() > deadline) signalProcess(target.identity.pid, "SIGKILL");
    await sleep(50);
  }
}

/** Waits until `probe` answers true; fails with the log's last lines when the process dies or time is over. */
export async function untilReady(
  target: LocalProcess,
  probe: () => Promise<boolean>,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await probe().catch(() => false)) return;
    const died = !isAlive(target.identity);
    if (died || Date.now() > deadline) {
      throw new DekuperError(
        "COMPONENT_FAILED",
        `${target.name} ${died ? "ended" : "is not ready"}:\n${await lastLines(target.logFile)}`,
        {
          details: { log: target.logFile },
        },
      );
    }
    await sleep(100);
  }
}

/** `count` TCP ports of loopback that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) =>
        server.once("error", reject).listen(0, "127.0.0.1", resolve),
      );
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function lastLines(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-12).join("\n");
}
