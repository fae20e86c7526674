import type { ClusterCapacity, DoctorReport } from "@dekuper/oracle";
import { DekuperError, parseImage } from "@dekuper/protocol";
import type { CommandContext } from "./context.ts";

/** Runs the daemon until it ends by itself or the command is interrupted. Kubernetes' client is loaded only here. */
export async function runDaemon(
  context: CommandContext,
  options: { config: string; adopt?: boolean },
): Promise<void> {
  const { loadConfig, runOracle } = await import("@dekuper/oracle");
  const config = loadConfig(options.config, context.env);
  const oracle = await runOracle({
    config: { ...config, adopt: config.adopt || options.adopt === true },
    signal: context.signal,
  });
  const interrupted = new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    context.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([oracle.ended, interrupted]);
  } finally {
    await oracle.stop();
  }
}

/** Owner of nothing: measuring makes nothing. */
const NOBODY = "0x0000000000000000000000000000000000000000";

/** What a cluster shows, and the isolation that was proved from inside it: what a node may claim. */
export async function measureCluster(
  context: CommandContext,
  cluster: { kubeconfig: string; helperImage: string },
): Promise<ClusterCapacity> {
  const { createKubernetesDriver } = await import("@dekuper/oracle");
  context.progress.step("measuring the cluster");
  const driver = createKubernetesDriver({ ...cluster, node: NOBODY });
  await driver.start(context.signal);
  try {
    const capacity = await driver.capacity(context.signal);
    const { isolation } = await probeCluster(context, cluster);
    return { ...capacity, isolation };
  } finally {
    await driver.stop();
    context.progress.clear();
  }
}

/** The helper's image: `--helper-image`, else the one that the network knows. */
export async function helperImageOf(context: CommandContext, named: string | undefined): Promise<string> {
  if (named !== undefined) {
    parseImage(named);
    return named;
  }
  const found = (await context.network().catch(() => undefined))?.images.busybox;
  if (found !== undefined) return found;
  throw new DekuperError("USAGE", "No helper image is named, and the network knows none.", {
    hint: "Give --helper-image host/name@sha256:…, a busybox that the cluster can pull.",
  });
}

/** A cluster to look at; without a kubeconfig the one whose pod this is. */
export interface ProbedCluster {
  readonly kubeconfig: string | undefined;
  readonly helperImage: string;
}

/** What a cluster allows and enforces. */
export async function probeCluster(
  context: CommandContext,
  { kubeconfig, helperImage }: ProbedCluster,
): Promise<DoctorReport> {
  const { runDoctor } = await import("@dekuper/oracle");
  context.progress.step("probing the cluster");
  try {
    return await runDoctor({
      helperImage,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      signal: context.signal,
    });
  } finally {
    context.progress.clear();
  }
}
