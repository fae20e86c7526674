import type { SentTransaction } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import type { Hex } from "viem";
import { formatAmount, formatCount } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { leaseOfMember, MEMBER_OPTION, readMember } from "./members.ts";

export function registerTaskApprove(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("approve")
    .description("you are content: pays the nodes that are done at once instead of after the window")
    .argument("<task>", "task or lease id, or its beginning")
    .option(MEMBER_OPTION, "only this one of several nodes", readMember);
  handle<{ member?: number }>(command, runtime, async (context, [text = ""], { member }): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    const found = await market.task(id);
    const done = found.leases.filter(({ state }) => state === "Completed");
    const named = member !== undefined || found.lease.leaseId === id;
    const wanted = named || done.length === 0 ? [leaseOfMember(found, member)] : done;
    const sent: (SentTransaction & { readonly leaseId: Hex })[] = [];
    for (const [at, { leaseId }] of wanted.entries()) {
      context.progress.step(wanted.length === 1 ? "approving" : `approving ${at + 1} of ${wanted.length}`);
      sent.push({ leaseId, ...(await market.approve(leaseId)) });
    }
    const [detail, token] = await Promise.all([market.taskDetail(id), market.token()]);
    context.progress.clear();
    const { money } = detail;
    const [first] = sent;
    if (first === undefined) throw new DekuperError("INTERNAL", "Nothing was approved.");
    return {
      json: {
        ...first,
        taskId: found.task.taskId,
        status: detail.lease.status,
        state: detail.state,
        approved: sent,
        money,
      },
      print: (out) => {
        out.line(
          `Paid ${out.bold(formatAmount(money.gross, token))} (${formatAmount(money.fee, token)} of it fee); ${formatAmount(money.released, token)} are free again.`,
        );
        for (const { hash, block, gasUsed } of sent)
          out.line(out.dim(`${hash}  block ${block}  gas ${formatCount(gasUsed)}`));
      },
    };
  });
}
