import {
  DekuperError,
  type Deployment,
  type LeaseStatus,
  leaseStatuses,
  type NodeStatus,
  nodeRegistryAbi,
  nodeStatuses,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, getAddress, type Hex, type PublicClient } from "viem";

/** A lease as the contract has it. Times in Unix seconds, 0 for not yet. */
export interface LeaseState {
  readonly leaseId: Hex;
  readonly taskId: Hex;
  readonly attempt: number;
  readonly status: LeaseStatus;
  readonly node: Address;
  readonly acceptedAt: number;
  readonly startDeadline: number;
  readonly startedAt: number;
  readonly lastClaimAt: number;
  readonly lastStep: number;
  readonly stoppedAt: number;
  readonly endedAt: number;
  readonly challengeEndsAt: number;
}

/** Of a task, what does not change after its creation. Seconds. */
export interface TaskTerms {
  readonly consumer: Address;
  readonly createdAt: number;
  readonly specDigest: Hex;
  readonly maxDuration: number;
  readonly challengeWindow: number;
  readonly completionGrace: number;
  readonly outageGrace: number;
  readonly drift: number;
  readonly minCheckpointInterval: number;
  readonly minRetention: number;
}

/** A node's entry in the network map. */
export interface NodeEntry {
  readonly node: Address;
  readonly owner: Address;
  readonly status: NodeStatus;
  readonly operatorPublicKey: Hex;
  readonly multiaddrs: readonly string[];
  readonly isolation: number;
  readonly gpuModel: string;
  readonly storageMiB: bigint;
  readonly posted: { readonly perGpuHour: bigint; readonly perVCpuHour: bigint };
  readonly floor: { readonly perGpuHour: bigint; readonly perVCpuHour: bigint };
  readonly available: { readonly gpus: number; readonly vCpus: number; readonly memoryMiB: bigint };
}

/** Reads a lease at a block; `NOT_FOUND` when the contract has none, which for a known lease is no evidence of anything. */
export async function readLease(
  client: PublicClient,
  deployment: Deployment,
  leaseId: Hex,
  block: number,
): Promise<LeaseState> {
  const lease = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "getLease",
    args: [leaseId],
    blockNumber: BigInt(block),
  });
  const status = leaseStatuses[lease.status];
  if (status === undefined || status === "None")
    throw new DekuperError("NOT_FOUND", "The chain shows no such lease.", { details: { leaseId, block } });
  return {
    leaseId,
    taskId: lease.taskId,
    attempt: lease.attempt,
    status,
    node: getAddress(lease.node),
    acceptedAt: Number(lease.acceptedAt),
    startDeadline: Number(lease.startDeadline),
    startedAt: Number(lease.startedAt),
    lastClaimAt: Number(lease.lastClaimAt),
    lastStep: Number(lease.lastStep),
    stoppedAt: Number(lease.stoppedAt),
    endedAt: Number(lease.endedAt),
    challengeEndsAt: Number(lease.challengeEndsAt),
  };
}

export async function readTaskTerms(
  client: PublicClient,
  deployment: Deployment,
  taskId: Hex,
): Promise<TaskTerms> {
  const task = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "getTask",
    args: [taskId],
  });
  if (task.createdAt === 0n)
    throw new DekuperError("NOT_FOUND", "The chain shows no such task.", { details: { taskId } });
  return {
    consumer: getAddress(task.consumer),
    createdAt: Number(task.createdAt),
    specDigest: task.specDigest,
    maxDuration: task.maxDuration,
    challengeWindow: task.terms.challengeWindow,
    completionGrace: task.terms.completionGrace,
    outageGrace: task.terms.outageGrace,
    drift: task.terms.drift,
    minCheckpointInterval: task.terms.minCheckpointInterval,
    minRetention: task.terms.minRetention,
  };
}

/** When a node's ticket is admitted, Unix seconds; undefined: never. */
export async function readAdmittedAt(
  client: PublicClient,
  deployment: Deployment,
  taskId: Hex,
  node: Address,
): Promise<number | undefined> {
  const at = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "admittedAt",
    args: [taskId, node],
  });
  return at === 2n ** 64n - 1n ? undefined : Number(at);
}

/** A node's entry, or undefined where it was never registered. */
export async function readNode(
  client: PublicClient,
  deployment: Deployment,
  node: Address,
): Promise<NodeEntry | undefined> {
  const at = { address: deployment.nodeRegistry, abi: nodeRegistryAbi, args: [node] } as const;
  const [entry, available] = await Promise.all([
    client.readContract({ ...at, functionName: "getNode" }),
    client.readContract({ ...at, functionName: "available" }),
  ]);
  const status = nodeStatuses[entry.status];
  if (status === undefined || status === "None") return undefined;
  return {
    node: getAddress(node),
    owner: getAddress(entry.owner),
    status,
    operatorPublicKey: entry.operatorPublicKey,
    multiaddrs: entry.profile.multiaddrs,
    isolation: entry.profile.isolation,
    gpuModel: entry.profile.gpuModel,
    storageMiB: entry.profile.storageMiB,
    posted: entry.profile.posted,
    floor: entry.floor,
    available,
  };
}

/** What a new lease locks of a node's stake: `max(minLock, lockBps x reserved / 10000)`. */
export async function readLockTerms(
  client: PublicClient,
  deployment: Deployment,
): Promise<{ readonly lockBps: number; readonly minLock: bigint }> {
  const { lockBps, minLock } = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "terms",
  });
  return { lockBps, minLock };
}
