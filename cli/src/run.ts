import type { Command } from "commander";
import { CommandContext, type GlobalOptions } from "./context.ts";
import { toJson } from "./output/json.ts";
import type { Streams, Terminal } from "./output/terminal.ts";

/** A command's result: one JSON value, and the same for people. */
export interface Answer {
  readonly json: unknown;
  print(out: Terminal): void;
  /** Default: 0. */
  readonly exitCode?: number;
}

/** What commands run in: the process's, or a test's. */
export interface Runtime {
  readonly streams: Streams;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Set by the command that ran. */
  exitCode: number;
  /** The help of a group that was named without one of its commands. */
  help: string;
}

/** A command's work; arguments and its own options come checked for presence by commander. */
export type Handler<Options> = (context: CommandContext, args: string[], options: Options) => Promise<Answer>;

/** Connects a command with its work: makes the context, prints the answer, closes what was opened. */
export function handle<Options = Record<never, never>>(
  command: Command,
  runtime: Runtime,
  handler: Handler<Options>,
): void {
  command.action(async (...called: unknown[]) => {
    // The last may be many: its values follow those before it.
    const args = called.slice(0, -2).flatMap((arg) => [arg ?? ""].flat().map(String));
    const options = command.optsWithGlobals() as Options & GlobalOptions;
    const context = new CommandContext(options, runtime.streams, runtime.env, runtime.signal);
    try {
      const answer = await handler(context, args, options);
      context.progress.clear();
      if (context.out.json) context.out.line(toJson(answer.json));
      else answer.print(context.out);
      runtime.exitCode = answer.exitCode ?? 0;
    } finally {
      await context.close();
    }
  });
}
