import {
  DekuperError,
  type Isolation,
  isolationClasses,
  isQuorum,
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
import {
  type LeaseDeadline,
  type LeaseState,
  leaseDeadlineOf,
  leaseStateOf,
  taskStateOf,
} from "../lease-state.ts";
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
  readonly grantWindow: number;
  readonly replaceWindow: number;
  readonly gangFaultWindow: number;
  readonly minRun: number;
  readonly standbyBps: number;
  /** Seconds that a node has to answer a delivery claim, and base units that the claim puts at risk. */
  readonly answerWindow: number;
  readonly claimBond: bigint;
}

/** A task as the chain holds it. */
export interface TaskFacts {
  readonly taskId: Hex;
  readonly consumer: Address;
  readonly createdAt: bigint;
  readonly maxDuration: number;
  /** Seconds reserved for so far, of each lease. */
  readonly fundedSeconds: number;
  readonly openUntil: bigint;
  readonly startWindow: number;
  /** Seconds offline after which another node may have a lease. */
  readonly failoverAfter: number;
  /** Of one lease: paid on the open path, the most that a quote might ask on the quoted. */
  readonly ratePerHour: bigint;
  readonly isolation: Isolation;
  /** Of one lease, as the storage is. */
  readonly capacity: { readonly gpus: number; readonly vCpus: number; readonly memoryMiB: bigint };
  readonly storageMiB: bigint;
  readonly leaseCount: number;
  /** Index into `verificationLevels`. */
  readonly verification: number;
  /** How many replicas of a quorum must agree, else 0. */
  readonly threshold: number;
  readonly maxAttempts: number;
  readonly isPrivate: boolean;
  readonly specDigest: Hex;
  readonly terms: Terms;
}

/** A lease as the chain holds it, with what that amounts to. Times in Unix seconds, 0 where not yet. */
export interface LeaseFacts {
  readonly leaseId: Hex;
  readonly taskId: Hex;
  /** Its member of the gang, from 0. */
  readonly index: number;
  /** Counts up from 1 at each assignment. */
  readonly attempt: number;
  readonly status: LeaseStatus;
  readonly state: LeaseState;
  /** Until when who may act; undefined where nobody must. */
  readonly due: LeaseDeadline | undefined;
  /** Undefined while nobody has it. */
  readonly node: Address | undefined;
  readonly hasKey: boolean;
  readonly ratePerHour: bigint;
  /** Seconds that this attempt may bill. */
  readonly maxSeconds: number;
  readonly acceptedAt: bigint;
  /** Of the status, as the contract keeps it; see `due`. */
  readonly deadline: bigint;
  readonly startedAt: bigint;
  readonly lastClaimAt: bigint;
  readonly lastStep: bigint;
  readonly checkpointDigest: Hex;
  readonly stoppedAt: bigint;
  readonly endedAt: bigint;
  /** Of this attempt: paid for, and taken off because its node was offline. */
  readonly billedSeconds: bigint;
  readonly downSeconds: bigint;
  readonly reserved: bigint;
  readonly lock: bigint;
  readonly attestationDigest: Hex;
  /** While Disputed: the claim that waits for its answer. */
  readonly claim?: DeliveryClaimFacts | undefined;
}

/** The consumer's claim that an output was not delivered. Times in Unix seconds. */
export interface DeliveryClaimFacts {
  readonly claimedAt: bigint;
  readonly answerUntil: bigint;
  /** Base units. */
  readonly bond: bigint;
}

/** The common clock of a task with several leases. Times in Unix seconds, 0 where not yet. */
export interface GangFacts {
  readonly firstFrom: bigint;
  readonly firstTo: bigint;
  readonly secondFrom: bigint;
  readonly secondTo: bigint;
  /** Until when the members wait for a replacement, 0: none is looked for. */
  readonly replaceUntil: bigint;
  readonly stoppedAt: bigint;
  /** Members whose run has not ended, and how many of them run. */
  readonly live: number;
  readonly running: number;
  readonly isOver: boolean;
  readonly isCancelled: boolean;
}

/** The vote of a quorum's replicas. */
export interface BallotFacts {
  /** Replicas that have neither committed nor been lost. */
  readonly pending: number;
  readonly committed: number;
  readonly revealed: number;
  readonly isTallied: boolean;
  /** Unix seconds, 0 while any replica is pending. */
  readonly revealUntil: bigint;
  /** Enough of the results are alike. */
  readonly hasWinner: boolean;
}

