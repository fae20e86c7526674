import type { ClusterAddresses } from "./addresses.ts";

/** Names of the link inside the cluster's network namespace. */
export const CLUSTER_LINK = "uplink";

export interface Rate {
  perSecond: number;
  burst: number;
}

/** New TCP connections of one pod, to whatever address. */
export const POD_CONNECTION_RATE: Rate = { perSecond: 100, burst: 200 };

/** DNS questions of one pod. */
export const POD_DNS_RATE: Rate = { perSecond: 200, burst: 400 };

/** Addresses of live pods by Kubernetes namespace, sorted. */
export type PodsByNamespace = ReadonlyMap<string, readonly string[]>;

/**
 * The cluster's whole packet filter, replaced in one transaction. Pods hang on routed veths, so each of their packets
 * crosses these inet hooks: a pod reaches the pods of its own namespace, and the cluster's DNS if it is configured to ask
 * it. Whatever is not named here is dropped, which covers a pod whose address is not known yet.
 *
 * No rule asks for connection state: without conntrack, a pod that opens connections without end fills no table. How
 * many it may open a second, and ask of the cluster's DNS, is capped: the other pods share processor and DNS with it.
 */
export function renderRuleset(
  addresses: ClusterAddresses,
  pods: PodsByNamespace,
  resolving: readonly string[] = [],
): string {
  const groups = [...pods.values()].filter((ips) => ips.length > 0);
  const elements = groups.flatMap((ips, group) => ips.map((ip) => `${ip} : jump namespace_${group}`));
  return `table inet dekuper
delete table inet dekuper
table inet dekuper {
${groups.map(renderGroup).join("")}  map sender {
    type ipv4_addr : verdict
${elements.length > 0 ? `    elements = { ${elements.join(", ")} }\n` : ""}  }
  set resolving {
    type ipv4_addr
${resolving.length > 0 ? `    elements = { ${resolving.join(", ")} }\n` : ""}  }
  set opening {
    type ipv4_addr
    flags dynamic
    size 1024
  }
  set asking {
    type ipv4_addr
    flags dynamic
    size 1024
  }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    meta nfproto ipv6 drop
    iifname { "lo", "${CLUSTER_LINK}" } accept
    ip saddr != ${addresses.podCidr} drop
    tcp flags & (syn | ack) == syn ${overRate("opening", POD_CONNECTION_RATE)} drop
    udp dport 53 ${overRate("asking", POD_DNS_RATE)} drop
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname { "lo", "${CLUSTER_LINK}" } accept
    ip saddr @resolving ip daddr ${addresses.node} udp dport 53 accept
    ip saddr @resolving ip daddr ${addresses.node} tcp dport 53 accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "${CLUSTER_LINK}" drop
    oifname "${CLUSTER_LINK}" drop
    ip saddr vmap @sender
  }
  chain output {
    type filter hook output priority filter; policy accept;
    meta nfproto ipv6 drop
  }
}
`;
}

function overRate(set: string, { perSecond, burst }: Rate): string {
  return `update @${set} { ip saddr limit rate over ${perSecond}/second burst ${burst} packets }`;
}

function renderGroup(ips: readonly string[], group: number): string {
  return `  chain namespace_${group} {\n    ip daddr { ${ips.join(", ")} } accept\n  }\n`;
}

/** The facts of a pod that decide whether, and with whom, it may talk. */
export interface PodFacts {
  namespace: string;
  ip: string | undefined;
  phase: string | undefined;
  hostNetwork: boolean;
  /** `None`: it has no use for the cluster's DNS, which knows the names of every namespace. */
  dnsPolicy?: string | undefined;
}

/**
 * Groups pods that may talk. A finished pod's address may be given to another pod, so it counts no more; an address
 * that two namespaces claim belongs to neither.
 */
export function groupPods(pods: readonly PodFacts[]): PodsByNamespace {
  const owner = new Map<string, string | undefined>();
  for (const pod of pods) {
    if (!pod.ip || pod.hostNetwork || pod.phase === "Succeeded" || pod.phase === "Failed") continue;
    const other = owner.has(pod.ip) && owner.get(pod.ip) !== pod.namespace;
    owner.set(pod.ip, other ? undefined : pod.namespace);
  }
  const groups = new Map<string, string[]>();
  for (const [ip, namespace] of [...owner].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (namespace === undefined) continue;
    groups.set(namespace, [...(groups.get(namespace) ?? []), ip]);
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Addresses of the grouped pods that may ask the cluster's DNS, sorted; one that any claimant does without may not. */
export function resolvingPods(pods: readonly PodFacts[], groups: PodsByNamespace): string[] {
  const without = new Set(pods.filter(({ dnsPolicy }) => dnsPolicy === "None").map(({ ip }) => ip));
  return [...groups.values()]
    .flat()
    .filter((ip) => !without.has(ip))
    .sort();
}
