import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A background process; what it writes is shown only if it fails. */
export function startProcess(
  args: { file: string; args: string[]; cwd: string; env?: Readonly<Record<string, string>> },
  name: string,
): { child: ChildProcess; output(): string; stop(): Promise<void> } {
  const child = spawn(args.file, args.args, {
    cwd: args.cwd,
    env: { ...process.env, ...args.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-20_000);
    });
  }
  child.on("error", (error) => {
    output += `\n${name}: ${error.message}`;
  });
  return {
    child,
    output: () => output,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** Runs to the end and gives stdout; throws with what was written. */
export async function runProcess(
  args: { file: string; args: string[]; cwd: string; env?: Readonly<Record<string, string>> },
  name: string,
): Promise<string> {
  const { child, output } = startProcess(args, name);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${name} failed (${code}):\n${output()}`);
  return output();
}

/** Asks until it is true. */
export async function until(what: string, ready: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not come within ${timeoutMs} ms`);
}
