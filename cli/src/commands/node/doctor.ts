import type { Command } from "commander";
import { measureCluster } from "../../provider-tools.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerNodeDoctor(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("doctor")
    .description("probe what a cluster allows and enforces, before its node claims it")
    .requiredOption("--kubeconfig <file>", "of the cluster");
  handle<{ kubeconfig: string }>(command, runtime, async (context, _, { kubeconfig }): Promise<Answer> => {
    const measured = await measureCluster(context, kubeconfig);
    return { json: measured, print: (out) => out.line(JSON.stringify(measured)) };
  });
}
