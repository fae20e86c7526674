import { type DekuperError, type Deployment, isDekuperError } from "@dekuper/protocol";
import type { Address } from "viem";
import type { Clock } from "../chain/clock.ts";
import { followLogs } from "../chain/follow.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { StandstillWatch } from "../chain/standstill.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { AttemptObservation, ClusterDriver } from "../cluster/driver.ts";
import type { AttemptJournal, AttemptRecord } from "../journal/attempts.ts";
import type { FactStore } from "../journal/facts.ts";
import type { NodeFacts } from "../plan/facts.ts";
import { planLease } from "../plan/lease.ts";
import type { Plan } from "../plan/plan.ts";
import type { Accepter, NodeState } from "./accepter.ts";
import { type ClusterLook, ClusterView } from "./cluster-view.ts";
import type { LeaseActions } from "./lease-actions.ts";
import { clusterFacts, journalFacts, type LeaseFactReader } from "./lease-facts.ts";
import type { LogCapture } from "./log-capture.ts";
import type { Metrics } from "./metrics.ts";
import type { NodeMap } from "./node-map.ts";

export interface OracleLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

export interface ReconcilerDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly reader: ChainReader;
  readonly store: FactStore;
  readonly journal: AttemptJournal;
  readonly queue: TransactionQueue;
  readonly standstill: StandstillWatch;
  readonly driver: ClusterDriver;
  readonly nodes: NodeMap;
  readonly facts: LeaseFactReader;
  readonly actions: LeaseActions;
  readonly accepter: Accepter;
  readonly logs: LogCapture;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: OracleLog;
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

const ACTION_TIMEOUT_MS = 10 * 60_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
const NODES_EVERY_MS = 30_000;
const DISK_RETRY_MS = 10_000;

/**
 * The level-triggered loop: looks at chain and cluster, plans each lease, takes the next safe step. Hints wake it early; a timer
 * wakes it anyway. One lease's slow step never holds up another's.
 */
export class Reconciler {
  private readonly deps: ReconcilerDeps;
  private readonly busy = new Map<string, Promise<void>>();
  private readonly retryAt = new Map<string, { at: number; delay: number }>();
  private readonly missingSince = new Map<string, number>();
  private readonly cluster: ClusterView;
  private seen: ClusterLook | undefined;
  private wake: (() => void) | undefined;
  private nodesReadAt = 0;
  private firstLookDone = false;
  private mayAct = true;
  /** A full disk is believed for a while, then tried again. */
  private diskFullUntil = 0;
  maySign = true;
  isStopping = false;
  problem: string | undefined = "starting";

  constructor(deps: ReconcilerDeps) {
    this.deps = deps;
    this.cluster = new ClusterView(deps.driver, deps.clock);
  }

