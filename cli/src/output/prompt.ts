import { createInterface } from "node:readline/promises";
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
  try {
    const answer = await prompt.question(`${question} ${out.paintNote("gray", "[y/N]")} `, { signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    prompt.close();
  }
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
    return await prompt.question("", { signal });
  } finally {
    prompt.close();
    out.streams.stderr.write("\n");
  }
}
