import { KubernetesError } from "./errors.ts";

/** The addresses of one cluster. Nothing else on the machine routes to the pods' range. */
export interface ClusterAddresses {
  /** Which of the 256 address plans this is; distinct among the clusters of one machine. */
  index: number;
  /** The host's end of the link, with prefix length. */
  hostCidr: string;
  /** The cluster's end: API server, kubelet and DNS listen here. */
  node: string;
  nodeCidr: string;
  /** The link's network, the only one the host has a route to. */
  linkCidr: string;
  podCidr: string;
  /** The pods' next hop, on the cluster's end of every pod's veth. */
  podGateway: string;
}

const PLANS = 256;

export function clusterAddresses(index: number): ClusterAddresses {
  return {
    index,
    hostCidr: `10.213.${index}.1/30`,
    node: `10.213.${index}.2`,
    nodeCidr: `10.213.${index}.2/30`,
    linkCidr: `10.213.${index}.0/30`,
    podCidr: `10.214.${index}.0/24`,
    podGateway: `10.214.${index}.1`,
  };
}

export interface SubnetChoice {
  /** Indices that other clusters of this machine hold. */
  taken: readonly number[];
  /** IPv4 destinations the host already has routes to, as `a.b.c.d/len` (default route left out). */
  hostRoutes: readonly string[];
  /** Tried first: the caller's wish, or the plan this state folder had before. */
  preferred?: number | undefined;
}

/** Chooses an address plan that no cluster has and that the host's own routes do not touch. */
export function chooseSubnet(choice: SubnetChoice): number {
  const isFree = (index: number): boolean => {
    const plan = clusterAddresses(index);
    if (choice.taken.includes(index)) return false;
    return !choice.hostRoutes.some(
      (route) => overlaps(route, plan.linkCidr) || overlaps(route, plan.podCidr),
    );
  };
  const { preferred } = choice;
  if (preferred !== undefined && preferred >= 0 && preferred < PLANS && isFree(preferred)) return preferred;
  for (let index = 0; index < PLANS; index++) if (isFree(index)) return index;
  throw new KubernetesError(
    "NO_FREE_SUBNET",
    "every address plan is held by a cluster or touches the host's routes",
    {
      details: { taken: choice.taken },
      hint: "stop clusters that are not needed: `node kubernetes/src/main.ts down --state DIR`",
    },
  );
}

/** Whether two IPv4 networks share an address. */
export function overlaps(a: string, b: string): boolean {
  const [left, right] = [parseCidr(a), parseCidr(b)];
  const shared = Math.min(left.length, right.length);
  const mask = shared === 0 ? 0 : (0xffffffff << (32 - shared)) >>> 0;
  return (left.address & mask) >>> 0 === (right.address & mask) >>> 0;
}

function parseCidr(cidr: string): { address: number; length: number } {
  const [address = "", length = "32"] = cidr.split("/");
  const bytes = address.split(".").map(Number);
  return { address: bytes.reduce((sum, byte) => ((sum << 8) | byte) >>> 0, 0), length: Number(length) };
}
