import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runCommand } from "../../src/command.ts";
import { defaultCacheDir, ensureBinaries, type RunningCluster } from "../../src/index.ts";
import { sweepKilledTests } from "./test-folder.ts";

await sweepKilledTests();

export const cacheDir: string = defaultCacheDir();
export const binDir: string = await ensureBinaries({ cacheDir, onProgress: (line) => console.error(line) });

/** Runs kubectl as the cluster's administrator and answers what it printed. */
export function kubectl(cluster: RunningCluster, args: readonly string[], input?: string): Promise<string> {
  return runCommand(join(binDir, "kubectl"), ["--kubeconfig", cluster.kubeconfigPath, ...args], {
    ...(input === undefined ? {} : { input }),
  });
}

export async function getJson<T>(cluster: RunningCluster, ...args: string[]): Promise<T> {
  return JSON.parse(await kubectl(cluster, ["get", ...args, "-o", "json"])) as T;
}

export async function apply(cluster: RunningCluster, ...objects: unknown[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await kubectl(cluster, ["apply", "-f", "-"], JSON.stringify(list));
}

export interface ExecResult {
  exitCode: number;
  output: string;
}

/** Runs a shell script in a pod. */
export async function execute(
  cluster: RunningCluster,
  namespace: string,
  pod: string,
  script: string,
): Promise<string> {
  return kubectl(cluster, ["exec", "-n", namespace, pod, "--", "sh", "-c", script]);
}

export interface PodStatus {
  metadata: { name: string; uid: string };
  status: {
    phase: string;
    reason?: string;
    podIP?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      restartCount: number;
      state: {
        terminated?: { exitCode: number; reason: string; startedAt: string; finishedAt: string };
      };
    }[];
  };
}

export interface NodeStatus {
  metadata: { name: string; labels: Record<string, string> };
  status: { allocatable: Record<string, string>; conditions: { type: string; status: string }[] };
}

export function getNode(cluster: RunningCluster): Promise<NodeStatus> {
  return getJson<NodeStatus>(cluster, "node", cluster.name);
}

export function getPod(cluster: RunningCluster, namespace: string, name: string): Promise<PodStatus> {
  return getJson<PodStatus>(cluster, "pod", "-n", namespace, name);
}

export async function waitForPods(cluster: RunningCluster, namespace: string): Promise<void> {
  const args = ["wait", "-n", namespace, "pod", "--all", "--for=condition=Ready", "--timeout=60s"];
  await kubectl(cluster, args);
}

export async function eventually(
  what: string,
  seconds: number,
  isSo: () => Promise<boolean>,
  everyMs = 300,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  let last: unknown;
  while (Date.now() < end) {
    const answer = await isSo().catch((error: unknown) => {
      last = error;
      return false;
    });
    if (answer) return;
    await delay(everyMs);
  }
  throw new Error(`not within ${seconds} s: ${what}`, { cause: last });
}

export const namespaceObject = (name: string): unknown => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
});

export interface PodOptions {
  namespace: string;
  name: string;
  script: string;
  /** Limits of its one container. Default: a tenth of a CPU at most half, and 64 MiB. */
  limits?: Record<string, string>;
  /** Of its writable `/tmp`. Default: what the pod may have of the disk. */
  volumeSize?: string;
  /** Becomes `spec.schedulingGroup`. */
  podGroup?: string;
}

/** A pod as the oracle makes them: restricted, in a user namespace of its own, without an account's token. */
export function podObject({
  namespace,
  name,
  script,
  limits = {},
  volumeSize,
  podGroup,
}: PodOptions): unknown {
  const gpus = limits["nvidia.com/gpu"];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: namespace } },
    spec: {
      hostname: name,
      subdomain: "members",
      hostUsers: false,
      automountServiceAccountToken: false,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      ...(podGroup ? { schedulingGroup: { podGroupName: podGroup } } : {}),
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      volumes: [{ name: "tmp", emptyDir: volumeSize ? { sizeLimit: volumeSize } : {} }],
      containers: [
        {
          name: "main",
          image: "localhost/busybox:1",
          command: ["sh", "-c", script],
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
            readOnlyRootFilesystem: true,
          },
          resources: {
            requests: { cpu: "10m", memory: "16Mi", ...(gpus ? { "nvidia.com/gpu": gpus } : {}) },
            limits: { cpu: "500m", memory: "64Mi", ...limits },
          },
        },
      ],
    },
  };
}

/** A Service without an address of its own: its name resolves to its pods. */
export const headlessService = (namespace: string): unknown => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "members", namespace },
  spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: { app: namespace } },
});
