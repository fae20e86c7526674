import type { TaskSummary } from "@dekuper/client";
import type { LeaseStatus } from "@dekuper/protocol";
import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import {
  formatAmount,
  formatResources,
  formatSeconds,
  formatTime,
  shortAddress,
  shortId,
} from "../../output/format.ts";
import { printTable } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerTaskList(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("list")
    .description("tasks of an account, newest first")
    .option("--consumer <address>", "whose (default: the command's own account)")
    .option("--node <address>", "those that a node accepted");
  handle<{ consumer?: string; node?: string }>(
    command,
    runtime,
    async (context, _, options): Promise<Answer> => {
      const market = await context.market(undefined);
      const token = await market.token();
      const consumer =
        options.consumer === undefined ? undefined : readAddress(options.consumer, "--consumer");
      const tasks =
        options.node === undefined
          ? await market.tasks(consumer ?? (await context.requireAccount("consumer")).address)
          : await market.tasksOfNode(readAddress(options.node, "--node"));
      const folder = await context.folder();
      const named = await Promise.all(
        tasks.map(async (summary) => ({
          ...summary,
          name: (await folder.loadSpec(summary.task.taskId))?.name,
        })),
      );
      return {
        json: named.map(({ task, lease, name }) => ({ name: name ?? null, ...task, lease })),
        print: (out) => {
          if (named.length === 0) {
            out.line("No tasks yet.");
            return out.next("dekuper task submit task.yaml");
          }
          printTable(
            out,
            [
              { title: "TASK" },
              { title: "NAME" },
              { title: "STATUS" },
              { title: "NODE" },
              { title: "NEEDS" },
              { title: "RAN", right: true },
              { title: "COST", right: true },
              { title: "CREATED" },
            ],
            named.map((summary) => [
              shortId(summary.task.taskId),
              summary.name ?? out.dim("-"),
              paintStatus(out, summary.lease.status),
              summary.lease.node === undefined ? out.dim("-") : shortAddress(summary.lease.node),
              formatResources(summary.task.capacity),
              summary.lease.billedSeconds === 0n
                ? out.dim("-")
                : formatSeconds(Number(summary.lease.billedSeconds)),
              costOf(summary, token),
              formatTime(summary.task.createdAt),
            ]),
          );
          const id = named[0] === undefined ? "" : shortId(named[0].task.taskId).slice(0, -1);
          out.next(`dekuper task show ${id}`);
        },
      };
    },
  );
}

/** What it cost, or what is reserved while that is not known. */
function costOf({ task, lease }: TaskSummary, token: { symbol: string; decimals: number }): string {
  if (lease.billedSeconds > 0n) return formatAmount((task.ratePerHour * lease.billedSeconds) / 3600n, token);
  const over = ["Settled", "Cancelled", "Failed", "Expired"].includes(lease.status);
  return over ? formatAmount(0n, token) : `≤ ${formatAmount(lease.reserved, token)}`;
}

/** Green for what is done well, yellow for what goes on, red for what was lost. */
export function paintStatus(out: Terminal, status: LeaseStatus): string {
  if (status === "Settled" || status === "Completed") return out.paint("green", status);
  if (status === "Failed" || status === "Expired") return out.paint("red", status);
  return status === "Cancelled" ? out.dim(status) : out.paint("yellow", status);
}
