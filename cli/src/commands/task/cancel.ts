import type { Command } from "commander";
import { formatAmount, formatCount, shortId } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

export function registerTaskCancel(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("cancel")
    .description("free before the start; stops the clock of a running task, on all of its nodes")
    .argument("<task>", "task or lease id, or its beginning");
  handle(command, runtime, async (context, [text = ""]): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    const { task, leases } = await market.task(id);
    if (leases.some(({ status }) => status === "Running")) {
      await context.confirm("It runs: what it has run so far is paid. Stop it?");
    }
    context.progress.step("cancelling");
    const sent = await market.cancel(task.taskId);
    const [after, token] = [await market.taskDetail(id), await market.token()];
    context.progress.clear();
    const isStopping = after.leases.some(({ status }) => status === "Stopping");
    return {
      json: {
        ...sent,
        taskId: task.taskId,
        leaseId: after.lease.leaseId,
        status: after.lease.status,
        state: after.state,
      },
      print: (out) => {
        out.line(
          isStopping
            ? "The clock has stopped. The node ends the run, and attests what there is."
            : `Cancelled; ${formatAmount(after.money.released, token)} are free again.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        if (isStopping) out.next(`dekuper task show ${shortId(task.taskId).slice(0, -1)}`);
      },
    };
  });
}
