import { randomBytes } from "node:crypto";
import { DekuperError } from "@dekuper/protocol";
import type { V1Namespace, V1Pod } from "@kubernetes/client-node";
import type { Hex } from "viem";
import { locked } from "../cluster/attempt-job.ts";
import { type ExecEnd, execText } from "../cluster/exec.ts";
import type { KubernetesApi } from "../cluster/kubernetes-api.ts";
import { labels, MANAGED_BY } from "../cluster/names.ts";
import type { WirePod } from "../cluster/observe.ts";
import { sleep } from "./waiting.ts";

/** Where the probes listen. */
export const PROBE_PORT = 18_080;

const LISTEN = `while :; do nc -l -p ${PROBE_PORT} </dev/null >/dev/null 2>&1 || sleep 0.2; done`;
/**
 * A stranger to the probed lease: two pods in a namespace without a network policy. One listens, the other shows that
 * pods do reach each other here, and tries to reach the lease's pod.
 */
export class Neighbour {
  readonly namespace: string;
  private readonly api: KubernetesApi;
  private readonly node: Hex;
  private readonly image: string;
  private readonly startSeconds: number;

  constructor(api: KubernetesApi, wish: { node: Hex; image: string; startSeconds: number }) {
    this.api = api;
    this.node = wish.node;
    this.image = wish.image;
    this.startSeconds = wish.startSeconds;
    this.namespace = `dkp-probe-${randomBytes(4).toString("hex")}`;
  }

  /** Makes both pods and answers when they run: the listener's addresses, and the machines'. */
  async start(
    signal: AbortSignal,
  ): Promise<{ readonly listener: readonly string[]; readonly hosts: readonly string[] }> {
    await this.api.create(this.renderNamespace(), signal);
    await this.api.create(this.renderPod("listener", LISTEN), signal);
    await this.api.create(this.renderPod("client", "trap 'exit 0' TERM; while :; do sleep 1; done"), signal);
    const end = Date.now() + this.startSeconds * 1000;
    for (;;) {
      const path = `/api/v1/namespaces/${this.namespace}/pods`;
      const pods = await this.api.list<WirePod>(path, {}, signal);
      const running = pods.filter(({ status }) => status?.phase === "Running" && status.podIP !== undefined);
      const listener = running.find(({ metadata }) => metadata?.name === "listener");
      if (running.length === 2 && listener !== undefined)
        return {
          listener: (listener.status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []),
          hosts: running.flatMap(({ status }) => status?.hostIP ?? []),
        };
      if (Date.now() > end)
        throw new DekuperError("CLUSTER_REFUSED", `The probe's own pods do not start: ${whyNot(pods)}.`, {
          hint: "Is the helper image one that the cluster can pull, and is there room for a small pod?",
        });
      await sleep(200, signal);
    }
  }

  /** Runs a script in the second pod, with arguments. */
  run(
    script: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<ExecEnd & { stdout: Uint8Array }> {
    const target = { namespace: this.namespace, pod: "client", container: "main" };
    return execText(this.api, target, ["/bin/busybox", "sh", "-c", script, "probe", ...args], { signal });
  }

  /** Whether the second pod gets a connection. */
  async reaches(address: string, signal: AbortSignal): Promise<boolean> {
    return (await this.run(`nc -w 3 "$1" ${PROBE_PORT} </dev/null`, [address], signal)).exitCode === 0;
  }

  private renderNamespace(): V1Namespace {
    return {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: this.namespace,
        labels: {
          [labels.managedBy]: MANAGED_BY,
          [labels.node]: this.node,
          [labels.probe]: "neighbour",
          "pod-security.kubernetes.io/enforce": "restricted",
        },
      },
    };
  }

  private renderPod(name: string, script: string): V1Pod {
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: this.namespace },
      spec: {
        automountServiceAccountToken: false,
        restartPolicy: "Always",
        terminationGracePeriodSeconds: 1,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000 },
        containers: [
          {
            name: "main",
            image: this.image,
            imagePullPolicy: "IfNotPresent",
            command: ["/bin/busybox", "sh", "-c", script],
            securityContext: locked,
            resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { cpu: "500m", memory: "32Mi" } },
          },
        ],
      },
    };
  }
}

function whyNot(pods: readonly WirePod[]): string {
  const reasons = pods.flatMap(({ status }) => [
    ...(status?.containerStatuses ?? []).map(({ state }) => state?.waiting?.reason),
    ...(status?.conditions ?? []).filter((one) => one.status === "False").map(({ reason }) => reason),
  ]);
  return reasons.find((reason) => reason !== undefined) ?? "no reason is given";
}
