import { DekuperError, parseSeconds } from "@dekuper/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { formatAmount, formatCount, formatSeconds, shortId } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

export function registerTaskTopUp(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("top-up")
    .description("reserve for more time of a task that was funded for a part of its duration")
    .argument("<task>", "task or lease id, or its beginning")
    .option("--for <duration>", "such as 1h (default: all that is left of its duration)", readDuration);
  handle<{ for?: number }>(command, runtime, async (context, [text = ""], options): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    const { task, leases } = await market.task(id);
    const left = task.maxDuration - task.fundedSeconds;
    const extra = options.for ?? left;
    if (left === 0 || extra > left) {
      throw new DekuperError(
        "USAGE",
        left === 0
          ? `The task is funded for all of its ${formatSeconds(task.maxDuration)}.`
          : `--for: got ${formatSeconds(extra)}, expected at most ${formatSeconds(left)}: it is funded for ${formatSeconds(task.fundedSeconds)} of ${formatSeconds(task.maxDuration)}.`,
        { details: { fundedSeconds: task.fundedSeconds, maxDuration: task.maxDuration } },
      );
    }
    const rates = leases.reduce((sum, { ratePerHour }) => sum + ratePerHour, 0n);
    const token = await market.token();
    const more = (rates * BigInt(extra) + 3599n) / 3600n;
    await context.confirm(`Reserve about ${formatAmount(more, token)} for ${formatSeconds(extra)} more?`);
    context.progress.step("reserving");
    const sent = await market.topUp(task.taskId, task.fundedSeconds + extra);
    context.progress.clear();
    return {
      json: { ...sent, taskId: task.taskId },
      print: (out) => {
        printFields(out, [
          ["reserved", formatAmount(sent.reserved, token)],
          ["funded", `${formatSeconds(sent.fundedSeconds)} of ${formatSeconds(task.maxDuration)}`],
        ]);
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        out.next(`dekuper task show ${shortId(task.taskId).slice(0, -1)}`);
      },
    };
  });
}

/** A duration option, seconds. */
export function readDuration(text: string): number {
  try {
    return parseSeconds(text);
  } catch {
    throw new InvalidArgumentError("Expected a duration such as 1h or 90m.");
  }
}
