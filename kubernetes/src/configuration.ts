import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";
import type { ClusterSettings } from "./settings.ts";

/** The reference under which containerd finds the sandbox image of every pod. */
export const PAUSE_TAG = "localhost/pause:1";

/** Processes a pod may have: a fork bomb stays inside. */
export const POD_PIDS_LIMIT = 1024;

/** TOML and JSON write strings alike, as far as our paths go. */
const text = (value: string): string => JSON.stringify(value);

export function containerdConfig(layout: ClusterLayout, binDir: string): string {
  const runtime = "plugins.'io.containerd.cri.v1.runtime'";
  return `version = 3
root = ${text(layout.containerdDir)}
state = ${text(layout.containerdRunDir)}
disabled_plugins = [
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.native",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.differ.v1.erofs",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.ttrpc.v1.otelttrpc",
  "io.containerd.grpc.v1.healthcheck",
  "io.containerd.monitor.container.v1.restart",
]
[grpc]
  address = ${text(layout.containerdSocket)}
[plugins.'io.containerd.internal.v1.opt']
  path = ${text(join(layout.containerdDir, "opt"))}
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = ${text(PAUSE_TAG)}
[${runtime}]
  # A pod in a user namespace may not lower the score below what its parent has.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_container_log_line_size = 16384
[${runtime}.containerd]
  default_runtime_name = "runc"
[${runtime}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${runtime}.containerd.runtimes.runc.options]
  BinaryName = ${text(join(binDir, "runc"))}
  Root = ${text(layout.runcDir)}
  SystemdCgroup = false
[${runtime}.cni]
  bin_dirs = [${text(binDir)}]
  conf_dir = ${text(layout.cniConfigDir)}
  max_conf_num = 1
`;
}

/**
 * Pods hang on routed veths: `ptp` gives each one a veth of its own and a route, so that every packet crosses the inet
 * hooks of nftables. With a bridge, pods of one cluster would talk below them.
 */
export function cniConfig(layout: ClusterLayout, { id, addresses }: ClusterSettings): string {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: addresses.podCidr, gateway: addresses.podGateway }]],
    routes: [{ dst: "0.0.0.0/0" }],
    dataDir: layout.cniDataDir,
  };
  const plugins = [{ type: "ptp", ipMasq: false, mtu: 1500, ipam }];
  return JSON.stringify({ cniVersion: "1.0.0", name: `dekuper-${id}`, plugins }, undefined, 2);
}

/** KubeletConfiguration v1beta1, as JSON, which is YAML too. */
export function kubeletConfig(layout: ClusterLayout, { addresses }: ClusterSettings): string {
  return JSON.stringify(
    {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      address: addresses.node,
      port: 10250,
      readOnlyPort: 0,
      healthzPort: 0,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: join(layout.pkiDir, "ca.crt") },
      },
      authorization: { mode: "Webhook" },
      tlsCertFile: join(layout.pkiDir, "kubelet.crt"),
      tlsPrivateKeyFile: join(layout.pkiDir, "kubelet.key"),
      containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
      cgroupDriver: "cgroupfs",
      cgroupRoot: `/${layout.cgroup}`,
      failCgroupV1: false,
      failSwapOn: false,
      podLogsDir: layout.podLogsDir,
      volumePluginDir: join(layout.kubeletDir, "volume-plugins"),
      clusterDNS: [addresses.node],
      clusterDomain: "cluster.local",
      // No pod resolves anything beyond the cluster, whatever the machine's own resolver is.
      resolvConf: "",
      makeIPTablesUtilChains: false,
      podPidsLimit: POD_PIDS_LIMIT,
      maxPods: 110,
      containerLogMaxSize: "10Mi",
      containerLogMaxFiles: 3,
      // Images come with the cluster and cannot be pulled again: never collect them.
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      evictionHard: { "memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
      serializeImagePulls: false,
      registerNode: true,
      shutdownGracePeriod: "0s",
      nodeStatusUpdateFrequency: "10s",
      // The node's status names every image that it has: by it a task's image is known to be here.
      nodeStatusMaxImages: -1,
      // A disk fill is noticed at the eviction manager's next look at the pod's usage.
      volumeStatsAggPeriod: "5s",
      enableControllerAttachDetach: false,
      localStorageCapacityIsolation: true,
      syncFrequency: "10s",
    },
    undefined,
    2,
  );
}

/** DNS of the cluster's own names only: there is nothing to forward to. */
export function corefile(layout: ClusterLayout, { addresses }: ClusterSettings): string {
  return `.:53 {
  bind ${addresses.node}
  ready ${addresses.node}:8181
  errors
  loadbalance
  kubernetes cluster.local {
    kubeconfig ${join(layout.configDir, "dns.kubeconfig")}
    pods disabled
    ttl 1
  }
}
`;
}

export function writeConfiguration(layout: ClusterLayout, settings: ClusterSettings): void {
  mkdirSync(layout.cniConfigDir, { recursive: true });
  writeFileSync(join(layout.configDir, "containerd.toml"), containerdConfig(layout, settings.binDir));
  writeFileSync(join(layout.cniConfigDir, "10-dekuper.conflist"), cniConfig(layout, settings));
  writeFileSync(join(layout.configDir, "kubelet.json"), kubeletConfig(layout, settings));
  writeFileSync(join(layout.configDir, "Corefile"), corefile(layout, settings));
}
