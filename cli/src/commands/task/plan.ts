import type { Command } from "commander";
import { exitCodes, printError } from "../../output/errors.ts";
import { planFile, planJson, printPlan } from "../../planning.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerTaskPlan(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("plan")
    .description("dry run: which nodes fit, why the others do not, and what it costs")
    .argument("<file>", "task.yaml");
  handle(command, runtime, async (context, [file = ""]): Promise<Answer> => {
    const { readTaskFile } = await import("@dekuper/client/node");
    await readTaskFile(file); // what is wrong with the file needs no network to be said
    const market = await context.market(undefined);
    const planned = await planFile(context, market, file);
    const token = await market.token();
    return {
      json: { ...planJson(planned), token },
      exitCode: planned.plan.problem === undefined ? 0 : exitCodes.failed,
      print: (out) => {
        printPlan(out, token, planned);
        if (planned.plan.problem === undefined) out.next(`dekuper task submit ${file}`);
        else {
          out.line();
          printError(out, planned.plan.problem, false);
        }
      },
    };
  });
}
