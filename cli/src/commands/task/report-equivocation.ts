import { readFile } from "node:fs/promises";
import { checkEquivocation } from "@dekuper/client";
import { DekuperError, parseSignedAttestation, type SignedAttestation } from "@dekuper/protocol";
import type { Command } from "commander";
import { formatAmount, formatCount } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

/** A file that holds more is no attestation. */
const MAX_FILE_BYTES = 1_000_000;

/** `task report-equivocation`: two different signed results of one run cost their node its lock (rule 3). */
export function registerTaskReportEquivocation(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("report-equivocation")
    .description(
      "prove that a node signed two different results of one run; anyone may, and earns a fifth of what that costs it",
    )
    .argument("<first>", "JSON file with a signed attestation, as `task show --json` prints it")
    .argument("<second>", "JSON file with the other one");
  handle(command, runtime, async (context, [first = "", second = ""]): Promise<Answer> => {
    const attestations = [await readSigned(first), await readSigned(second)] as const;
    const market = await context.requireWallet("consumer");
    const token = await market.token();
    const { publicClient, network } = market;
    const found = await checkEquivocation(publicClient, network, ...attestations);
    if (!context.out.json)
      context.out.note(
        `${found.node} signed two results of attempt ${found.attempt}. ${formatAmount(found.lock, token)} of its stake are at stake; you get at most ${formatAmount(found.lock / 5n, token)} of that.`,
      );
    await context.confirm("Send the proof?");
    context.progress.step("proving");
    const proven = await market.proveEquivocation(...attestations);
    context.progress.clear();
    return {
      json: proven,
      print: (out) => {
        printFields(out, [
          ["node", out.bold(proven.node)],
          ["slashed", formatAmount(proven.slashed, token)],
          ["reward", `${formatAmount(proven.reward, token)}, free in your escrow account`],
        ]);
        out.line(out.dim(`${proven.hash}  block ${proven.block}  gas ${formatCount(proven.gasUsed)}`));
        out.next("dekuper account withdraw all");
      },
    };
  });
}

async function readSigned(path: string): Promise<SignedAttestation> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new DekuperError("USAGE", `There is no file ${path}, or it cannot be read.`, {
      details: { path },
      cause,
    });
  }
  if (text.length > MAX_FILE_BYTES)
    throw new DekuperError(
      "MESSAGE_INVALID",
      `${path}: got ${text.length} characters, expected one attestation.`,
    );
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new DekuperError("MESSAGE_INVALID", `${path} is not JSON.`, { details: { path }, cause });
  }
  return parseSignedAttestation(content, path);
}
