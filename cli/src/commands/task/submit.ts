import { awardTask, type SubmitStep, signerOf, submitTask } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import {
  formatAmount,
  formatBytes,
  formatCount,
  plural,
  shortAddress,
  shortId,
} from "../../output/format.ts";
import type { Progress } from "../../output/progress.ts";
import { printFields } from "../../output/table.ts";
import { printPlan } from "../../plan-page.ts";
import { costOf, planFile, wantedPath } from "../../planning.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerTaskSubmit(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("submit")
    .description("show plan and cost, ask, put spec and inputs on nodes, then order the task by their quotes")
    .argument("<file>", "task.yaml")
    .option("--open", "order at a posted rate: whichever node accepts first has it")
    .option("--fallback-open", "do so where quotes do not cover the task");
  handle<{ open?: boolean; fallbackOpen?: boolean }>(
    command,
    runtime,
    async (context, [file = ""], options): Promise<Answer> => {
      const { readTaskFile } = await import("@dekuper/client/node");
      await readTaskFile(file);
      const market = await context.requireWallet("consumer");
      const key = await context.outputKey(signerOf(market.wallet));
      const token = await market.token();
      const wanted = wantedPath(options);
      const { address: consumer } = market;
      const planned = await planFile(context, market, file, { wanted, key, consumer });
      const { task, plan, quoted, peer, nodes } = planned;
      const { problem, reserved } = costOf(planned);
      if (!context.out.json) printPlan(context.out, token, planned);
      if (problem !== undefined) throw problem;
      if (reserved === undefined)
        throw new DekuperError("NO_NODE_FITS", "No node posts a rate for this task.");
      if (!context.out.json) context.out.line();
      await context.confirm(`Reserve ${formatAmount(reserved, token)} and order this task?`);
      const { signal } = context;
      const onStep = (step: SubmitStep) => report(context.progress, step);
      const submitted =
        planned.path === "quoted" && quoted !== undefined
          ? await awardTask({ market, peer, task, cap: quoted.cap, plan: quoted, nodes, signal, onStep })
          : await submitTask({ market, peer, task, plan, signal, onStep });
      context.progress.clear();
      await (await context.folder()).saveSpec(submitted.taskId, task.spec);
      return {
        json: { ...submitted, name: task.spec.name, specDigest: task.specDigest },
        print: (out) => {
          printFields(out, [
            ["task", out.bold(submitted.taskId)],
            ["lease", submitted.leaseIds.length === 1 ? submitted.leaseId : undefined],
            ["leases", submitted.leaseIds.length === 1 ? undefined : String(submitted.leaseIds.length)],
            ["reserved", formatAmount(submitted.reserved, token)],
            ["data on", submitted.seeded.map(shortAddress).join(", ")],
            [
              "transaction",
              `${submitted.hash}  ${out.dim(`block ${submitted.block}  gas ${formatCount(submitted.gasUsed)}`)}`,
            ],
          ]);
          const id = shortId(submitted.taskId).slice(0, -1);
          out.next(`dekuper task logs ${id} -f`, `dekuper task show ${id}`, `dekuper task fetch ${id}`);
        },
      };
    },
  );
}

function report(progress: Progress, step: SubmitStep): void {
  if (step.kind === "uploading") {
    progress.step(`${step.name.kind} to ${shortAddress(step.node)} (${formatBytes(step.size)})`);
  } else if (step.kind === "uploaded") {
    progress.done(`${shortAddress(step.node)} has spec and inputs (${formatBytes(step.bytes)})`);
  } else if (step.kind === "unreachable") {
    progress.done(`${shortAddress(step.node)} left out: ${step.error.message}`);
  } else if (step.kind === "quoting") {
    progress.step(`${plural(step.nodes.length, "node")} to sign`);
  } else {
    progress.step("ordering");
  }
}
