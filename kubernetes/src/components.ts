import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";
import { SERVICE_CIDR } from "./pki.ts";
import type { ClusterSettings, SimulatedGpus } from "./settings.ts";

/** One process of the cluster. */
export interface Component {
  name: string;
  /** The program and its arguments. */
  command: string[];
  env: Record<string, string>;
  /** What must be seen before it is started. */
  needs: "nothing" | "api" | "api-and-runtime";
}

/** Kubernetes listens here on every cluster's own address. */
export const API_PORT = 6443;

/** Gang scheduling is native behind this gate, beta and off by default in 1.37. */
const GATES = "--feature-gates=GenericWorkload=true";

/**
 * The controllers that a node for tasks uses. Not here: everything about volumes that outlive a pod, certificates by
 * request, autoscaling, and the clouds.
 */
export const CONTROLLERS = [
  "clusterrole-aggregation-controller",
  "cronjob-controller",
  "deployment-controller",
  "endpointslice-controller",
  "garbage-collector-controller",
  "job-controller",
  "namespace-controller",
  "node-lifecycle-controller",
  "pod-garbage-collector-controller",
  "podgroup-protection-controller",
  "replicaset-controller",
  "resourcequota-controller",
  "root-ca-certificate-publisher-controller",
  "serviceaccount-controller",
  "serviceaccount-token-controller",
  "statefulset-controller",
  "taint-eviction-controller",
  "ttl-after-finished-controller",
];

export function apiServerUrl(settings: ClusterSettings): string {
  return `https://${settings.addresses.node}:${API_PORT}`;
}

/** The labels that NVIDIA's GPU feature discovery sets. */
export function gpuLabels(gpus: SimulatedGpus): Record<string, string> {
  return {
    "nvidia.com/gpu.present": "true",
    "nvidia.com/gpu.count": String(gpus.count),
    "nvidia.com/gpu.memory": String(gpus.memoryMiB),
    "nvidia.com/gpu.product": gpus.product,
  };
}

/** Every process of a cluster, in the order of their start; they are stopped in `STOP_ORDER`. */
export function planComponents(layout: ClusterLayout, settings: ClusterSettings): Component[] {
  const pki = (file: string): string => join(layout.pkiDir, file);
  const config = (file: string): string => join(layout.configDir, file);
  const part = (
    name: string,
    needs: Component["needs"],
    args: string[],
    env: Record<string, string> = {},
  ): Component => ({
    name,
    needs,
    command: [join(settings.binDir, name), ...args],
    env: { PATH: `${settings.binDir}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: layout.stateDir, ...env },
  });
  const { node } = settings.addresses;
  return [
    part(
      "etcd",
      "nothing",
      [
        `--data-dir=${layout.etcdDir}`,
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        // A killed process loses nothing that it wrote: the page cache is the kernel's. Only a machine that loses power
        // does, and this is a developer's cluster that two of share one disk.
        "--unsafe-no-fsync",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=5m",
        "--log-level=warn",
      ],
      { GOGC: "50" },
    ),
    part(
      "kube-apiserver",
      "nothing",
      [
        "--etcd-servers=http://127.0.0.1:2379",
        `--bind-address=${node}`,
        `--advertise-address=${node}`,
        `--secure-port=${API_PORT}`,
        `--tls-cert-file=${pki("apiserver.crt")}`,
        `--tls-private-key-file=${pki("apiserver.key")}`,
        `--client-ca-file=${pki("ca.crt")}`,
        `--service-account-key-file=${pki("sa.pub")}`,
        `--service-account-signing-key-file=${pki("sa.key")}`,
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        `--service-cluster-ip-range=${SERVICE_CIDR}`,
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--anonymous-auth=false",
        "--allow-privileged=true",
        `--kubelet-client-certificate=${pki("admin.crt")}`,
        `--kubelet-client-key=${pki("admin.key")}`,
        `--kubelet-certificate-authority=${pki("ca.crt")}`,
        "--kubelet-preferred-address-types=InternalIP",
        "--endpoint-reconciler-type=none",
        "--runtime-config=scheduling.k8s.io/v1beta1=true",
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=100",
        "--max-mutating-requests-inflight=50",
        "--profiling=false",
        "--shutdown-delay-duration=0s",
        "--event-ttl=1h",
        GATES,
      ],
      { GOGC: "50", GOMEMLIMIT: "300MiB" },
    ),
    part("containerd", "nothing", [`--config=${config("containerd.toml")}`, "--log-level=info"], {
      GOGC: "50",
      TMPDIR: layout.containerdTmpDir,
    }),
    part(
      "kubelet",
      "api-and-runtime",
      [
        `--config=${config("kubelet.json")}`,
        `--kubeconfig=${config("kubelet.kubeconfig")}`,
        `--root-dir=${layout.kubeletDir}`,
        `--hostname-override=${settings.name}`,
        `--node-ip=${node}`,
        ...(settings.gpus ? [`--node-labels=${formatLabels(gpuLabels(settings.gpus))}`] : []),
      ],
      { GOGC: "50" },
    ),
    part(
      "kube-controller-manager",
      "api",
      [
        `--kubeconfig=${config("controller-manager.kubeconfig")}`,
        `--controllers=${CONTROLLERS.join(",")}`,
        `--service-account-private-key-file=${pki("sa.key")}`,
        `--root-ca-file=${pki("ca.crt")}`,
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        // It makes an account for each controller at its start, which the default rate stretches to a second.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--bind-address=127.0.0.1",
        "--profiling=false",
        GATES,
      ],
      { GOGC: "50" },
    ),
    part(
      "kube-scheduler",
      "api",
      [
        `--kubeconfig=${config("scheduler.kubeconfig")}`,
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--profiling=false",
        GATES,
      ],
      { GOGC: "50" },
    ),
    part("coredns", "api", [`-conf=${config("Corefile")}`], { GOGC: "50" }),
  ];
}

/**
 * An API server whose etcd is gone hangs in its graceful stop and keeps its port, so etcd goes last of the control
 * plane; containerd after the kubelet, which talks to it.
 */
export const STOP_ORDER = [
  ["kubelet", "coredns", "kube-scheduler", "kube-controller-manager"],
  ["kube-apiserver"],
  ["etcd", "containerd"],
] as const;

function formatLabels(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
