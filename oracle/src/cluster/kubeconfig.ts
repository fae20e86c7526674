import { DekuperError } from "@dekuper/protocol";
import { KubeConfig } from "@kubernetes/client-node";

/** Reads a kubeconfig; without a path, the pod's own service account. */
export function loadKubeconfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  const invalid = (problem: string, cause?: unknown) =>
    new DekuperError("CONFIG_INVALID", `The kubeconfig${path === undefined ? "" : ` ${path}`} ${problem}.`, {
      cause,
      hint: "Give the path of a kubeconfig whose current context names the cluster.",
    });
  if (path === undefined && !process.env.KUBERNETES_SERVICE_HOST) {
    throw invalid("is named nowhere, and this is not a pod of a cluster");
  }
  try {
    if (path === undefined) config.loadFromCluster();
    else config.loadFromFile(path);
  } catch (cause) {
    throw invalid(
      `cannot be read: ${String(cause instanceof Error ? cause.message : cause).split("\n")[0]}`,
      cause,
    );
  }
  if (config.getCurrentCluster() === null) throw invalid("names no current cluster");
  return config;
}
