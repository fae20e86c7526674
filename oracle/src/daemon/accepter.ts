import {
  type Deployment,
  type Isolation,
  isDekuperError,
  isolationClasses,
  nodeRegistryAbi,
  type Order,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { Call } from "../chain/calls.ts";
import {
  type LeaseState,
  type NodeEntry,
  readAdmittedAt,
  readLease,
  readTakeOverFrom,
} from "../chain/contracts.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { AttemptJournal } from "../journal/attempts.ts";
import type { FactStore, OrderedLease } from "../journal/facts.ts";
import { type AcceptFacts, type AcceptPlan, planAccept } from "../plan/accept.ts";
import type { Exclusions } from "./exclusions.ts";
import type { MaterialStore } from "./material.ts";
import type { NodeMap } from "./node-map.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

export interface AccepterDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly reader: ChainReader;
  readonly store: FactStore;
  readonly journal: AttemptJournal;
  readonly queue: TransactionQueue;
  readonly nodes: NodeMap;
  readonly material: MaterialStore;
  readonly exclusions: Pick<Exclusions, "isExcluded" | "prune">;
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

/** What may be taken: an order that nobody has, or a lease that its node has lost. */
type Offer = OrderedLease & { readonly kind: "order" | "reopened" };
type TakingCall = Extract<Call, { name: "acceptTask" | "takeOver" }>;

/** Orders, and lost leases, looked at in one round. */
const BATCH = 32;
const TAKE_TIMEOUT_MS = 120_000;
/** Of chain time. */
const PRUNE_SECONDS = 60;

/** An attempt's first is accepted, a later one taken over. */
const takingCall = ({ taskId, leaseId }: { taskId: Hex; leaseId: Hex }, attempt: number): TakingCall =>
  attempt === 1 ? { name: "acceptTask", args: [taskId] } : { name: "takeOver", args: [leaseId] };

/** Looks at open orders and lost leases, gets their material and takes those that fit. */
export class Accepter {
  private readonly deps: AccepterDeps;
  private readonly busy = new Map<Hex, Promise<void>>();
  /** Orders that are being taken: a lease and its share of the node each, before the chain says so. */
  private readonly accepting = new Map<Hex, Order>();
  private readonly told = new Map<Hex, string>();
  private prunedAt = 0;
  /** Where the next round begins; null: from the oldest. */
  private readonly lookedAtUpTo: Record<Offer["kind"], Hex | null> = { order: null, reopened: null };

  constructor(deps: AccepterDeps) {
    this.deps = deps;
  }

  /** One round over what is open; slow parts go on in the background. */
  async consider(state: NodeState, signal: AbortSignal): Promise<void> {
    const now = this.deps.reader.lastReadable?.head.timestamp ?? 0;
    const batch = [...this.batchOf("order", now), ...this.batchOf("reopened", now)];
    if (now - this.prunedAt >= PRUNE_SECONDS) this.prune(now);
    const open = batch.filter(({ leaseId }) => !this.busy.has(leaseId));
    if (open.length === 0) return;
    const look = await this.lookAtNode();
    const facts = () => look.facts(state);
    await Promise.all(
      open.map((offer) =>
        offer.kind === "order"
          ? this.lookAtOrder(offer, facts, now, signal)
          : this.lookAtReopened(offer, facts, now, signal),
      ),
    );
  }

  private batchOf(kind: Offer["kind"], now: number): Offer[] {
    const { store } = this.deps;
    const after = this.lookedAtUpTo[kind];
    const batch =
      kind === "order" ? store.openTasks(now, BATCH, after) : store.reopenedLeases(now, BATCH, after);
    this.lookedAtUpTo[kind] = batch.length < BATCH ? null : (batch.at(-1)?.leaseId ?? null);
    return batch.map((lease) => ({ ...lease, kind }));
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
    const { store, material, exclusions } = this.deps;
    const isOpen = (leaseId: Hex) => store.isOpen(leaseId, now);
    for (const leaseId of this.told.keys()) if (!isOpen(leaseId)) this.told.delete(leaseId);
    material.forgetUnless(isOpen);
    exclusions.prune(isOpen);
    this.prunedAt = now;
  }

  private async lookAtOrder(
    offer: Offer,
    facts: () => AcceptFacts,
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { reader, deployment, node, material } = this.deps;
    const { leaseId, taskId, order } = offer;
    const [admittedAt, isConfirmed] = await Promise.all([
      reader.read((client) => readAdmittedAt(client, deployment, taskId, node)),
      this.isConfirmed(leaseId, 0),
    ]);
    const open = { order, admittedAt, isConfirmed, material: material.of(leaseId) };
    this.follow(planAccept(open, facts(), now), offer, 1, now, signal);
  }

  /** Like an open order, at the lease's own rate, and for any owner but those that have lost it (rule 17). */
  private async lookAtReopened(
    offer: Offer,
    facts: () => AcceptFacts,
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { reader, deployment, node, material, exclusions } = this.deps;
    const { leaseId } = offer;
    const { view } = reader;
    if (view.evidence === "unreadable") return;
    const state = await this.openAt(leaseId, view.head.number);
    if (state === undefined || state.attempt === 0) return;
    const [admittedAt, isConfirmed, isExcluded] = await Promise.all([
      reader.read((client) => readTakeOverFrom(client, deployment, leaseId, node)),
      this.isConfirmed(leaseId, state.attempt),
      exclusions.isExcluded(leaseId, state.attempt),
    ]);
    const order = { ...offer.order, ratePerHour: state.ratePerHour, openUntil: BigInt(state.deadline) };
    const open = { order, admittedAt, isConfirmed, material: material.of(leaseId) };
    const plan: AcceptPlan = isExcluded
      ? { kind: "refuse", reason: "owner-excluded" }
      : planAccept(open, facts(), now);
    this.follow(plan, offer, state.attempt + 1, now, signal);
  }

  private follow(plan: AcceptPlan, offer: Offer, attempt: number, now: number, signal: AbortSignal): void {
    const { material, log } = this.deps;
    const { leaseId, taskId, order } = offer;
    if (plan.kind === "fetch") {
      this.inBackground(leaseId, () => material.fetch(leaseId, offer, now, signal));
      return;
    }
    if (plan.kind === "accept") {
      this.accepting.set(leaseId, order); // at once: the next order is judged by what this one leaves
      this.inBackground(leaseId, () =>
        this.takeLease(offer, attempt, signal).finally(() => this.accepting.delete(leaseId)),
      );
      return;
    }
    // What was missing is asked for again when its time has come.
    const known = material.of(leaseId);
    if ("retryAt" in known && known.retryAt !== undefined && known.retryAt <= now) material.forget(leaseId);
    const said = `${plan.kind}: ${plan.reason}`;
    if (this.told.get(leaseId) !== said)
      log.info({ leaseId, taskId, decision: said }, `${offer.kind}-looked-at`);
    this.told.set(leaseId, said);
  }

  private async takeLease(offer: Offer, attempt: number, signal: AbortSignal): Promise<void> {
    const { journal, queue, log, material, reader } = this.deps;
    const { leaseId, taskId, consumer, order } = offer;
    // Data that nobody retains goes after an hour, and orders may be open for longer.
    const now = reader.lastReadable?.head.timestamp ?? 0;
    await material.hold(leaseId, offer, now + TAKE_TIMEOUT_MS / 1000 + order.startWindow);
    journal.open({ leaseId, attempt, taskId, consumer, order });
    const call = takingCall(offer, attempt);
    try {
      await queue.submit(call, AbortSignal.any([signal, AbortSignal.timeout(TAKE_TIMEOUT_MS)]));
      journal.mark(leaseId, attempt, "accepted");
      this.told.delete(leaseId);
      log.info({ leaseId, taskId, attempt }, attempt === 1 ? "task-accepted" : "lease-taken-over");
    } catch (error) {
      // Nothing was sent: the contract refused it, or gas or RPCs were missing. What was sent may still be mined, or be
      // turned by a reorg, and is forgotten only once the chain is final on it.
      const wasMined = isDekuperError(error, "TRANSACTION_REVERTED") && error.details.state !== undefined;
      if (!wasMined && !queue.isPending(call)) journal.forget(leaseId, attempt);
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
      .filter(({ leaseId, taskId, attempt, steps }) => {
        if (this.accepting.has(leaseId)) return false;
        return steps.has("accepted") || queue.isPending(takingCall({ leaseId, taskId }, attempt));
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

  /** It is open, at this attempt, since `minConfirmations`. */
  private async isConfirmed(leaseId: Hex, attempt: number): Promise<boolean> {
    const { view } = this.deps.reader;
    if (view.evidence === "unreadable") return false;
    return (await this.openAt(leaseId, view.confirmed))?.attempt === attempt;
  }

  private async openAt(leaseId: Hex, block: number): Promise<LeaseState | undefined> {
    const { reader, deployment } = this.deps;
    try {
      const lease = await reader.read((client) => readLease(client, deployment, leaseId, block));
      return lease.status === "Open" ? lease : undefined;
    } catch (error) {
      if (isDekuperError(error, "NOT_FOUND")) return undefined; // younger than that block
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
