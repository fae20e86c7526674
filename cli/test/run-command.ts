import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { quoted } from "../src/invocation.ts";
import { runCommandLine } from "../src/main.ts";
import type { Streams } from "../src/output/terminal.ts";

const entry = join(dirname(fileURLToPath(import.meta.url)), "..", "bin", "dekuper.mjs");

/** What a command line did. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of stdout, which must be one JSON value and no more. */
  json<Value = Record<string, unknown>>(): Value;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Of a terminal [120]. */
  readonly columns?: number;
}

/** Runs one command line in this process: quicker by the time that loading it takes. */
export async function runHere(
  args: readonly string[],
  { stateDir, env }: RunOptions & { stateDir: string },
): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const read = Promise.all([text(stdout), text(stderr)]);
  const code = await runCommandLine(["node", "dekuper", ...args], {
    // Neither is a terminal, as in a pipe.
    streams: { stdout, stderr, stdin: new PassThrough() } as unknown as Streams,
    env: environment(stateDir, env ?? {}),
    signal: AbortSignal.timeout(DEADLINE_MS),
    exitCode: 0,
    help: "",
  });
  stdout.end();
  stderr.end();
  const [out, err] = await read;
  return { code, stdout: out, stderr: err, json: () => JSON.parse(out) };
}

/** A command that runs. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Resolves when stdout or stderr has shown this; fails if the command ends before. */
  shows(what: RegExp): Promise<void>;
}

/** Longest that one command line may take. */
const DEADLINE_MS = 60_000;

/** Starts one command line in a process of its own, without colours and without the caller's keys. */
export function startCommand(
  args: readonly string[],
  { stateDir, env, cwd }: RunOptions & { stateDir: string },
): RunningCommand {
  return start(
    process.execPath,
    [entry, ...args],
    environment(stateDir, { NO_COLOR: "1", ...env }),
    cwd ?? stateDir,
  );
}

/** The same on a terminal of its own (script(1)); what it prints, answers and colours included, is stdout. */
export function startOnTerminal(
  args: readonly string[],
  { stateDir, env, cwd, columns = 120 }: RunOptions & { stateDir: string },
): RunningCommand {
  const line = `stty cols ${columns} -echo; exec ${[process.execPath, entry, ...args].map(quoted).join(" ")}`;
  const plain = environment(stateDir, { TERM: "xterm-256color", ...env });
  return start(
    "script",
    ["--quiet", "--return", "--command", line, "/dev/null"],
    plain,
    cwd ?? stateDir,
    "pipe",
  );
}

function start(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  stdin: "ignore" | "pipe" = "ignore",
): RunningCommand {
  const child = spawn(program, args, { cwd, stdio: [stdin, "pipe", "pipe"], env, timeout: DEADLINE_MS });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    stdout += part;
  });
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    stderr += part;
  });
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) }));
  });
  const shows = (what: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (what.test(stdout) || what.test(stderr)) resolve();
      };
      child.stdout?.on("data", look);
      child.stderr?.on("data", look);
      look();
      ended.then(() => reject(new Error(`it ended before it showed ${what}:\n${stdout}${stderr}`)), reject);
    });
  return { child, ended, shows };
}

function environment(stateDir: string, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  // How the tests were started is not how the command was.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(DEKUPER_|npm_|NO_COLOR$|FORCE_COLOR$|NODE_|CI$)/.test(name),
  );
  return { ...Object.fromEntries(inherited), DEKUPER_STATE: stateDir, ...more };
}
