import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "./run-suite.ts";

/** A command line of a person's, in a process group of its own. */
export interface CommandLine {
  readonly child: ChildProcess;
  /** The exit code, when it has ended. */
  readonly ended: Promise<number | null>;
  stdout(): string;
  stderr(): string;
  /** Waits until stdout or stderr shows this. */
  until(pattern: RegExp, timeoutMs: number): Promise<void>;
}

/** `terminal` runs the arguments as a command on a terminal of its own (script(1)), whose keys are stdin. */
const PROGRAMS = {
  dekuper: [process.execPath, join(root, "cli", "bin", "dekuper.mjs")],
  npm: ["npm"],
  terminal: ["script", "--quiet", "--return", "/dev/null", "--command"],
} as const;

/** Runs `dekuper ARGS`, or `npm ARGS` where a test is about the README's own commands. */
export function start(
  program: keyof typeof PROGRAMS,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): CommandLine {
  const [file, ...before] = PROGRAMS[program];
  const after = program === "terminal" ? [args.join(" ")] : args;
  // npm and node's test runner leave variables behind that would change what the command does.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_|DEKUPER_)/.test(name));
  const child = spawn(file, [...before, ...after], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    stdio: [program === "terminal" ? "pipe" : "ignore", "pipe", "pipe"],
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  const until: CommandLine["until"] = async (pattern, timeoutMs) => {
    const deadline = Date.now() + timeoutMs;
    let over = false;
    ended.finally(() => {
      over = true;
    });
    while (!pattern.test(output.stdout) && !pattern.test(output.stderr)) {
      if (over || Date.now() > deadline) {
        throw new Error(
          `${program} ${args.join(" ")} ${over ? "ended" : "ran on"} without ${pattern}:\n${output.stderr.slice(-4_000)}\n${output.stdout.slice(-2_000)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  return { child, ended, stdout: () => output.stdout, stderr: () => output.stderr, until };
}

/** Runs to the end and gives stdout as one JSON value; the exit code must be the one expected. */
export async function runJson<Value = Record<string, unknown>>(
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; exitCode?: number; program?: "dekuper" | "npm" } = {},
): Promise<Value> {
  const command = start(options.program ?? "dekuper", args, options.env);
  const code = await command.ended;
  if (code !== (options.exitCode ?? 0)) {
    throw new Error(
      `${args.join(" ")} exited with ${code}:\n${command.stderr().slice(-4_000)}\n${command.stdout().slice(-2_000)}`,
    );
  }
  return JSON.parse(command.stdout()) as Value;
}
