import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import type { WireNode } from "./cluster-facts.ts";
import type { Target } from "./look-around.ts";
import { type Neighbour, PROBE_PORT } from "./neighbour.ts";

/** Metadata services of AWS, Google and Azure, of AWS' containers, Azure's host, Alibaba. */
const METADATA = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200"] as const;
const OUTSIDE: readonly Omit<Target, "check">[] = [
  { host: "1.1.1.1", port: 443 },
  { host: "8.8.8.8", port: 53 },
];
const OUTSIDE_6: readonly Omit<Target, "check">[] = [
  { host: "2606:4700:4700::1111", port: 443 },
  { host: "fd00:ec2::254", port: 80 },
];
const KUBELET_PORT = 10_250;
/** Where an API server that runs on the cluster's own machines listens, whatever stands before it. */
const API_PORT = 6443;
/** Of a large cluster's kubelets some are tried: a policy holds for all alike. */
const MAX_NODES = 8;

/** What the neighbour's pod knows of the cluster's own services. */
export interface Surroundings {
  readonly dnsServer: string;
  /** A name that every cluster has. */
  readonly dnsName: string;
  readonly resolves: boolean;
  /** The API server's service. */
  readonly apiService: { readonly host: string; readonly port: number } | undefined;
}

const LOOK = `echo "api $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT"
while read -r key first second _; do
  case $key in nameserver) echo "dns $first";; search) echo "domain $second";; esac
done </etc/resolv.conf`;

/** Asked in a pod of the cluster: only there is it known where services are. */
export async function surroundingsOf(neighbour: Neighbour, signal: AbortSignal): Promise<Surroundings> {
  const said = Buffer.from((await neighbour.run(LOOK, [], signal)).stdout).toString();
  const word = (name: string) => new RegExp(`^${name} (\\S+)(?: (\\S+))?$`, "m").exec(said);
  const dnsServer = word("dns")?.[1] ?? "127.0.0.1";
  const dnsName = `kubernetes.default.${word("domain")?.[1] ?? "svc.cluster.local"}`;
  const [, host, port] = word("api") ?? [];
  const { exitCode } = await neighbour.run('timeout 3 nslookup "$1" "$2"', [dnsName, dnsServer], signal);
  return {
    dnsServer,
    dnsName,
    resolves: exitCode === 0,
    apiService: host === undefined ? undefined : { host, port: Number(port ?? 443) },
  };
}

/** Everything that a lease's pod must not reach. */
export async function targetsOf(from: {
  readonly server: string;
  readonly nodes: readonly WireNode[];
  readonly listener: readonly string[];
  /** Machines that run a pod of the probe's: the likeliest ones to run the lease's. */
  readonly hosts: readonly string[];
  readonly apiService: Surroundings["apiService"];
}): Promise<Target[]> {
  const of = (check: string, hosts: readonly string[], port: number): Target[] =>
    hosts.map((host) => ({ check, host, port }));
  const addresses = from.nodes
    .flatMap(({ status }) => status?.addresses ?? [])
    .filter(({ type }) => type === "InternalIP" || type === "ExternalIP")
    .map(({ address }) => address);
  const nodes = [...new Set([...from.hosts, ...addresses])].slice(0, MAX_NODES);
  const targets = [
    ...of("other pods", from.listener, PROBE_PORT),
    ...of("IPv6", from.listener.filter(isIPv6), PROBE_PORT),
    ...OUTSIDE_6.map((target) => ({ check: "IPv6", ...target })),
    ...of("metadata", METADATA, 80),
    ...(await apiServer(from.server)),
    ...of("API server", nodes, API_PORT),
    ...(from.apiService === undefined ? [] : [{ check: "API server", ...from.apiService }]),
    ...of("kubelet", nodes, KUBELET_PORT),
    ...OUTSIDE.map((target) => ({ check: "outside", ...target })),
  ];
  return [...new Map(targets.map((target) => [JSON.stringify(target), target])).values()];
}

/** The address that the kubeconfig names; in a pod, a loopback address would be the pod's own. */
async function apiServer(server: string): Promise<Target[]> {
  const { hostname, port, protocol } = new URL(server);
  const found = await lookup(hostname.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
  return found
    .filter(({ address }) => !/^(127\.|::1$)/.test(address))
    .map(({ address }) => ({
      check: "API server",
      host: address,
      port: Number(port) || (protocol === "http:" ? 80 : 443),
    }));
}
