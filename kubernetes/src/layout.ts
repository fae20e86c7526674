import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { KubernetesError } from "./errors.ts";

/** Where one cluster keeps everything, and what its kernel objects are called. All of it follows from the state folder. */
export interface ClusterLayout {
  /** Eight hex digits of the state folder's path: `down` finds everything by them, whatever files are left. */
  id: string;
  stateDir: string;
  /** Network namespace's name, and the path it is pinned at. */
  netns: string;
  netnsPath: string;
  /** The host's end of the link to the cluster. */
  hostLink: string;
  /** Name of the cluster's folder in every cgroup hierarchy. */
  cgroup: string;
  supervisorLock: string;
  /** Serialises start and stop of this one cluster; beside the folder, which `down` may delete. */
  lifecycleLock: string;
  clusterFile: string;
  statusFile: string;
  kubeconfig: string;
  logDir: string;
  pkiDir: string;
  configDir: string;
  cniConfigDir: string;
  cniDataDir: string;
  etcdDir: string;
  kubeletDir: string;
  podLogsDir: string;
  containerdDir: string;
  /**
   * As the cluster's own processes see it, which have `boundDir` there. A pod's user namespace must be able to walk to its
   * root file system, and the state folder may lie where only its owner can (`/root`, a temporary folder).
   */
  containerdRunDir: string;
  containerdSocket: string;
  runcDir: string;
  /** containerd mounts layers here for a moment, for each pod in a user namespace. */
  containerdTmpDir: string;
  /** Bound over the machine-wide folders that kubelet and containerd have compiled in. */
  boundDir: string;
}

/** A unix socket's path holds 107 bytes; kubelet's longest under the state folder takes this many of them. */
const LONGEST_SOCKET = "/kubelet/pod-resources/kubelet.sock".length;

export function clusterLayout(folder: string): ClusterLayout {
  const stateDir = resolve(folder);
  if (stateDir.length + LONGEST_SOCKET > 107) {
    throw new KubernetesError(
      "STATE_PATH_TOO_LONG",
      `the state folder's path is too long for unix sockets: ${stateDir}`,
      {
        details: { stateDir, most: 107 - LONGEST_SOCKET },
        hint: "choose a state folder with a shorter path",
      },
    );
  }
  const id = createHash("sha256").update(stateDir).digest("hex").slice(0, 8);
  const under = (...parts: string[]): string => join(stateDir, ...parts);
  return {
    id,
    stateDir,
    netns: `dkp-${id}`,
    netnsPath: `${NETNS_DIR}/dkp-${id}`,
    hostLink: `dkp${id}`,
    cgroup: `dekuper-${id}`,
    supervisorLock: under("supervisor.lock"),
    lifecycleLock: join(MACHINE_DIR, `${id}.lock`),
    clusterFile: under("cluster.json"),
    statusFile: under("status.json"),
    kubeconfig: under("kubeconfig"),
    logDir: under("log"),
    pkiDir: under("pki"),
    configDir: under("config"),
    cniConfigDir: under("config", "cni"),
    cniDataDir: under("cni"),
    etcdDir: under("etcd"),
    kubeletDir: under("kubelet"),
    podLogsDir: under("pod-logs"),
    containerdDir: under("containerd"),
    containerdRunDir: "/run/containerd/state",
    containerdSocket: under("containerd.sock"),
    runcDir: "/run/containerd/runc",
    containerdTmpDir: "/run/containerd/tmp",
    boundDir: under("bound"),
  };
}

/** The machine's record of its clusters: which address plans are taken and what `down` must put back. */
export const MACHINE_DIR = "/run/dekuper";

/** Where `ip netns` pins network namespaces (ip-netns(8)). */
export const NETNS_DIR = "/run/netns";

/** Machine-wide folders that kubelet and containerd have compiled in; each cluster sees its own in their place. */
export const COMPILED_IN_FOLDERS = ["/var/lib/kubelet", "/var/log/containers", "/run/containerd"] as const;

/** How a cluster's supervisor is called, and so found before it holds anything by which to find it. */
export function supervisorArguments(stateDir: string): string[] {
  return [fileURLToPath(new URL("./supervisor-main.ts", import.meta.url)), "--state", stateDir];
}

/** `${XDG_CACHE_HOME:-~/.cache}/dekuper`. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dekuper");
}
