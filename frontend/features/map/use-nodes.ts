"use client";

import { isolationClasses, type NodeStatus, nodeRegistryAbi, nodeStatuses } from "@dekuper/protocol";
import { useQuery } from "@tanstack/react-query";
import type { Address, PublicClient } from "viem";
import { usePublicClient } from "wagmi";
import { useNetwork } from "@/features/network/network-provider.tsx";

const PAGE = 100n;

/** A node as the registry shows it. Rates are base units per hour of one unit; memory is MiB. */
export interface MapNode {
  readonly address: Address;
  readonly owner: Address;
  readonly status: NodeStatus;
  readonly region: string;
  readonly gpuModel: string;
  readonly gpus: number;
  readonly freeGpus: number;
  readonly vCpus: number;
  readonly freeVCpus: number;
  readonly memoryMiB: bigint;
  readonly freeMemoryMiB: bigint;
  readonly isolation: string;
  readonly perGpuHour: bigint;
  readonly perVCpuHour: bigint;
  readonly multiaddrs: readonly string[];
}

/** The network map, read from the registry. */
export function useNodes() {
  const { local, deployment } = useNetwork();
  const client = usePublicClient();
  return useQuery({
    queryKey: ["nodes", deployment.nodeRegistry],
    queryFn: () => readNodes(client as PublicClient, deployment.nodeRegistry),
    enabled: client !== undefined,
    refetchInterval: local ? 3_000 : 15_000,
  });
}

async function readNodes(client: PublicClient, address: Address): Promise<MapNode[]> {
  const registry = { address, abi: nodeRegistryAbi } as const;
  const count = await client.readContract({ ...registry, functionName: "nodeCount" });
  const pages = await Promise.all(
    Array.from({ length: Number((count + PAGE - 1n) / PAGE) }, (_, page) =>
      client.readContract({ ...registry, functionName: "nodesPaged", args: [BigInt(page) * PAGE, PAGE] }),
    ),
  );
  return Promise.all(
    pages.flat().map(async (node): Promise<MapNode> => {
      const { owner, status, profile, used } = await client.readContract({
        ...registry,
        functionName: "getNode",
        args: [node],
      });
      return {
        address: node,
        owner,
        status: nodeStatuses[status] ?? "None",
        region: profile.region,
        gpuModel: profile.gpuModel,
        gpus: profile.gpus,
        freeGpus: profile.gpus - used.gpus,
        vCpus: profile.vCpus,
        freeVCpus: profile.vCpus - used.vCpus,
        memoryMiB: profile.memoryMiB,
        freeMemoryMiB: profile.memoryMiB - used.memoryMiB,
        isolation: isolationClasses[profile.isolation] ?? "unknown",
        perGpuHour: profile.posted.perGpuHour,
        perVCpuHour: profile.posted.perVCpuHour,
        multiaddrs: profile.multiaddrs,
      };
    }),
  );
}