/** A task with its leases. */
export interface TaskSummary {
  readonly task: TaskFacts;
  /** By index. */
  readonly leases: readonly LeaseFacts[];
  /** The one that was asked for by its id, else the first. */
  readonly lease: LeaseFacts;
  /** What the leases together amount to. */
  readonly state: LeaseState;
  /** Where the task has several leases that run as one. */
  readonly gang: GangFacts | undefined;
  /** Where the leases are replicas of a quorum. */
  readonly ballot: BallotFacts | undefined;
  /** Known where it was found by its creation. */
  readonly order?: Order;
}

/** A task by its own id or one of its leases', as of a block or the newest; `NOT_FOUND` otherwise. */
export async function readTask(
  client: PublicClient,
  network: Network,
  id: Hex,
  blockNumber?: bigint,
): Promise<TaskSummary> {
  const at = blockNumber === undefined ? {} : { blockNumber };
  const contract = { address: network.deployment.taskRegistry, abi: taskRegistryAbi, ...at } as const;
  const read = {
    task: (taskId: Hex) => client.readContract({ ...contract, functionName: "getTask", args: [taskId] }),
    lease: (leaseId: Hex) => client.readContract({ ...contract, functionName: "getLease", args: [leaseId] }),
    terms: (taskId: Hex) => client.readContract({ ...contract, functionName: "termsOf", args: [taskId] }),
    claim: (leaseId: Hex) => client.readContract({ ...contract, functionName: "getClaim", args: [leaseId] }),
    gang: (taskId: Hex) => client.readContract({ ...contract, functionName: "getGang", args: [taskId] }),
    ballot: async (taskId: Hex): Promise<BallotFacts> => {
      const { winner, ...ballot } = await client.readContract({
        ...contract,
        functionName: "getBallot",
        args: [taskId],
      });
      return { ...ballot, hasWinner: BigInt(winner) !== 0n };
    },
  };
  try {
    const [asTask, asLease] = await Promise.all([read.task(id), read.lease(id)]);
    const isLease = asTask.consumer === zeroAddress && asLease.status !== 0;
    if (asTask.consumer === zeroAddress && !isLease) throw notFound(id);
    const taskId = isLease ? asLease.taskId : id;
    const raw = isLease ? await read.task(taskId) : asTask;
    const ids = Array.from({ length: raw.leaseCount }, (_, index) => leaseIdOf(taskId, index));
    const isGang = ids.length > 1 && !isQuorum(raw);
    const [terms, gang, ballot, ...rawLeases] = await Promise.all([
      read.terms(taskId),
      isGang ? read.gang(taskId) : undefined,
      isQuorum(raw) ? read.ballot(taskId) : undefined,
      ...ids.map((leaseId) => (leaseId === id ? asLease : read.lease(leaseId))),
    ]);
    const task: TaskFacts = {
      ...raw,
      taskId,
      terms,
      isolation: isolationClasses[raw.isolation] ?? "container",
    };
    const claims = await Promise.all(
      rawLeases.map(({ status }, index) =>
        leaseStatuses[status] === "Disputed" ? read.claim(ids[index] ?? id) : undefined,
      ),
    );
    const leases = rawLeases.map((lease, index): LeaseFacts => {
      const stated = { ...lease, leaseId: ids[index] ?? id, status: leaseStatuses[lease.status] ?? "None" };
      const state = leaseStateOf(stated, gang);
      const claim = claims[index];
      return {
        ...stated,
        state,
        ...(claim === undefined ? {} : { claim }),
        due: leaseDeadlineOf(task, { ...stated, state, claim }, gang, ballot),
        node: lease.node === zeroAddress ? undefined : lease.node,
      };
    });
    const lease = leases.find(({ leaseId }) => leaseId === id) ?? leases[0];
    if (lease === undefined) throw notFound(id);
    return { task, leases, lease, state: taskStateOf(leases), gang, ballot };
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

/** Tasks of which a node has had a lease, newest first, each with the lease that it had last. */
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
  const leaseOf = new Map(logs.map((log) => [log.topics[2] as Hex, log.topics[1] as Hex]));
  return (await Promise.all([...leaseOf.values()].map((id) => readTask(client, network, id)))).reverse();
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
