import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chooseSubnet, clusterAddresses } from "./addresses.ts";
import { ensureBinaries } from "./binaries.ts";
import { createCgroups } from "./cgroups.ts";
import { KubernetesError } from "./errors.ts";
import { acquireLock, lockHolder } from "./file-lock.ts";
import { ensureImage } from "./images/ensure-image.ts";
import { ensureImageStore } from "./images/image-store.ts";
import { type ClusterLayout, clusterLayout } from "./layout.ts";
import { registerCluster } from "./machine-registry.ts";
import { createNetwork, hostRoutes } from "./network.ts";
import type { Progress } from "./progress.ts";
import { checkMachine } from "./requirements.ts";
import {
  type ClusterImage,
  type ClusterSettings,
  readJson,
  type SimulatedGpus,
  type SupervisorStatus,
  writeJson,
} from "./settings.ts";
import { stopCluster, stopLocked } from "./stop.ts";
import { sweepCluster } from "./sweep.ts";

export interface StartOptions {
  /** The cluster's and its one node's name: a DNS label. */
  name: string;
  /** Everything of this cluster lives here; one folder, one cluster. */
  stateDir: string;
  /** Binaries and images, shared by all clusters; see `defaultCacheDir`. */
  cacheDir: string;
  /** GPUs to advertise. Default: none. */
  gpus?: SimulatedGpus;
  /** What pods may run; `pause` is always there. */
  images: readonly ("busybox" | "torch")[];
  /** Which of 256 address plans to use if it is free. Default: the folder's last one, else the first free one. */
  subnetIndex?: number;
  onProgress?: Progress;
  signal?: AbortSignal;
}

/** A cluster that answers. It outlives this process until somebody stops it. */
export interface RunningCluster {
  name: string;
  stateDir: string;
  /** The administrator's; works from the host. */
  kubeconfigPath: string;
  images: ClusterImage[];
  /** Milliseconds from the supervisor's start to each step. */
  timeline: Record<string, number>;
  stop(): Promise<void>;
}

const SUPERVISOR = fileURLToPath(new URL("./supervisor-main.ts", import.meta.url));
const POLL_MS = 25;
const START_DEADLINE_MS = 150_000;

/**
 * Starts the cluster of a state folder, or answers the one that runs there already. What an earlier, killed one left
 * is removed first. Needs Linux and root.
 */
export async function startCluster(options: StartOptions): Promise<RunningCluster> {
  const { cacheDir, onProgress, signal } = options;
  const layout = clusterLayout(options.stateDir);
  await checkMachine(options.name);
  const binDir = await ensureBinaries(options);
  const progress = onProgress ? { onProgress } : {};
  const names = ["pause", ...options.images] as const;
  const images = await Promise.all(names.map((name) => ensureImage(name, { cacheDir, ...progress })));
  const imageStore = await ensureImageStore({ cacheDir, binDir, images, ...progress });
  signal?.throwIfAborted();
  const lock = await acquireLock(layout.lifecycleLock, { waitMs: 180_000 });
  try {
    const running = runningCluster(layout, images);
    if (running) return running;
    await sweepCluster(layout);
    const settings = await makeKernelObjects(layout, options, { images, binDir, imageStore });
    launchSupervisor(layout, settings);
    const status = await waitForReady(layout, signal);
    onProgress?.(`cluster ${settings.name} is ready after ${status.timeline.ready} ms`);
    return handle(layout, settings.name, images, status);
  } catch (error) {
    await stopLocked(layout);
    throw error;
  } finally {
    lock.release();
  }
}

function runningCluster(layout: ClusterLayout, images: ClusterImage[]): RunningCluster | undefined {
  const status = readJson<SupervisorStatus>(layout.statusFile);
  const settings = readJson<ClusterSettings>(layout.clusterFile);
  if (!settings || status?.phase !== "ready" || !lockHolder(layout.supervisorLock)) return undefined;
  const hasAll = images.every(({ reference }) =>
    settings.images.some((image) => image.reference === reference),
  );
  return hasAll ? handle(layout, settings.name, settings.images, status) : undefined;
}

async function makeKernelObjects(
  layout: ClusterLayout,
  { name, gpus, subnetIndex }: StartOptions,
  built: Pick<ClusterSettings, "images" | "binDir" | "imageStore">,
): Promise<ClusterSettings> {
  const earlier = readJson<ClusterSettings>(layout.clusterFile);
  const preferred = subnetIndex ?? earlier?.addresses.index;
  const routes = await hostRoutes();
  const { index } = await registerCluster(layout.id, layout.stateDir, (taken) =>
    chooseSubnet({ taken, hostRoutes: routes, preferred }),
  );
  const addresses = clusterAddresses(index);
  const settings: ClusterSettings = { name, id: layout.id, addresses, gpus, ...built };
  mkdirSync(layout.logDir, { recursive: true });
  createCgroups(layout.cgroup);
  await createNetwork(layout, addresses);
  writeJson(layout.clusterFile, settings);
  const status: SupervisorStatus = { phase: "starting", components: [], timeline: {} };
  writeJson(layout.statusFile, status);
  return settings;
}

/** The supervisor gets a session and a mount namespace of its own, so it lives on when this process ends. */
function launchSupervisor(layout: ClusterLayout, settings: ClusterSettings): void {
  const log = openSync(join(layout.logDir, "supervisor.log"), "a");
  const command = [
    "--mount",
    "--propagation",
    "private",
    "--",
    process.execPath,
    "--max-old-space-size=128",
    SUPERVISOR,
    "--state",
    layout.stateDir,
  ];
  const child = spawn("unshare", command, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    env: { ...process.env, PATH: `${settings.binDir}:${process.env.PATH}`, NODE_OPTIONS: "" },
  });
  closeSync(log);
  child.unref();
}

async function waitForReady(
  layout: ClusterLayout,
  signal: AbortSignal | undefined,
): Promise<SupervisorStatus> {
  const end = Date.now() + START_DEADLINE_MS;
  let seen = false;
  while (Date.now() < end) {
    signal?.throwIfAborted();
    const status = readJson<SupervisorStatus>(layout.statusFile);
    if (status?.phase === "ready") return status;
    const alive = lockHolder(layout.supervisorLock) !== undefined;
    if (status?.phase === "failed" || (seen && !alive)) throw startFailed(layout, status);
    seen ||= alive;
    await delay(POLL_MS);
  }
  throw startFailed(layout, readJson(layout.statusFile));
}

function startFailed(layout: ClusterLayout, status: SupervisorStatus | undefined): KubernetesError {
  const log = readFileSync(join(layout.logDir, "supervisor.log"), "utf8").split("\n").slice(-12).join("\n");
  const why = status?.error?.message ?? "its supervisor ended";
  return new KubernetesError("CLUSTER_FAILED", `the cluster in ${layout.stateDir} did not start: ${why}`, {
    details: { timeline: status?.timeline, log },
    hint: status?.error?.hint ?? `read the logs in ${layout.logDir}`,
  });
}

function handle(
  layout: ClusterLayout,
  name: string,
  images: ClusterImage[],
  status: SupervisorStatus,
): RunningCluster {
  return {
    name,
    stateDir: layout.stateDir,
    kubeconfigPath: layout.kubeconfig,
    images,
    timeline: status.timeline,
    stop: () => stopCluster(layout.stateDir),
  };
}
