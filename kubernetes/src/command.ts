import { spawn } from "node:child_process";
import { KubernetesError } from "./errors.ts";

export interface CommandOptions {
  /** Written to the command's standard input, which is otherwise empty. */
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  signal?: AbortSignal;
  /** Has the kernel end the command when this process dies, however that comes: it would work on for nobody. */
  endsWithUs?: boolean;
  /** Called with each line of either output stream, as it comes. */
  onLine?: (line: string) => void;
}

const KEPT_OUTPUT = 1 << 20;

/** Runs a command to its end and answers its standard output; any other exit than 0 is `COMMAND_FAILED`. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const [program = "", ...rest] = options.endsWithUs
      ? endingWithUs([command, ...args])
      : [command, ...args];
    const child = spawn(program, rest, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      signal: options.signal,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const out = collect(child.stdout, options.onLine);
    const err = collect(child.stderr, options.onLine);
    child.on("error", (cause) => {
      reject(new KubernetesError("COMMAND_FAILED", `${command} did not run: ${cause.message}`, { cause }));
    });
    child.on("close", (exitCode, signal) => {
      if (exitCode === 0) return resolve(out.text());
      const said = err.text().trim().slice(-2000);
      reject(
        new KubernetesError("COMMAND_FAILED", `${command} ${args.slice(0, 4).join(" ")} failed: ${said}`, {
          details: { command, args, exitCode, signal, said },
        }),
      );
    });
    // A command that ends without reading its input closes the pipe: its exit status says what matters.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** Runs "$@" if its parent is still $0: who died before the signal was set sends none. */
const IF_NOT_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"';

/** PR_SET_PDEATHSIG (prctl(2)) outlives the exec of the command itself. To be spawned by this process, without one between. */
export function endingWithUs(command: readonly string[], signal = "TERM"): string[] {
  const started = ["sh", "-c", IF_NOT_ORPHANED, String(process.pid), ...command];
  return ["setpriv", "--pdeathsig", signal, "--", ...started];
}

/** Whether a command succeeds; for questions whose "no" is an exit status. */
export async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return runCommand(command, args).then(
    () => true,
    () => false,
  );
}

function collect(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): { text(): string } {
  let text = "";
  let partial = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    text = (text + chunk).slice(-KEPT_OUTPUT);
    if (!onLine) return;
    const lines = (partial + chunk).split("\n");
    partial = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  return { text: () => text };
}
