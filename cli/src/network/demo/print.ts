import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { styleText } from "node:util";
import { formatAmount, formatSeconds } from "@dekuper/protocol";
import type { demoResult } from "./result.ts";

type Result = ReturnType<typeof demoResult>;
const DOLLAR = { symbol: "dUSD", decimals: 6 };
const short = (hex: string) => `${hex.slice(0, 10)}…${hex.slice(-4)}`;

/** The finished demo for a person: timeline, money, and what the task wrote. */
export async function printDemo(result: Result, stream: NodeJS.WriteStream = process.stdout): Promise<void> {
  const paint = (style: Parameters<typeof styleText>[0], text: string) => styleText(style, text, { stream });
  const line = (text = "") => stream.write(`${text}\n`);
  line();
  line(paint("bold", "Timeline"));
  for (const [step, ms] of Object.entries(result.timelineMs)) {
    line(`  ${step.padEnd(12)} ${`+${(ms / 1000).toFixed(1)} s`.padStart(9)}`);
  }
  line();
  line(paint("bold", "Transactions"));
  for (const { step, actor, hash, gasUsed } of result.transactions) {
    line(
      `  ${step.padEnd(14)} ${actor.padEnd(10)} ${paint("gray", short(hash))} ${Number(gasUsed).toLocaleString("en").padStart(9)} gas`,
    );
  }
  line();
  line(paint("bold", "Money"));
  const amounts = {
    reserved: result.reserved,
    paid: result.paid,
    "of it, fee": result.fee,
    refunded: result.refunded,
  };
  for (const [what, amount] of Object.entries(amounts))
    line(`  ${what.padEnd(12)} ${formatAmount(amount, DOLLAR).padStart(16)}`);
  line();
  line(paint("bold", "Result") + paint("gray", `  ${result.outputPath}`));
  line(`  outcome      ${result.outcome}, exit code ${result.exitCode}`);
  line(`  digest       ${short(result.outputDigest)}, attested by ${short(result.node)} and verified`);
  const metrics = await readFile(join(result.outputPath, "metrics.json"), "utf8").catch(() => undefined);
  if (metrics !== undefined) {
    for (const [name, value] of Object.entries(JSON.parse(metrics) as Record<string, unknown>)) {
      line(`  ${name.padEnd(12)} ${name === "seconds" ? formatSeconds(Number(value)) : String(value)}`);
    }
  }
}
