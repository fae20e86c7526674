import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { clusterStatus, defaultCacheDir, type RunningCluster, startCluster } from "@dekuper/kubernetes";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { kubectl as runKubectl } from "../../../kubernetes/test/integration/cluster-fixture.ts";

/** GPUs that the node says it has. */
export const simulatedGpus = { count: 2, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 } as const;

const RBAC = new URL("../../../deploy/rbac.yaml", import.meta.url);
const JANITOR = fileURLToPath(new URL("./janitor-main.ts", import.meta.url));

let running: RunningCluster | undefined;
let oracleKubeconfig = "";
let janitor: ReturnType<typeof startJanitor> | undefined;

// One cluster for all files of the suite: hooks of the whole run, where it runs them in one process.
before(async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "dkp-driver-"));
  janitor = startJanitor(stateDir);
  const cacheDir = defaultCacheDir();
  running = await startCluster({
    name: "driver",
    stateDir,
    cacheDir,
    images: ["busybox"],
    gpus: simulatedGpus,
  });
  await kubectl(["create", "namespace", "dekuper-system"]);
  await kubectl(["apply", "-f", "-"], await readFile(RBAC, "utf8"));
  const token = await kubectl(["create", "token", "-n", "dekuper-system", "dekuper-oracle"]);
  const admin = adminConfig(running);
  const { server, caData } = admin.getCurrentCluster() ?? {};
  oracleKubeconfig = writeKubeconfig(
    "oracle",
    { server, "certificate-authority-data": caData },
    token.trim(),
  );
});

after(async () => {
  await janitor?.end();
});

/** The administrator's view of the cluster: what a test sees past the driver. */
export function cluster(): RunningCluster {
  if (running === undefined) throw new Error("the cluster is not up yet");
  return running;
}

/** A kubeconfig of the account in deploy/rbac.yaml: whatever the driver does here, it does with no more rights than these. */
export function oracleAccount(): string {
  return oracleKubeconfig;
}

/** By digest. */
export function busybox(): string {
  const image = cluster().images.find(({ name }) => name === "busybox");
  if (image === undefined) throw new Error("the cluster has no busybox");
  return image.reference;
}

export function kubectl(args: readonly string[], input?: string): Promise<string> {
  return runKubectl(cluster(), args, input);
}

/** The administrator's client, for what would cost a kubectl each time. */
export function core(): CoreV1Api {
  return adminConfig(cluster()).makeApiClient(CoreV1Api);
}

function adminConfig({ kubeconfigPath }: RunningCluster): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  return config;
}

/** Objects as kubectl shows them. */
export async function see<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl(["get", ...args, "-o", "json"])) as T;
}

/** Writes a kubeconfig (JSON is YAML) into the cluster's folder. */
export function writeKubeconfig(name: string, entry: object, token: string): string {
  const path = join(cluster().stateDir, `${name}.kubeconfig`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: entry }],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** The API server's process: stopped by SIGSTOP, it is an outage that no connection error announces. */
export async function apiServerPid(): Promise<number> {
  const { components } = await clusterStatus(cluster().stateDir);
  const pid = components.find(({ name }) => name === "kube-apiserver")?.pid;
  if (pid === undefined) throw new Error("the cluster has no API server");
  return pid;
}

function startJanitor(stateDir: string) {
  const child = spawn(process.execPath, [JANITOR, stateDir], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    async end(): Promise<void> {
      child.stdin.end();
      await ended;
    },
  };
}
