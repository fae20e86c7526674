import {
  type Deployment,
  type Isolation,
  isDekuperError,
  isolationClasses,
  nodeRegistryAbi,
  type Order,
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

/** How the daemon stands at a moment. */
export type NodeState = Pick<
  AcceptFacts,
  "mayAct" | "maySign" | "isStopping" | "diskFull" | "clusterReachable"
>;

/** Open orders looked at in one round. */
const BATCH = 32;
const ACCEPT_TIMEOUT_MS = 120_000;
/** In this version a lease has one attempt. */
const ATTEMPT = 1;
/** Of chain time. */
const PRUNE_SECONDS = 60;

const acceptOf = (taskId: Hex) => ({ name: "acceptTask", args: [taskId] }) as const;

/** Looks at open orders, gets their material and takes those that fit. */
export class Accepter {
  private readonly deps: AccepterDeps;
  private readonly busy = new Map<Hex, Promise<void>>();
  /** Orders that are being taken: a lease and its share of the node each, before the chain says so. */
  private readonly accepting = new Map<Hex, Order>();
  private readonly told = new Map<Hex, string>();
  private prunedAt = 0;
  /** Where the next round begins; undefined: from the oldest. */
  private lookedAtUpTo: Hex | undefined;

  constructor(deps: AccepterDeps) {
    this.deps = deps;
  }

  /** One round over the open orders; slow parts go on in the background. */
  async consider(state: NodeState, signal: AbortSignal): Promise<void> {
    const { store, reader } = this.deps;
    const now = reader.lastReadable?.head.timestamp ?? 0;
    const batch = store.openTasks(now, BATCH, this.lookedAtUpTo);
    this.lookedAtUpTo = batch.length < BATCH ? undefined : batch.at(-1)?.leaseId;
    if (now - this.prunedAt >= PRUNE_SECONDS) this.prune(now);
    const open = batch.filter(({ leaseId }) => !this.busy.has(leaseId));
    if (open.length === 0) return;
    const look = await this.lookAtNode();
    const facts = () => look.facts(state);
    await Promise.all(open.map((task) => this.look(task, facts, now, signal)));
  }

  /** This node as the chain shows it; its facts are those of the moment, with what is being taken by then. */
  async lookAtNode(): Promise<{
    /** Base units. */
    readonly unlockedStake: bigint;
    facts(state: NodeState): AcceptFacts;
  }> {
    const { node, nodes } = this.deps;
    const [entry, stake] = await Promise.all([nodes.read(node), this.stake()]);
    const hasStake = stake.staked >= stake.required;
    return {
      unlockedStake: stake.staked - stake.locked,
      facts: (state) => this.acceptFacts(state, entry, hasStake),
    };
  }

  /** Until nothing goes on in the background any more; the signal of what was begun ends it. */
  async settled(): Promise<void> {
    await Promise.all(this.busy.values());
  }

  /** Forgets orders that are closed or taken: anyone may make more of them than memory holds. */
  private prune(now: number): void {
    const { store, material } = this.deps;
    const isOpen = (leaseId: Hex) => store.isOpen(leaseId, now);
    for (const leaseId of this.told.keys()) if (!isOpen(leaseId)) this.told.delete(leaseId);
    material.forgetUnless(isOpen);
    this.prunedAt = now;
  }

  private async look(
    task: OpenTask,
    facts: () => AcceptFacts,
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { reader, deployment, node, material, log } = this.deps;
    const { leaseId, taskId, order } = task;
    const [admittedAt, isConfirmed] = await Promise.all([
      reader.read((client) => readAdmittedAt(client, deployment, taskId, node)),
      this.isConfirmed(leaseId),
    ]);
    const known = material.of(leaseId);
    const plan = planAccept({ order, admittedAt, isConfirmed, material: known }, facts(), now);
    switch (plan.kind) {
      case "fetch":
        return this.inBackground(leaseId, () => material.fetch(leaseId, order, now, signal));
      case "accept":
        this.accepting.set(leaseId, order); // at once: the next order is judged by what this one leaves
        return this.inBackground(leaseId, () =>
          this.accept(task, signal).finally(() => this.accepting.delete(leaseId)),
        );
      case "wait":
      case "refuse":
        // What was missing is asked for again when its time has come.
        if ("retryAt" in known && known.retryAt !== undefined && known.retryAt <= now)
          material.forget(leaseId);
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
      await queue.submit(acceptOf(taskId), AbortSignal.any([signal, AbortSignal.timeout(ACCEPT_TIMEOUT_MS)]));
      journal.mark(leaseId, ATTEMPT, "accepted");
      this.told.delete(leaseId);
      log.info({ leaseId, taskId }, "task-accepted");
    } catch (error) {
      // Nothing was sent: the contract refused it, or gas or RPCs were missing. What was sent may still be mined, or be
      // turned by a reorg, and is forgotten only once the chain is final on it.
      const wasMined = isDekuperError(error, "TRANSACTION_REVERTED") && error.details.state !== undefined;
      if (!wasMined && !queue.isPending(acceptOf(taskId))) journal.forget(leaseId, ATTEMPT);
      throw error;
    }
  }

  private inBackground(leaseId: Hex, work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) =>
        this.deps.log.info({ leaseId, error: errorFields(error) }, "order-not-taken"),
      )
      .finally(() => this.busy.delete(leaseId));
    this.busy.set(leaseId, done);
  }

  /** Leases that are held or may be: an accept that came to nothing is none. */
  private liveLeases(): number {
    const { journal, queue } = this.deps;
    const held = journal
      .live()
      .filter(({ ended, steps }) => ended === undefined && !steps.has("posted"))
      .filter(({ leaseId, taskId, steps }) => {
        return !this.accepting.has(leaseId) && (steps.has("accepted") || queue.isPending(acceptOf(taskId)));
      });
    return held.length + this.accepting.size;
  }

  /** What the chain says is free, less what is being taken. */
  private free(entry: NodeEntry | undefined): AcceptFacts["available"] {
    const free = { gpus: 0, vCpus: 0, memoryMiB: 0n, ...entry?.available };
    for (const { gpus, vCpus, memoryMiB } of this.accepting.values()) {
      free.gpus -= gpus;
      free.vCpus -= vCpus;
      free.memoryMiB -= memoryMiB;
    }
    return free;
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

  private async stake(): Promise<{ staked: bigint; locked: bigint; required: bigint }> {
    const { reader, deployment, node } = this.deps;
    const at = { address: deployment.nodeRegistry, abi: nodeRegistryAbi, args: [node] } as const;
    const [[staked, locked], required] = await Promise.all([
      reader.read((client) => client.readContract({ ...at, functionName: "stakeOf" })),
      reader.read((client) => client.readContract({ ...at, functionName: "stakeRequired" })),
    ]);
    return { staked, locked, required };
  }

  private acceptFacts(state: NodeState, entry: NodeEntry | undefined, hasStake: boolean): AcceptFacts {
    const { reader, settings } = this.deps;
    const none = { perGpuHour: 0n, perVCpuHour: 0n };
    return {
      ...state,
      evidence: reader.view.evidence,
      holdsLeaderLock: true,
      status: entry?.status,
      hasStake,
      available: this.free(entry),
      storageMiB: entry?.storageMiB ?? 0n,
      gpuModel: entry?.gpuModel ?? "",
      isolation: settings.isolation ?? isolationClasses[entry?.isolation ?? 0] ?? "container",
      posted: entry?.posted ?? none,
      floor: entry?.floor ?? none,
      imageHosts: settings.imageHosts,
      isLocalNetwork: settings.isLocalNetwork,
      hasGasReserve: true, // the queue refuses an accept that the reserve does not allow (rule 31)
      liveLeases: this.liveLeases(),
      maxLeases: settings.maxLeases,
      maxInputBytes: settings.maxInputBytes,
    };
  }
}