  get clusterReachable(): boolean {
    return this.seen !== undefined;
  }
  get diskFull(): boolean {
    return this.deps.clock.now() < this.diskFullUntil;
  }
  get readOnly(): boolean {
    return !this.mayAct;
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
      await Promise.allSettled([...this.busy.values(), this.deps.accepter.settled()]);
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
        if (!this.firstLookDone) this.checkJournal();
      } catch (error) {
        // Leases rest on what the chain says now, not on its events: they go on, once the journal has been checked.
        if (!this.firstLookDone) throw error;
        this.failed(error, signal);
      }
    }
    await this.reconcileLeases(signal);
    if (view.evidence === "readable") await this.deps.accepter.consider(this.nodeState(), signal);
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

  /** Rule 32: an empty journal that meets live leases of its key does nothing until it is told to adopt them. */
  private checkJournal(): void {
    const { journal, store, node, settings, log } = this.deps;
    this.firstLookDone = true;
    const unknown = store
      .assignedTo(node)
      .filter(({ leaseId, attempt }) => journal.find(leaseId, attempt) === undefined);
    if (unknown.length === 0) return;
    if (!settings.adopt) {
      this.mayAct = !journal.isEmpty();
      log.error(
        { leases: unknown.map(({ leaseId }) => leaseId), code: "JOURNAL_EMPTY" },
        "unknown-leases-on-chain",
      );
      return;
    }
    for (const { leaseId, attempt } of unknown) {
      const task = store.task(leaseId);
      if (task !== undefined) journal.open({ ...task, attempt, adopted: true });
    }
  }

  private async reconcileLeases(signal: AbortSignal): Promise<void> {
    const records = this.deps.journal.live();
    this.deps.metrics.leases.set(records.length);
    await Promise.all(records.map((record) => this.reconcile(record, signal)));
  }

  private async reconcile(record: AttemptRecord, signal: AbortSignal): Promise<void> {
    const key = `${record.leaseId}:${record.attempt}`;
    const { facts, journal, reader, clock, logs, actions, log } = this.deps;
    if (this.busy.has(key) || (this.retryAt.get(key)?.at ?? 0) > clock.now()) return;
    const view = await facts.read(record);
    if (view === undefined) return;
    const lease = view.facts;
    if (!lease.isMine && !record.steps.has("accepted"))
      return this.forgetUnaccepted(record, lease.status, lease.isFinallyOver);
    if (lease.isMine) journal.mark(record.leaseId, record.attempt, "accepted");
    const isOver = lease.status !== "Completed" && lease.isFinallyOver && lease.evidence === "readable";
    if (isOver && record.ended === undefined)
      journal.recordEnded(record.leaseId, record.attempt, lease.status);

    const observation = this.seen?.observations.find(
      ({ leaseId, attempt }) => leaseId === record.leaseId && attempt === record.attempt,
    );
    if (observation?.podUid !== undefined) journal.mark(record.leaseId, record.attempt, "pod_seen");
    if (observation?.stage === "running") logs.follow(actions.refOf(record), signal);
    const fresh = journal.find(record.leaseId, record.attempt) ?? record;
    const now = reader.lastReadable?.head.timestamp ?? 0;
    const plan = planLease(
      {
        lease,
        cluster:
          this.seen === undefined
            ? { isReachable: false }
            : clusterFacts(observation, this.missing(key, observation, this.seen), inSeconds(this.seen)),
        journal: journalFacts(fresh),
        node: this.nodeFacts(),
      },
      now,
    );
    log.debug(
      { leaseId: record.leaseId, status: lease.status, stage: observation?.stage, plan: describe(plan) },
      "planned",
    );
    if (plan.kind === "done") {
      facts.forget(fresh);
      journal.mark(record.leaseId, record.attempt, "torn_down");
    }
    if (plan.kind !== "act") return;
    const { action } = plan;
    const work = this.takeAction(
      key,
      action.kind,
      () =>
        actions.take(
          action,
          { record: fresh, view, observation },
          AbortSignal.any([signal, AbortSignal.timeout(ACTION_TIMEOUT_MS)]),
        ),
      record,
    );
    this.busy.set(key, work);
  }

  private async takeAction(
    key: string,
    kind: string,
    work: () => Promise<void>,
    record: AttemptRecord,
  ): Promise<void> {
    const { metrics, clock, log } = this.deps;
    const end = metrics.actionSeconds.startTimer({ action: kind });
    try {
      await work();
      this.retryAt.delete(key);
      metrics.actions.inc({ action: kind, result: "ok" });
      log.info({ leaseId: record.leaseId, attempt: record.attempt, action: kind }, "step-taken");
    } catch (error) {
      metrics.actions.inc({ action: kind, result: "failed" });
      this.noteDisk(error);
      const delay = Math.min(MAX_RETRY_MS, (this.retryAt.get(key)?.delay ?? RETRY_MS / 2) * 2);
      this.retryAt.set(key, { at: clock.now() + delay, delay });
      log.warn(
        { leaseId: record.leaseId, action: kind, error: errorFields(error), retryInMs: delay },
        "step-failed",
      );
    } finally {
      end();
      this.busy.delete(key);
      this.cluster.changed();
      this.wake?.();
    }
  }

  /** An accept that came to nothing leaves no trace. */
  private forgetUnaccepted(record: AttemptRecord, status: string, isFinallyOver: boolean): void {
    const closed = Number(record.order.openUntil) < (this.deps.reader.lastReadable?.final.timestamp ?? 0);
    if (isFinallyOver || (status === "Open" && closed))
      this.deps.journal.forget(record.leaseId, record.attempt);
  }

  /** Since when the attempt has been absent from the API's answers, Unix seconds. */
  private missing(
    key: string,
    observation: AttemptObservation | undefined,
    seen: ClusterLook,
  ): number | undefined {
    if (observation !== undefined) {
      this.missingSince.delete(key);
      return undefined;
    }
    const since = this.missingSince.get(key) ?? inSeconds(seen);
    this.missingSince.set(key, since);
    return since;
  }

  private nodeFacts(): NodeFacts {
    const { claimInterval, keepFinishedPods } = this.deps.settings;
    return {
      mayAct: this.mayAct,
      maySign: this.maySign,
      diskFull: this.diskFull,
      claimInterval,
      keepFinishedPods,
    };
  }

  /** How the daemon stands at this moment. */
  nodeState(): NodeState {
    return {
      mayAct: this.mayAct && this.firstLookDone,
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

/** A pod is missing from answers, not from the time between two of them. */
function inSeconds({ listedAt }: ClusterLook): number {
  return Math.floor(listedAt / 1000);
}

function describe(plan: Plan): string {
  if (plan.kind === "act") return plan.action.kind;
  return plan.kind === "wait" ? `wait: ${plan.reason}` : "done";
}

/** An error as log fields. */
export function errorFields(error: unknown): object {
  if (isDekuperError(error)) return error.toJSON();
  return error instanceof Error ? { message: error.message, stack: error.stack } : { message: String(error) };
}
