import {
  type Deployment,
  type Isolation,
  isDekuperError,
  isolationClasses,
  nodeRegistryAbi,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { type NodeEntry, readAdmittedAt, readLease } from "../chain/contracts.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { AttemptJournal } from "../journal/attempts.ts";
import type { FactStore, OpenTask } from "../journal/facts.ts";
import { type AcceptFacts, planAccept } from "../plan/accept.ts";
import type { MaterialStore } from "./material.ts";
import type { NodeMap } from "./node-map.ts";
import { errorFields, type OracleLog } from "./reconciler.ts";

export interface AccepterDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly reader: ChainReader;
  readonly store: FactStore;
  readonly journal: AttemptJournal;
  readonly queue: TransactionQueue;
  readonly nodes: NodeMap;
  readonly material: MaterialStore;
  readonly log: OracleLog;
  readonly settings: {
    readonly isLocalNetwork: boolean;
    readonly imageHosts: readonly string[];
    readonly maxLeases: number;
    readonly maxInputBytes: number;
    readonly isolation?: Isolation | undefined;
  };
}

type NodeState = Pick<AcceptFacts, "mayAct" | "maySign" | "isStopping" | "diskFull" | "clusterReachable">;

/** Open orders looked at in one round. */
const BATCH = 32;
const ACCEPT_TIMEOUT_MS = 120_000;
/** In this version a lease has one attempt. */
const ATTEMPT = 1;

/** Looks at open orders, gets their material and takes those that fit. */
export class Accepter {
  private readonly deps: AccepterDeps;
  private readonly busy = new Set<Hex>();
  private readonly told = new Map<Hex, string>();
  /** Where the next round begins; undefined: from the oldest. */
  private lookedAtUpTo: Hex | undefined;

  constructor(deps: AccepterDeps) {
    this.deps = deps;
  }

  /** One round over the open orders; slow parts go on in the background. */
  async consider(state: NodeState, signal: AbortSignal): Promise<void> {
    const { store, reader, node, nodes } = this.deps;
    const now = reader.lastReadable?.head.timestamp ?? 0;
    const batch = store.openTasks(now, BATCH, this.lookedAtUpTo);
    this.lookedAtUpTo = batch.length < BATCH ? undefined : batch.at(-1)?.leaseId;
    const open = batch.filter(({ leaseId }) => !this.busy.has(leaseId));
    if (open.length === 0) return;
    const [entry, hasStake] = await Promise.all([nodes.read(node), this.hasStake()]);
    const facts = this.acceptFacts(state, entry, hasStake);
    await Promise.all(open.map((task) => this.look(task, facts, now, signal)));
  }

  private async look(task: OpenTask, facts: AcceptFacts, now: number, signal: AbortSignal): Promise<void> {
    const { reader, deployment, node, material, log } = this.deps;
    const { leaseId, taskId, order } = task;
    const [admittedAt, isConfirmed] = await Promise.all([
      reader.read((client) => readAdmittedAt(client, deployment, taskId, node)),
      this.isConfirmed(leaseId),
    ]);
    const plan = planAccept({ order, admittedAt, isConfirmed, material: material.of(leaseId) }, facts, now);
    switch (plan.kind) {
      case "fetch":
        return this.inBackground(leaseId, () => material.fetch(leaseId, order, now, signal));
      case "accept":
        return this.inBackground(leaseId, () => this.accept(task, signal));
      case "wait":
        // What was missing is asked for again when its time has come.
        if (plan.reason === "spec-not-found" && plan.lookAgainAt <= now) material.forget(leaseId);
        break;
      case "refuse":
        break;
    }
    const said = `${plan.kind}: ${plan.reason}`;
    if (this.told.get(leaseId) !== said) log.info({ leaseId, taskId, decision: said }, "order-looked-at");
    this.told.set(leaseId, said);
  }

  private async accept(task: OpenTask, signal: AbortSignal): Promise<void> {
    const { journal, queue, log, material, reader } = this.deps;
    const { leaseId, taskId, consumer, order } = task;
    // Data that nobody retains goes after an hour, and orders may be open for longer.
    const now = reader.lastReadable?.head.timestamp ?? 0;
    await material.hold(leaseId, order, now + ACCEPT_TIMEOUT_MS / 1000 + order.startWindow);
    journal.open({ leaseId, attempt: ATTEMPT, taskId, consumer, order });
    try {
      await queue.submit(
        { name: "acceptTask", args: [taskId] },
        AbortSignal.any([signal, AbortSignal.timeout(ACCEPT_TIMEOUT_MS)]),
      );
      journal.mark(leaseId, ATTEMPT, "accepted");
      this.told.delete(leaseId);
      log.info({ leaseId, taskId }, "task-accepted");
    } catch (error) {
      // Refused for good by the contract: somebody else was first, as a rule. A timeout leaves it in the queue.
      if (isDekuperError(error, "TRANSACTION_REVERTED")) journal.forget(leaseId, ATTEMPT);
      throw error;
    }
  }

  private inBackground(leaseId: Hex, work: () => Promise<void>): void {
    this.busy.add(leaseId);
    work()
      .catch((error: unknown) =>
        this.deps.log.info({ leaseId, error: errorFields(error) }, "order-not-taken"),
      )
      .finally(() => this.busy.delete(leaseId));
  }

  private async isConfirmed(leaseId: Hex): Promise<boolean> {
    const { reader, deployment } = this.deps;
    const { view } = reader;
    if (view.evidence === "unreadable") return false;
    try {
      const lease = await reader.read((client) => readLease(client, deployment, leaseId, view.confirmed));
      return lease.status === "Open";
    } catch (error) {
      if (isDekuperError(error, "NOT_FOUND")) return false; // younger than minConfirmations
      throw error;
    }
  }

  private async hasStake(): Promise<boolean> {
    const { reader, deployment, node } = this.deps;
    const at = { address: deployment.nodeRegistry, abi: nodeRegistryAbi, args: [node] } as const;
    const [[staked], required] = await Promise.all([
      reader.read((client) => client.readContract({ ...at, functionName: "stakeOf" })),
      reader.read((client) => client.readContract({ ...at, functionName: "stakeRequired" })),
    ]);
    return staked >= required;
  }

  private acceptFacts(state: NodeState, entry: NodeEntry | undefined, hasStake: boolean): AcceptFacts {
    const { reader, journal, settings } = this.deps;
    const none = { perGpuHour: 0n, perVCpuHour: 0n };
    return {
      ...state,
      evidence: reader.view.evidence,
      holdsLeaderLock: true,
      status: entry?.status,
      hasStake,
      available: entry?.available ?? { gpus: 0, vCpus: 0, memoryMiB: 0n },
      storageMiB: entry?.storageMiB ?? 0n,
      gpuModel: entry?.gpuModel ?? "",
      isolation: settings.isolation ?? isolationClasses[entry?.isolation ?? 0] ?? "container",
      posted: entry?.posted ?? none,
      floor: entry?.floor ?? none,
      imageHosts: settings.imageHosts,
      isLocalNetwork: settings.isLocalNetwork,
      hasGasReserve: true, // the queue refuses an accept that the reserve does not allow (rule 31)
      liveLeases: journal.live().filter(({ ended, steps }) => ended === undefined && !steps.has("posted"))
        .length,
      maxLeases: settings.maxLeases,
      maxInputBytes: settings.maxInputBytes,
    };
  }
}
