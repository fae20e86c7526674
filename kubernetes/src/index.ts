export { type EnsureBinariesOptions, ensureBinaries } from "./binaries.ts";
export { KubernetesError, type KubernetesErrorCode } from "./errors.ts";
export { type EnsureImageOptions, ensureImage, type ImageName } from "./images/ensure-image.ts";
export { defaultCacheDir } from "./layout.ts";
export type { ClusterImage, SimulatedGpus } from "./settings.ts";
export { type RunningCluster, type StartOptions, startCluster } from "./start.ts";
export { type ClusterStatus, clusterStatus } from "./status.ts";
export { type StopOptions, stopCluster } from "./stop.ts";
