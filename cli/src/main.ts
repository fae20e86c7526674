import { DekuperError } from "@dekuper/protocol";
import { CommanderError } from "commander";
import { invocationOf } from "./invocation.ts";
import { exitCodeOf, exitCodes, printError, toDekuperError } from "./output/errors.ts";
import { Terminal } from "./output/terminal.ts";
import { buildProgram } from "./program.ts";
import type { Runtime } from "./run.ts";

const SAME_SIGNAL_MS = 1_000;

/** Runs one command line and returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  let firstAt = 0;
  const onSignal = () => {
    // One Ctrl-C can arrive twice: from the terminal, and from npm, which passes it on.
    const again = interrupt.signal.aborted && performance.now() - firstAt > SAME_SIGNAL_MS;
    if (again) process.exit(exitCodes.interrupted); // asked twice: now
    firstAt ||= performance.now();
    interrupt.abort(new DOMException("interrupted", "AbortError"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
  });
  const { stdout, stderr, stdin } = process;
  const runtime: Runtime = {
    streams: { stdout, stderr, stdin },
    env: process.env,
    signal: interrupt.signal,
    exitCode: 0,
    help: "",
  };
  try {
    const code = await runCommandLine(argv, runtime);
    return typeof process.exitCode === "number" ? process.exitCode : code;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/** Runs one command line in a runtime; errors are printed, and become the exit code. */
export async function runCommandLine(argv: readonly string[], runtime: Runtime): Promise<number> {
  try {
    const program = await buildProgram(runtime, argv);
    await program.parseAsync([...argv]);
    return runtime.exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0; // help or version was asked for
    const out = new Terminal(runtime.streams, argv.includes("--json"), invocationOf(runtime.env, {}));
    if (isGroupAlone(thrown) && !out.json) {
      out.note(runtime.help.trimEnd());
      return exitCodes.usage;
    }
    if (runtime.signal.aborted) {
      out.note("Interrupted.");
      return exitCodes.interrupted;
    }
    const error = thrown instanceof CommanderError ? usageError(thrown) : toDekuperError(thrown);
    printError(out, error, runtime.env.DEKUPER_DEBUG === "1");
    return exitCodeOf(error);
  }
}

function usageError(error: CommanderError): DekuperError {
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\n/g, " ")
    .replace(/\.$/, "");
  return new DekuperError(
    "USAGE",
    isGroupAlone(error) ? "A command is missing." : `${text[0]?.toUpperCase()}${text.slice(1)}.`,
    {
      hint: "`dekuper --help` lists the commands, `dekuper <command> --help` explains one.",
    },
  );
}

/** `dekuper task` and no more. */
function isGroupAlone(thrown: unknown): boolean {
  return thrown instanceof CommanderError && thrown.code === "commander.help";
}
