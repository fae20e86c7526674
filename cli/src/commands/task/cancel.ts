import type { Command } from "commander";
import { formatAmount, formatCount, shortId } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

export function registerTaskCancel(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("cancel")
    .description("free before the start; stops the clock of a running task")
    .argument("<task>", "task or lease id, or its beginning");
  handle(command, runtime, async (context, [text = ""]): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    const { task, lease } = await market.task(id);
    if (lease.status === "Running") {
      await context.confirm("It runs: what it has run so far is paid. Stop it?");
    }
    context.progress.step("cancelling");
    const sent = await market.cancel(task.taskId);
    const after = (await market.task(id)).lease;
    const token = await market.token();
    context.progress.clear();
    return {
      json: { ...sent, taskId: task.taskId, leaseId: lease.leaseId, status: after.status },
      print: (out) => {
        out.line(
          after.status === "Stopping"
            ? "The clock has stopped. The node ends the run, and attests what there is."
            : `Cancelled; ${formatAmount(lease.reserved, token)} are free again.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        if (after.status === "Stopping") out.next(`dekuper task show ${shortId(task.taskId).slice(0, -1)}`);
      },
    };
  });
}
