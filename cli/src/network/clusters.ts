import { createHash } from "node:crypto";
import { defaultCacheDir, type RunningCluster, startCluster } from "@dekuper/kubernetes";
import { DekuperError } from "@dekuper/protocol";
import type { NetworkState } from "./state.ts";
import type { UpOptions } from "./up.ts";

/** A cluster for one provider, embedded or existing. */
export interface ClusterSource {
  readonly provider: string;
  readonly kubeconfig: string;
  /** The embedded cluster's state folder. */
  readonly clusterDir?: string;
  /** By digest. */
  readonly helperImage: string;
  /** Short names to references by digest. */
  readonly images: Readonly<Record<string, string>>;
}

/** GPUs that the local network's providers pretend to have. */
const SIMULATED = [
  { count: 8, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 },
  { count: 4, product: "NVIDIA-L40S", memoryMiB: 46_068 },
] as const;

/** The providers' clusters: existing ones by kubeconfig, else embedded ones side by side. */
export async function openClusters(options: UpOptions): Promise<ClusterSource[]> {
  const { kubeconfigs, helperImage, state } = options;
  if (kubeconfigs === undefined || kubeconfigs.length === 0) {
    const names = Array.from({ length: options.providers ?? 2 }, (_, index) => `provider${index + 1}`);
    return startEmbedded(state, names, options);
  }
  if (helperImage === undefined) {
    throw new DekuperError(
      "USAGE",
      "--kubeconfig needs --helper-image host/name@sha256:… (a busybox that the cluster can pull).",
    );
  }
  return kubeconfigs.map((kubeconfig, index) => ({
    provider: `provider${index + 1}`,
    kubeconfig,
    helperImage,
    images: options.imageNames ?? {},
  }));
}

/** Each cluster is in the record before it starts. */
async function startEmbedded(
  state: NetworkState,
  names: readonly string[],
  options: UpOptions,
): Promise<ClusterSource[]> {
  const { progress, signal } = options;
  const dirs = names.map((name) => state.path("providers", name, "cluster"));
  state.update((record) => ({ ...record, clusterDirs: [...record.clusterDirs, ...dirs] }));
  const settled = await Promise.allSettled(
    names.map(async (name, index): Promise<ClusterSource> => {
      const stateDir = dirs[index] ?? state.path(name);
      const gpus = SIMULATED[index % SIMULATED.length] ?? SIMULATED[0];
      const cluster = await startCluster({
        name: clusterName(state, name),
        stateDir,
        cacheDir: defaultCacheDir(),
        gpus,
        images: options.images ?? ["busybox"],
        onProgress: (line) => progress.activity(`${name}: ${line}`),
        ...(signal === undefined ? {} : { signal }),
      });
      progress.done(`${name}: Kubernetes ready with ${gpus.count}x ${gpus.product} (simulated)`);
      return {
        provider: name,
        kubeconfig: cluster.kubeconfigPath,
        clusterDir: stateDir,
        ...imagesOf(cluster),
      };
    }),
  );
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

function imagesOf(cluster: RunningCluster): Pick<ClusterSource, "helperImage" | "images"> {
  const images = Object.fromEntries(
    cluster.images.filter(({ name }) => name !== "pause").map(({ name, reference }) => [name, reference]),
  );
  return { images, helperImage: images.busybox ?? "" };
}

/** Unique on the machine: two local networks may run at once. */
function clusterName(state: NetworkState, provider: string): string {
  return `${provider}-${createHash("sha256").update(state.dir).digest("hex").slice(0, 4)}`;
}
