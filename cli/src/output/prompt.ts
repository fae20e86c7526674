import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";
import { DekuperError } from "@dekuper/protocol";
import type { Terminal } from "./terminal.ts";

/** Asks yes or no on a terminal. Elsewhere nothing is assumed: `--yes` must say it. */
export async function confirm(
  out: Terminal,
  question: string,
  yes: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (yes) return;
  if (!out.isInteractive) {
    throw new DekuperError("USAGE", "This asks for a confirmation, and there is no terminal to ask on.", {
      hint: "Add --yes to confirm.",
    });
  }
  const prompt = createInterface({ input: out.streams.stdin, output: out.streams.stderr });
  let answer: string | undefined;
  try {
    answer = await ask(prompt, `${question} ${out.paintNote("gray", "[y/N]")} `, signal);
  } finally {
    prompt.close();
    if (answer === undefined) out.streams.stderr.write("\n"); // nobody pressed Enter
  }
  if (/^y(es)?$/i.test(answer?.trim() ?? "")) return;
  throw new DekuperError("NOT_ALLOWED", "Not confirmed: nothing was done.", { hint: "Answer y to go on." });
}

/** Asks for a password without showing it. */
export async function askPassword(out: Terminal, question: string, signal: AbortSignal): Promise<string> {
  if (!out.isInteractive) {
    throw new DekuperError(
      "KEYSTORE_INVALID",
      "The keystore needs a password, and there is no terminal to ask on.",
      {
        hint: "Give --password-file FILE, or set DEKUPER_PASSWORD_FILE.",
      },
    );
  }
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: out.streams.stdin, output: silent, terminal: true });
  out.streams.stderr.write(`${question} `);
  try {
    return (await ask(prompt, "", signal)) ?? "";
  } finally {
    prompt.close();
    out.streams.stderr.write("\n");
  }
}

/** Ctrl-C, which readline takes for itself, is the process's as everywhere; undefined after Ctrl-D. */
async function ask(prompt: Interface, question: string, signal: AbortSignal): Promise<string | undefined> {
  prompt.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return await prompt.question(question, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}
