import type { DoctorReport } from "@dekuper/oracle";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import type { CommandContext } from "../../context.ts";
import { quoted } from "../../invocation.ts";
import { exitCodes } from "../../output/errors.ts";
import { plural } from "../../output/format.ts";
import { padEnd, widthOf } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { helperImageOf, type ProbedCluster, probeCluster } from "../../provider-tools.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

interface DoctorFlags {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly helperImage?: string;
}

export function registerNodeDoctor(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("doctor")
    .description("probe what a cluster allows and enforces, before its node claims it")
    .option("--config <file>", "a node's configuration, which names both of these")
    .option("--kubeconfig <file>", "of the cluster (default: the pod's own service account)")
    .option(
      "--helper-image <reference>",
      "a busybox by digest that the cluster can pull (default: the network's)",
    );
  handle<DoctorFlags>(command, runtime, async (context, _, flags): Promise<Answer> => {
    const report = await probeCluster(context, await clusterOf(context, flags));
    const isHealthy = report.checks.every(({ ok }) => ok);
    return {
      json: { ok: isHealthy, ...report },
      exitCode: isHealthy ? 0 : exitCodes.failed,
      print: (out) => printReport(out, report, nextStep(flags)),
    };
  });
}

async function clusterOf(context: CommandContext, flags: DoctorFlags): Promise<ProbedCluster> {
  if (flags.config !== undefined) {
    const { loadConfig } = await import("@dekuper/oracle");
    const { kubeconfig, helperImage } = loadConfig(flags.config, context.env);
    return { kubeconfig: flags.kubeconfig ?? kubeconfig, helperImage: flags.helperImage ?? helperImage };
  }
  if (flags.kubeconfig === undefined && !context.env.KUBERNETES_SERVICE_HOST) {
    throw new DekuperError("USAGE", "No cluster is named, and this is not a pod of one.", {
      hint: "Give --kubeconfig FILE, or the node's --config FILE.",
    });
  }
  return { kubeconfig: flags.kubeconfig, helperImage: await helperImageOf(context, flags.helperImage) };
}

/** A line a check, what to do under those that failed, and what the node may claim. */
export function printReport(out: Terminal, { checks, isolation }: DoctorReport, next: string): void {
  const width = Math.max(0, ...checks.map(({ check }) => widthOf(check)));
  for (const { check, ok, detail, hint } of checks) {
    const mark = ok ? out.paint("green", "✓") : out.paint("red", "✗");
    out.line(`${mark} ${padEnd(check, width)}  ${detail}`);
    if (hint !== undefined) out.line(`  ${padEnd("", width)}  ${out.dim(hint)}`);
  }
  const failed = checks.filter(({ ok }) => !ok).length;
  out.line();
  out.line(`The node may claim ${out.bold(isolation)} isolation.`);
  if (failed > 0) out.line(out.paint("red", `${plural(failed, "check")} failed.`));
  else out.next(next);
}

/** With the same cluster and image. */
function nextStep({ config, kubeconfig, helperImage }: DoctorFlags): string {
  if (config !== undefined) return `dekuper node register --config ${quoted(config)}`;
  const options = [
    kubeconfig === undefined ? "" : ` --kubeconfig ${quoted(kubeconfig)}`,
    helperImage === undefined ? "" : ` --helper-image ${helperImage}`,
  ];
  return `dekuper node init${options.join("")}`;
}
