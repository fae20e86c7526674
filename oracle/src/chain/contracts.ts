import {
  DekuperError,
  type Deployment,
  isQuorum,
  type LeaseStatus,
  leaseStatuses,
  livenessAbi,
  type NodeStatus,
  nodeRegistryAbi,
  nodeStatuses,
  type Order,
  taskRegistryAbi,
  verificationLevels,
} from "@dekuper/protocol";
import { type Address, getAddress, type Hex, type PublicClient } from "viem";

/** The contracts' greatest timestamp. */
const NEVER = 2n ** 64n - 1n;

/** A lease as the contract has it, in its current attempt. Times in Unix seconds, 0 for not yet. */
export interface LeaseState {
  readonly leaseId: Hex;
  readonly taskId: Hex;
  /** Which of its task's leases it is. */
  readonly index: number;
  readonly attempt: number;
  readonly status: LeaseStatus;
  readonly node: Address;
  /** The node holds the task's key, or needs none. */
  readonly hasKey: boolean;
  /** That the attempt may bill; a top-up adds to it. */
  readonly maxSeconds: number;
  readonly acceptedAt: number;
  /** Of the state that it is in; while Running see `readRunDeadline`. */
  readonly deadline: number;
  readonly startedAt: number;
  readonly lastClaimAt: number;
  readonly lastStep: number;
  /** Of the last claim of any attempt, zeros without one. */
  readonly checkpointDigest: Hex;
  readonly stoppedAt: number;
  readonly endedAt: number;
  /** Base units. */
  readonly ratePerHour: bigint;
}

/** Of a task, what does not change after its creation. Seconds. */
export interface TaskTerms {
  readonly consumer: Address;
  readonly createdAt: number;
  readonly specDigest: Hex;
  /** Leases that run as one: with a common clock, and with ranks. */
  readonly isGang: boolean;
  /** Leases are replicas that commit to their results and reveal them (rule 21). */
  readonly isQuorum: boolean;
  readonly leaseCount: number;
  readonly maxAttempts: number;
  readonly startWindow: number;
  readonly failoverAfter: number;
  readonly grantWindow: number;
  readonly replaceWindow: number;
  readonly challengeWindow: number;
  readonly completionGrace: number;
  readonly revealWindow: number;
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
    index: lease.index,
    attempt: lease.attempt,
    status,
    node: getAddress(lease.node),
    hasKey: lease.hasKey,
    maxSeconds: lease.maxSeconds,
    acceptedAt: Number(lease.acceptedAt),
    deadline: Number(lease.deadline),
    startedAt: Number(lease.startedAt),
    lastClaimAt: Number(lease.lastClaimAt),
    lastStep: Number(lease.lastStep),
    checkpointDigest: lease.checkpointDigest,
    stoppedAt: Number(lease.stoppedAt),
    endedAt: Number(lease.endedAt),
    ratePerHour: lease.ratePerHour,
  };
}

/** Until when a running lease's claim is taken; `Infinity` while its gang waits for others and the clock stands. */
export async function readRunDeadline(
  client: PublicClient,
  deployment: Deployment,
  leaseId: Hex,
  block: number,
): Promise<number> {
  const deadline = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "deadlineOf",
    args: [leaseId],
    blockNumber: BigInt(block),
  });
  return deadline === NEVER ? Number.POSITIVE_INFINITY : Number(deadline);
}

/** Until when the claim that a lease's output was not delivered may be answered; 0 where there was none. */
export async function readAnswerUntil(
  client: PublicClient,
  deployment: Deployment,
  leaseId: Hex,
  block: number,
): Promise<number> {
  const { answerUntil } = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "getClaim",
    args: [leaseId],
    blockNumber: BigInt(block),
  });
  return Number(answerUntil);
}

/** The vote of a quorum's replicas. */
export interface BallotState {
  /** Replicas that have neither committed nor been lost. */
  readonly pending: number;
  readonly committed: number;
  readonly revealed: number;
  readonly isTallied: boolean;
  /** Unix seconds, 0 while any replica is pending. */
  readonly revealUntil: number;
  /** k or more have revealed the same. */
  readonly hasWinner: boolean;
}

export async function readBallot(
  client: PublicClient,
  deployment: Deployment,
  taskId: Hex,
  block: number,
): Promise<BallotState> {
  const { winner, revealUntil, ...ballot } = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "getBallot",
    args: [taskId],
    blockNumber: BigInt(block),
  });
  return { ...ballot, revealUntil: Number(revealUntil), hasWinner: BigInt(winner) !== 0n };
}

/** Whether a gang that was wound down was cancelled by its consumer, rather than lost with one of its members. */
export async function readIsCancelled(
  client: PublicClient,
  deployment: Deployment,
  taskId: Hex,
  block: number,
): Promise<boolean> {
  const gang = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "getGang",
    args: [taskId],
    blockNumber: BigInt(block),
  });
  return gang.isCancelled;
}

export async function readTaskTerms(
  client: PublicClient,
  deployment: Deployment,
  taskId: Hex,
): Promise<TaskTerms> {
  const at = { address: deployment.taskRegistry, abi: taskRegistryAbi, args: [taskId] } as const;
  const task = await client.readContract({ ...at, functionName: "getTask" });
  if (task.createdAt === 0n)
    throw new DekuperError("NOT_FOUND", "The chain shows no such task.", { details: { taskId } });
  const terms = await client.readContract({ ...at, functionName: "termsOf" });
  return {
    consumer: getAddress(task.consumer),
    createdAt: Number(task.createdAt),
    specDigest: task.specDigest,
    isGang: isGang({ leases: task.leaseCount, verification: task.verification }),
    isQuorum: isQuorum(task),
    leaseCount: task.leaseCount,
    maxAttempts: task.maxAttempts,
    startWindow: task.startWindow,
    failoverAfter: task.failoverAfter,
    grantWindow: terms.grantWindow,
    replaceWindow: terms.replaceWindow,
    challengeWindow: terms.challengeWindow,
    completionGrace: terms.completionGrace,
    revealWindow: terms.revealWindow,
    outageGrace: terms.outageGrace,
    drift: terms.drift,
    minCheckpointInterval: terms.minCheckpointInterval,
    minRetention: terms.minRetention,
  };
}

/** Several leases that run as one; the replicas of a quorum do not. */
export function isGang({ leases, verification }: Pick<Order, "leases" | "verification">): boolean {
  return leases > 1 && verificationLevels[verification] === "signed";
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
  return at === NEVER ? undefined : Number(at);
}

/** When this node may take over a lease that another has lost, Unix seconds; undefined: never. */
export async function readTakeOverFrom(
  client: PublicClient,
  deployment: Deployment,
  leaseId: Hex,
  node: Address,
): Promise<number | undefined> {
  const at = await client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "takeOverFrom",
    args: [leaseId, node],
  });
  return at === NEVER ? undefined : Number(at);
}

/** Since when the chain holds a node to be offline, Unix seconds; undefined: it does not. */
export async function readOfflineSince(
  client: PublicClient,
  deployment: Deployment,
  node: Address,
): Promise<number | undefined> {
  const since = await client.readContract({
    address: deployment.liveness,
    abi: livenessAbi,
    functionName: "offlineSince",
    args: [node],
  });
  return since === 0n ? undefined : Number(since);
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
