import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { chooseSubnet, clusterAddresses } from "./addresses.ts";
import { ensureBinaries } from "./binaries.ts";
import { createCgroups } from "./cgroups.ts";
import { KubernetesError } from "./errors.ts";
import { acquireLock, lockHolder } from "./file-lock.ts";
import { ensureImage } from "./images/ensure-image.ts";
import { ensureImageStore } from "./images/image-store.ts";
import { type ClusterLayout, clusterLayout, supervisorArguments } from "./layout.ts";
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

const POLL_MS = 25;
const START_DEADLINE_MS = 150_000;

/**
 * Starts the cluster of a state folder; refused with `CLUSTER_RUNS` where one runs already. What an earlier, killed one
 * left is removed first. Needs Linux and root.
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
  const lock = await acquireLock(layout.lifecycleLock, {
    waitMs: 180_000,
    onWait: ({ pid }) => onProgress?.(`waiting for pid ${pid}, which starts or stops the same cluster`),
    ...(signal ? { signal } : {}),
  });
  try {
    refuseRunning(layout);
    return await startLocked(layout, options, { images, binDir, imageStore });
  } finally {
    lock.release();
  }
}

function refuseRunning(layout: ClusterLayout): void {
  const supervisor = lockHolder(layout.supervisorLock);
  if (!supervisor) return;
  throw new KubernetesError(
    "CLUSTER_RUNS",
    `a cluster runs from ${layout.stateDir} already (supervisor pid ${supervisor.pid})`,
    {
      details: { stateDir: layout.stateDir, holder: supervisor, kubeconfig: layout.kubeconfig },
      hint: `use it by ${layout.kubeconfig}, stop it first, or choose another state folder`,
    },
  );
}

/** For who holds the lifecycle lock: a failure takes down again what was started. */
async function startLocked(
  layout: ClusterLayout,
  options: StartOptions,
  built: Pick<ClusterSettings, "images" | "binDir" | "imageStore">,
): Promise<RunningCluster> {
  try {
    await sweepCluster(layout);
    const settings = await makeKernelObjects(layout, options, built);
    const supervisor = launchSupervisor(layout, settings);
    const status = await waitForReady(layout, supervisor, options.signal);
    options.onProgress?.(`cluster ${settings.name} is ready after ${status.timeline.ready} ms`);
    return {
      name: settings.name,
      stateDir: layout.stateDir,
      kubeconfigPath: layout.kubeconfig,
      images: settings.images,
      timeline: status.timeline,
      stop: () => stopCluster(layout.stateDir),
    };
  } catch (error) {
    await stopLocked(layout);
    throw error;
  }
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
function launchSupervisor(layout: ClusterLayout, settings: ClusterSettings): ChildProcess {
  const log = openSync(join(layout.logDir, "supervisor.log"), "a");
  const command = [
    "--mount",
    "--propagation",
    "private",
    "--",
    process.execPath,
    "--max-old-space-size=128",
    ...supervisorArguments(layout.stateDir),
  ];
  const child = spawn("unshare", command, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    env: { ...process.env, PATH: `${settings.binDir}:${process.env.PATH}`, NODE_OPTIONS: "" },
  });
  closeSync(log);
  child.unref();
  return child;
}

async function waitForReady(
  layout: ClusterLayout,
  supervisor: ChildProcess,
  signal: AbortSignal | undefined,
): Promise<SupervisorStatus> {
  const end = Date.now() + START_DEADLINE_MS;
  while (Date.now() < end) {
    signal?.throwIfAborted();
    const status = readJson<SupervisorStatus>(layout.statusFile);
    if (status?.phase === "ready") return status;
    const ended = supervisor.exitCode !== null || supervisor.signalCode !== null;
    if (status?.phase === "failed" || ended) throw startFailed(layout, status);
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
