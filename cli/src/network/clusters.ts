import { createHash } from "node:crypto";
import { defaultCacheDir, type RunningCluster, startCluster } from "@dekuper/kubernetes";
import type { Progress } from "./output.ts";
import type { NetworkState } from "./state.ts";

/** GPUs that the local network's providers pretend to have. */
const SIMULATED = [
  { count: 8, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 },
  { count: 4, product: "NVIDIA-L40S", memoryMiB: 46_068 },
] as const;

/** Starts one embedded cluster for each name, side by side; each is in the record before it starts. */
export async function startClusters(
  state: NetworkState,
  names: readonly string[],
  options: { images: readonly ("busybox" | "torch")[]; progress: Progress; signal?: AbortSignal | undefined },
): Promise<RunningCluster[]> {
  const clusters = names.map((name, index) => ({
    name,
    gpus: SIMULATED[index % SIMULATED.length] ?? SIMULATED[0],
    stateDir: state.path("providers", name, "cluster"),
  }));
  state.update((record) => ({
    ...record,
    clusterDirs: [...record.clusterDirs, ...clusters.map(({ stateDir }) => stateDir)],
  }));
  const settled = await Promise.allSettled(
    clusters.map(({ name, gpus, stateDir }) =>
      startCluster({
        name: clusterName(state, name),
        stateDir,
        cacheDir: defaultCacheDir(),
        gpus,
        images: options.images,
        onProgress: (line) => options.progress.detail(`${name}: ${line}`),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      }),
    ),
  );
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** Unique on the machine: two local networks may run at once. */
function clusterName(state: NetworkState, name: string): string {
  return `${name}-${createHash("sha256").update(state.dir).digest("hex").slice(0, 4)}`;
}
