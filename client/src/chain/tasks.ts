import {
  DekuperError,
  type Isolation,
  isolationClasses,
  type LeaseStatus,
  leaseId as leaseIdOf,
  leaseStatuses,
  type Network,
  type Order,
  taskRegistryAbi,
} from "@dekuper/protocol";
import {
  type Address,
  decodeEventLog,
  type Hex,
  type PublicClient,
  pad,
  toEventSelector,
  zeroAddress,
} from "viem";
import { getAbiItem } from "viem/utils";
import { chainError } from "./errors.ts";
import { getLogsInRanges } from "./logs.ts";

/** Terms that an order keeps from its creation. Seconds, basis points, base units. */
export interface Terms {
  readonly challengeWindow: number;
  readonly completionGrace: number;
  readonly outageGrace: number;
  readonly drift: number;
  readonly minBilled: number;
  readonly minCheckpointInterval: number;
  readonly minRetention: number;
  readonly feeBps: number;
  readonly lockBps: number;
  readonly minLock: bigint;
  readonly ticketAge: number;
  readonly widenTime: number;
  readonly firstShareBps: number;
}

/** A task as the chain holds it. */
export interface TaskFacts {
  readonly taskId: Hex;
  readonly consumer: Address;
  readonly createdAt: bigint;
  readonly maxDuration: number;
  readonly openUntil: bigint;
  readonly startWindow: number;
  readonly ratePerHour: bigint;
  readonly isolation: Isolation;
  readonly capacity: { readonly gpus: number; readonly vCpus: number; readonly memoryMiB: bigint };
  readonly storageMiB: bigint;
  readonly orderHash: Hex;
  readonly specDigest: Hex;
  readonly terms: Terms;
}

/** A lease as the chain holds it. Times in Unix seconds, 0 where not yet. */
export interface LeaseFacts {
  readonly leaseId: Hex;
  readonly taskId: Hex;
  readonly index: number;
  readonly attempt: number;
  readonly status: LeaseStatus;
  /** Undefined while nobody has accepted. */
  readonly node: Address | undefined;
  readonly acceptedAt: bigint;
  readonly startDeadline: bigint;
  readonly startedAt: bigint;
  readonly lastClaimAt: bigint;
  readonly lastStep: bigint;
  readonly stoppedAt: bigint;
  readonly endedAt: bigint;
  readonly challengeEndsAt: bigint;
  readonly billedSeconds: bigint;
  readonly reserved: bigint;
  readonly lock: bigint;
  readonly attestationDigest: Hex;
  readonly outputDigest: Hex;
}

/** A task with its (one) lease. */
export interface TaskSummary {
  readonly task: TaskFacts;
  readonly lease: LeaseFacts;
  /** Known where it was found by its creation. */
  readonly order?: Order;
}

/** A task by its own id or its lease's; `NOT_FOUND` otherwise. */
export async function readTask(client: PublicClient, network: Network, id: Hex): Promise<TaskSummary> {
  const contract = { address: network.deployment.taskRegistry, abi: taskRegistryAbi } as const;
  try {
    const [asTask, asLease] = await Promise.all([
      client.readContract({ ...contract, functionName: "getTask", args: [id] }),
      client.readContract({ ...contract, functionName: "getLease", args: [id] }),
    ]);
    const isLease = asTask.consumer === zeroAddress && asLease.status !== 0;
    if (asTask.consumer === zeroAddress && !isLease) throw notFound(id);
    const taskId = isLease ? asLease.taskId : id;
    const leaseId = isLease ? id : leaseIdOf(id, 0);
    const [task, lease] = isLease
      ? [await client.readContract({ ...contract, functionName: "getTask", args: [taskId] }), asLease]
      : [asTask, await client.readContract({ ...contract, functionName: "getLease", args: [leaseId] })];
    return {
      task: {
        ...task,
        taskId,
        isolation: isolationClasses[task.isolation] ?? "container",
      },
      lease: {
        ...lease,
        leaseId,
        status: leaseStatuses[lease.status] ?? "None",
        node: lease.node === zeroAddress ? undefined : lease.node,
      },
    };
  } catch (cause) {
    throw chainError(cause, "read the task", network);
  }
}

/** Tasks of a consumer, newest first, by the logs of their creation. */
export async function readTasksOf(
  client: PublicClient,
  network: Network,
  consumer: Address,
): Promise<TaskSummary[]> {
  const created = getAbiItem({ abi: taskRegistryAbi, name: "TaskCreated" });
  const logs = await logsFromDeployment(client, network, [
    toEventSelector(created),
    undefined,
    pad(consumer),
  ]);
  const tasks = await Promise.all(
    logs.map(async (log) => {
      const { args } = decodeEventLog({
        abi: [created],
        data: log.data,
        topics: log.topics as [Hex, ...Hex[]],
      });
      return { ...(await readTask(client, network, args.taskId)), order: args.order };
    }),
  );
  return tasks.reverse();
}

/** Tasks that a node has accepted, newest first. */
export async function readTasksOfNode(
  client: PublicClient,
  network: Network,
  node: Address,
): Promise<TaskSummary[]> {
  const assigned = getAbiItem({ abi: taskRegistryAbi, name: "LeaseAssigned" });
  const logs = await logsFromDeployment(client, network, [
    toEventSelector(assigned),
    undefined,
    undefined,
    pad(node),
  ]);
  const ids = logs.map((log) => log.topics[2] as Hex);
  return (await Promise.all(ids.map((id) => readTask(client, network, id)))).reverse();
}

async function logsFromDeployment(
  client: PublicClient,
  network: Network,
  topics: readonly (Hex | undefined)[],
) {
  const { deployment } = network;
  const toBlock = await client.getBlockNumber().catch((cause) => {
    throw chainError(cause, "read the head", network);
  });
  return getLogsInRanges(client, network, {
    address: [deployment.taskRegistry],
    filters: [topics],
    fromBlock: BigInt(deployment.deploymentBlock),
    toBlock,
  });
}

function notFound(id: Hex): DekuperError {
  return new DekuperError("NOT_FOUND", `There is no task or lease ${id}.`, { details: { id } });
}
