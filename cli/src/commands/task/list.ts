import type { LeaseFacts, TaskSummary } from "@dekuper/client";
import { isOver } from "@dekuper/client";
import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import {
  formatAmount,
  formatResources,
  formatSeconds,
  formatTime,
  plural,
  shortAddress,
  shortId,
} from "../../output/format.ts";
import { printTable } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { paintState, shortState } from "./states.ts";

export function registerTaskList(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("list")
    .description("tasks of an account, newest first")
    .option("--consumer <address>", "whose (default: the command's own account)")
    .option("--node <address>", "those of which a node has had a lease");
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
        json: named.map(({ task, state, lease, leases, gang, name }) => ({
          name: name ?? null,
          ...task,
          state,
          lease,
          leases,
          gang: gang ?? null,
        })),
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
              { title: "STATE" },
              { title: "NODE", spare: 1 },
              { title: "NEEDS", spare: 3 },
              { title: "RAN", right: true },
              { title: "COST", right: true },
              { title: "CREATED", spare: 2 },
            ],
            named.map((summary) => {
              const ran = longest(summary.leases);
              return [
                shortId(summary.task.taskId),
                summary.name ?? out.dim("-"),
                paintState(out, summary.state, shortState(summary)),
                nodesOf(summary) ?? out.dim("-"),
                needsOf(summary),
                ran === 0n ? out.dim("-") : formatSeconds(Number(ran)),
                costOf(summary, token),
                formatTime(summary.task.createdAt),
              ];
            }),
          );
          const id = named[0] === undefined ? "" : shortId(named[0].task.taskId).slice(0, -1);
          out.next(`dekuper task show ${id}`);
        },
      };
    },
  );
}

function nodesOf({ leases }: TaskSummary): string | undefined {
  const nodes = new Set(leases.flatMap(({ node }) => node ?? []));
  const [only] = nodes;
  return nodes.size > 1 ? plural(nodes.size, "node") : only && shortAddress(only);
}

function needsOf({ task, leases }: TaskSummary): string {
  const each = formatResources(task.capacity);
  return leases.length === 1 ? each : `${leases.length} times ${each}`;
}

function longest(leases: readonly LeaseFacts[]): bigint {
  return leases.reduce((most, { billedSeconds }) => (billedSeconds > most ? billedSeconds : most), 0n);
}

/** What it cost or is to cost, or what is reserved while that is not known. Attempts that were lost are paid already. */
function costOf({ leases }: TaskSummary, token: { symbol: string; decimals: number }): string {
  const known = leases.every(({ state, billedSeconds }) => isOver(state) || billedSeconds > 0n);
  const cost = leases.reduce(
    (sum, { billedSeconds, ratePerHour, reserved }) =>
      sum + (known ? (ratePerHour * billedSeconds) / 3600n : reserved),
    0n,
  );
  return `${known ? "" : "≤ "}${formatAmount(cost, token)}`;
}
