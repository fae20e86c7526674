import type { Command } from "commander";
import { exitCodes, printError } from "../../output/errors.ts";
import { planJson, printPlan } from "../../plan-page.ts";
import { costOf, planFile, wantedPath } from "../../planning.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerTaskPlan(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("plan")
    .description("dry run: which nodes quote and at what rate, why the others do not, and what it costs")
    .argument("<file>", "task.yaml")
    .option("--open", "by the rates that nodes post, for the open path")
    .option("--fallback-open", "by posted rates where quotes do not cover the task");
  handle<{ open?: boolean; fallbackOpen?: boolean }>(
    command,
    runtime,
    async (context, [file = ""], options): Promise<Answer> => {
      const { readTaskFile } = await import("@dekuper/client/node");
      await readTaskFile(file); // what is wrong with the file needs no network to be said
      const market = await context.market(undefined);
      const consumer = (await context.account("consumer"))?.address;
      const planned = await planFile(context, market, file, { wanted: wantedPath(options), consumer });
      const token = await market.token();
      const { problem } = costOf(planned);
      const flag = options.open ? " --open" : options.fallbackOpen ? " --fallback-open" : "";
      return {
        json: { ...planJson(planned), token },
        exitCode: problem === undefined ? 0 : exitCodes.failed,
        print: (out) => {
          printPlan(out, token, planned);
          if (problem === undefined) out.next(`dekuper task submit ${file}${flag}`);
          else {
            out.line();
            printError(out, problem, false);
          }
        },
      };
    },
  );
}
