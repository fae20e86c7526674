import type { Command } from "commander";
import { formatAmount, formatCount } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

export function registerTaskApprove(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("approve")
    .description("you are content: pays the node at once instead of after the window")
    .argument("<task>", "task or lease id, or its beginning");
  handle(command, runtime, async (context, [text = ""]): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    const { task, lease } = await market.task(id);
    context.progress.step("approving");
    const sent = await market.approve(lease.leaseId);
    const [detail, token] = await Promise.all([market.taskDetail(id), market.token()]);
    context.progress.clear();
    const { money } = detail;
    return {
      json: { ...sent, taskId: task.taskId, leaseId: lease.leaseId, status: detail.lease.status, money },
      print: (out) => {
        out.line(
          `Paid ${out.bold(formatAmount(money.gross, token))} (${formatAmount(money.fee, token)} of it fee); ${formatAmount(money.released, token)} are free again.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
      },
    };
  });
}
