import {
  type Isolation,
  isolationClasses,
  type Network,
  type NodeStatus,
  nodeRegistryAbi,
  nodeStatuses,
} from "@dekuper/protocol";
import { type Address, type Hex, type PublicClient, zeroAddress } from "viem";
import { chainError } from "./errors.ts";

export interface UnitRates {
  /** Base units per hour of one GPU. */
  readonly perGpuHour: bigint;
  /** Base units per hour of one vCPU. */
  readonly perVCpuHour: bigint;
}

export interface Capacity {
  readonly gpus: number;
  readonly vCpus: number;
  readonly memoryMiB: bigint;
}

/** What a node declares of itself. */
export interface NodeProfile extends Capacity {
  readonly encryptionKey: Hex;
  readonly gpuModel: string;
  readonly gpuMemoryMiB: number;
  readonly storageMiB: bigint;
  readonly isolation: Isolation;
  readonly region: string;
  readonly posted: UnitRates;
  readonly multiaddrs: readonly string[];
}

/** A node of the map with its stake. Amounts in base units, times in Unix seconds. */
export interface MarketNode {
  readonly address: Address;
  readonly owner: Address;
  readonly status: NodeStatus;
  readonly activeSince: bigint;
  readonly encryptionKeyVersion: number;
  readonly operatorPublicKey: Hex;
  readonly profile: NodeProfile;
  readonly floor: UnitRates;
  readonly used: Capacity;
  readonly available: Capacity;
  readonly stake: {
    readonly staked: bigint;
    readonly locked: bigint;
    readonly unbonding: bigint;
    readonly releasableAt: bigint;
    readonly required: bigint;
  };
}

const PAGE = 100n;

/** The whole map, in order of registration, read page by page. */
export async function readNodes(client: PublicClient, network: Network): Promise<MarketNode[]> {
  const contract = { address: network.deployment.nodeRegistry, abi: nodeRegistryAbi } as const;
  try {
    const nodes: MarketNode[] = [];
    for (let offset = 0n; ; offset += PAGE) {
      const addresses = await client.readContract({
        ...contract,
        functionName: "nodesPaged",
        args: [offset, PAGE],
      });
      const page = await Promise.all(addresses.map((address) => readNode(client, network, address)));
      nodes.push(...page.filter((node) => node !== undefined));
      if (addresses.length < Number(PAGE)) return nodes;
    }
  } catch (cause) {
    throw chainError(cause, "list the nodes", network);
  }
}

/** One node, or undefined where nobody registered that address. */
export async function readNode(
  client: PublicClient,
  network: Network,
  address: Address,
): Promise<MarketNode | undefined> {
  const contract = { address: network.deployment.nodeRegistry, abi: nodeRegistryAbi } as const;
  const [node, stake, required] = await Promise.all([
    client.readContract({ ...contract, functionName: "getNode", args: [address] }),
    client.readContract({ ...contract, functionName: "stakeOf", args: [address] }),
    client.readContract({ ...contract, functionName: "stakeRequired", args: [address] }),
  ]).catch((cause) => {
    throw chainError(cause, "read the node", network);
  });
  if (node.owner === zeroAddress) return undefined;
  const { profile, used } = node;
  const [staked, locked, unbonding, releasableAt] = stake;
  return {
    address,
    owner: node.owner,
    status: nodeStatuses[node.status] ?? "None",
    activeSince: node.activeSince,
    encryptionKeyVersion: node.encryptionKeyVersion,
    operatorPublicKey: node.operatorPublicKey,
    profile: { ...profile, isolation: isolationClasses[profile.isolation] ?? "container" },
    floor: node.floor,
    used,
    available: {
      gpus: profile.gpus - used.gpus,
      vCpus: profile.vCpus - used.vCpus,
      memoryMiB: profile.memoryMiB - used.memoryMiB,
    },
    stake: { staked, locked, unbonding, releasableAt, required },
  };
}

/** A profile as the contract takes it. */
export function profileArguments(profile: NodeProfile) {
  return {
    encryptionKey: profile.encryptionKey,
    gpus: profile.gpus,
    gpuModel: profile.gpuModel,
    gpuMemoryMiB: profile.gpuMemoryMiB,
    vCpus: profile.vCpus,
    memoryMiB: profile.memoryMiB,
    storageMiB: profile.storageMiB,
    isolation: isolationClasses.indexOf(profile.isolation),
    region: profile.region,
    posted: profile.posted,
    multiaddrs: [...profile.multiaddrs],
  };
}
