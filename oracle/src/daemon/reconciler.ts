import { type DekuperError, type Deployment, isDekuperError } from "@dekuper/protocol";
import type { Address } from "viem";
import { followLogs } from "../chain/follow.ts";
import type { StandstillWatch } from "../chain/standstill.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import type { NodeFacts } from "../plan/facts.ts";
import type { Accepter, NodeState } from "./accepter.ts";
import { Assignments } from "./assignments.ts";
import { type ClusterLook, ClusterView } from "./cluster-view.ts";
import { LeaseLoop, type LeaseLoopDeps } from "./lease-loop.ts";
import type { NodeMap } from "./node-map.ts";
import { errorFields } from "./oracle-log.ts";
import type { VerdictDesk } from "./verdict-desk.ts";
import type { Watch } from "./watch.ts";

export interface ReconcilerDeps extends LeaseLoopDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly queue: TransactionQueue;
  readonly standstill: StandstillWatch;
  readonly driver: ClusterDriver;
  readonly nodes: NodeMap;
  readonly accepter: Accepter;
  readonly watch: Pick<Watch, "round">;
  readonly verdicts: Pick<VerdictDesk, "round" | "settled">;
  readonly settings: {
    readonly pollMs: number;
    readonly range: number;
    readonly adopt: boolean;
    readonly claimInterval: number;
    readonly keepFinishedPods: boolean;
  };
  /** `CHAIN_CHANGED` and the like: the daemon must end. */
  readonly onFatal: (error: DekuperError) => void;
}

const NODES_EVERY_MS = 30_000;
const DISK_RETRY_MS = 10_000;

/**
 * The level-triggered loop: looks at chain and cluster, plans each lease, takes the next safe step. Hints wake it early; a timer
 * wakes it anyway. One lease's slow step never holds up another's.
 */
export class Reconciler {
  private readonly deps: ReconcilerDeps;
  private readonly leases: LeaseLoop;
  private readonly assignments: Assignments;
  private readonly cluster: ClusterView;
  private seen: ClusterLook | undefined;
  private wake: (() => void) | undefined;
  private nodesReadAt = 0;
  /** A full disk is believed for a while, then tried again. */
  private diskFullUntil = 0;
  maySign = true;
  isStopping = false;
  problem: string | undefined = "starting";

  constructor(deps: ReconcilerDeps) {
    this.deps = deps;
    this.cluster = new ClusterView(deps.driver, deps.clock);
    this.assignments = new Assignments({ ...deps, adopt: deps.settings.adopt });
    this.leases = new LeaseLoop(deps, {
      nodeFacts: () => this.nodeFacts(),
      onStepEnded: (error) => {
        this.noteDisk(error);
        this.cluster.changed();
        this.wake?.();
      },
    });
  }

  get clusterReachable(): boolean {
    return this.seen !== undefined;
  }
  get diskFull(): boolean {
    return this.deps.clock.now() < this.diskFullUntil;
  }
  get readOnly(): boolean {
    return !this.assignments.mayAct;
  }

  async run(signal: AbortSignal): Promise<void> {
    const offHint = this.deps.driver.onHint(() => {
      this.cluster.changed();
      this.wake?.();
    });
    try {
      while (!signal.aborted) {
        try {
          await this.tick(signal);
        } catch (error) {
          this.failed(error, signal);
        }
        await this.sleep(signal);
      }
    } finally {
      offHint();
      const { accepter, verdicts } = this.deps;
      await Promise.allSettled([this.leases.settled(), accepter.settled(), verdicts.settled()]);
    }
  }

  private async tick(signal: AbortSignal): Promise<void> {
    const { reader, queue, metrics, standstill } = this.deps;
    const [view, seen] = await Promise.all([reader.look(), this.cluster.look(signal)]);
    this.seen = seen;
    metrics.readable.set(view.evidence === "readable" ? 1 : 0);
    metrics.clusterReachable.set(seen === undefined ? 0 : 1);
    this.problem =
      view.evidence === "unreadable"
        ? `chain: ${view.reason}`
        : seen === undefined
          ? "cluster-unreachable"
          : undefined;
    if (view.evidence === "readable") {
      metrics.headBlock.set(view.head.number);
      try {
        // What was sent is looked after whether or not events can be read: steps wait for it.
        const unread = await this.follow(signal).then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
        if (isDekuperError(unread?.error, "CHAIN_CHANGED")) throw unread.error;
        await queue.poll();
        if (unread !== undefined) throw unread.error;
        const standing = await standstill.check();
        if (standing !== undefined) this.problem = standing.message;
        this.assignments.meet();
      } catch (error) {
        // Leases rest on what the chain says now, not on its events: they go on, once the journal has been checked.
        if (!this.assignments.wasChecked) throw error;
        this.failed(error, signal);
      }
    }
    await this.leases.round(seen, signal);
    if (view.evidence === "readable") {
      await this.deps.accepter.consider(this.nodeState(), signal);
      await this.deps.watch.round(this.nodeState(), signal);
      this.deps.verdicts.round(this.nodeState(), signal);
    }
    metrics.refusedCalls.set(queue.backingOff);
    metrics.pendingTransactions.set(queue.pending);
  }

  /** Records facts and cursor; a node's event has the map read again. */
  private async follow(signal: AbortSignal): Promise<void> {
    const { reader, store, deployment, nodes, clock, settings, log } = this.deps;
    let mapChanged = clock.now() - this.nodesReadAt > NODES_EVERY_MS;
    for await (const item of followLogs({ reader, store, deployment, range: settings.range, signal })) {
      if (item.kind === "reorged") {
        log.warn({ toBlock: item.toBlock }, "chain-reorged");
        store.rewind(item.toBlock);
        mapChanged = true;
        continue;
      }
      store.record(item.facts, item.block);
      mapChanged ||= item.facts.some(({ kind }) => kind === "node");
    }
    if (!mapChanged) return;
    await nodes.refresh();
    this.nodesReadAt = clock.now();
  }

  private nodeFacts(): NodeFacts {
    const { claimInterval, keepFinishedPods } = this.deps.settings;
    return {
      mayAct: this.assignments.mayAct,
      maySign: this.maySign,
      diskFull: this.diskFull,
      claimInterval,
      keepFinishedPods,
    };
  }

  /** How the daemon stands at this moment. */
  nodeState(): NodeState {
    return {
      mayAct: this.assignments.mayAct && this.assignments.wasChecked,
      maySign: this.maySign,
      isStopping: this.isStopping,
      diskFull: this.diskFull,
      clusterReachable: this.clusterReachable,
    };
  }

  private noteDisk(error: unknown): void {
    if (!isDekuperError(error, "DISK_FULL")) return;
    this.diskFullUntil = this.deps.clock.now() + DISK_RETRY_MS;
    this.deps.log.error({ code: error.code, hint: error.hint }, "disk-full");
  }

  private failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (isDekuperError(error, "CHAIN_CHANGED")) this.deps.onFatal(error);
    this.noteDisk(error);
    this.problem = error instanceof Error ? error.message : String(error);
    this.deps.log.warn({ error: errorFields(error) }, "look-failed");
  }

  /** Until the timer, or a hint. */
  private async sleep(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.wake = () => woken.abort();
    await this.deps.clock.sleep(this.deps.settings.pollMs, AbortSignal.any([signal, woken.signal]));
    this.wake = undefined;
  }
}
