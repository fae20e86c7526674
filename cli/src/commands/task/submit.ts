import { type SubmitStep, signerOf, submitTask } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import { formatAmount, formatBytes, formatCount, shortAddress, shortId } from "../../output/format.ts";
import type { Progress } from "../../output/progress.ts";
import { printFields } from "../../output/table.ts";
import { planFile, printPlan } from "../../planning.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerTaskSubmit(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("submit")
    .description("show plan and cost, ask, put spec and inputs on nodes, then order the task")
    .argument("<file>", "task.yaml");
  handle(command, runtime, async (context, [file = ""]): Promise<Answer> => {
    const { readTaskFile } = await import("@dekuper/client/node");
    await readTaskFile(file);
    const market = await context.requireWallet("consumer");
    const { recipient } = await context.outputKey(signerOf(market.wallet));
    const token = await market.token();
    const planned = await planFile(context, market, file, recipient);
    const { task, plan, peer } = planned;
    if (!context.out.json) printPlan(context.out, token, planned);
    if (plan.problem !== undefined) throw plan.problem;
    if (plan.atMost === undefined)
      throw new DekuperError("NO_NODE_FITS", "No node posts a rate for this task.");
    if (!context.out.json) context.out.line();
    await context.confirm(`Reserve ${formatAmount(plan.atMost, token)} and order this task?`);
    const submitted = await submitTask({
      market,
      peer,
      task,
      plan,
      signal: context.signal,
      onStep: (step) => report(context.progress, step),
    });
    context.progress.clear();
    await (await context.folder()).saveSpec(submitted.taskId, task.spec);
    return {
      json: {
        ...submitted,
        name: task.spec.name,
        ratePerHour: plan.ratePerHour,
        specDigest: task.specDigest,
      },
      print: (out) => {
        printFields(out, [
          ["task", out.bold(submitted.taskId)],
          ["lease", submitted.leaseId],
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
  });
}

function report(progress: Progress, step: SubmitStep): void {
  if (step.kind === "uploading") {
    progress.step(`${step.name.kind} to ${shortAddress(step.node)} (${formatBytes(step.size)})`);
  } else if (step.kind === "uploaded") {
    progress.done(`${shortAddress(step.node)} has spec and inputs (${formatBytes(step.bytes)})`);
  } else if (step.kind === "unreachable") {
    progress.done(`${shortAddress(step.node)} left out: ${step.error.message}`);
  } else {
    progress.step("ordering");
  }
}
