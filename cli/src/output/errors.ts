import type { KubernetesError } from "@dekuper/kubernetes";
import { DekuperError, type ErrorDetails, isDekuperError } from "@dekuper/protocol";
import { toJson } from "./json.ts";
import { padEnd } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Exit codes: 1 for what went wrong, 2 for a command line that is not one, 130 after Ctrl-C. */
export const exitCodes = { failed: 1, usage: 2, interrupted: 130 } as const;

/** Anything thrown, as one of ours. */
export function toDekuperError(thrown: unknown): DekuperError {
  if (isDekuperError(thrown)) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (isKubernetesError(error)) {
    return new DekuperError("COMPONENT_FAILED", error.message, {
      details: { reason: error.code, ...plainDetails(error.details) },
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") {
    return new DekuperError("DISK_FULL", `${error.message}.`, { cause: error });
  }
  return new DekuperError("INTERNAL", error.message, {
    cause: error,
    hint: "Please report it; DEKUPER_DEBUG=1 shows where it happened.",
  });
}

/** By name: the class would bring the embedded cluster into every command. */
function isKubernetesError(error: Error): error is KubernetesError {
  return error.name === "KubernetesError";
}

function plainDetails(details: Readonly<Record<string, unknown>>): ErrorDetails {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key,
      typeof value === "object" && value !== null ? JSON.stringify(value) : (value as string),
    ]),
  );
}

/** Prints an error: as JSON on stdout with --json, else a sentence, the values, a hint and the code on stderr. */
export function printError(out: Terminal, error: DekuperError, debug: boolean): void {
  if (out.json) {
    out.streams.stdout.write(`${toJson({ error: error.toJSON() })}\n`);
  } else {
    const [first = "", ...more] = error.message.split("\n");
    out.note(`${out.paintNote(["red", "bold"], "error:")} ${first}`);
    for (const line of more) out.note(`       ${line}`);
    const values = Object.entries(error.details).filter(
      ([, value]) => isShown(value) && !error.message.includes(String(value)),
    );
    const width = Math.max(0, ...values.map(([key]) => key.length));
    for (const [key, value] of values) {
      out.note(`       ${out.paintNote("gray", padEnd(key, width))}  ${value}`);
    }
    out.note(`${out.paintNote("cyan", "hint:")}  ${out.typed(error.hint)}`);
    out.note(out.paintNote("gray", `       ${error.code}`));
  }
  if (debug) out.streams.stderr.write(`${error.stack}\n${describeCause(error.cause)}`);
}

/** Base units are for programs: the sentence has the amounts that matter, as people write them. */
function isShown(value: ErrorDetails[string]): boolean {
  return value !== undefined && value !== null && value !== "" && typeof value !== "bigint";
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? `caused by ${cause.stack}\n` : "";
}

export function exitCodeOf(error: DekuperError): number {
  return error.code === "USAGE" ? exitCodes.usage : exitCodes.failed;
}
