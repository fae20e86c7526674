import type { Clock } from "../chain/clock.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { AttemptObservation } from "../cluster/driver.ts";
import type { AttemptJournal, AttemptRecord } from "../journal/attempts.ts";
import type { FactStore } from "../journal/facts.ts";
import type { NodeFacts } from "../plan/facts.ts";
import { DELIVERED, planLease } from "../plan/lease.ts";
import type { LeaseAction, Plan } from "../plan/plan.ts";
import { owesKey } from "../plan/quorum.ts";
import type { ClusterLook } from "./cluster-view.ts";
import type { LeaseActions, LeaseContext } from "./lease-actions.ts";
import {
  clusterFacts,
  journalFacts,
  type LeaseFactReader,
  type LeaseView,
  materialFacts,
} from "./lease-facts.ts";
import type { LogCapture } from "./log-capture.ts";
import type { MaterialStore } from "./material.ts";
import type { Metrics } from "./metrics.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

export interface LeaseLoopDeps {
  readonly reader: ChainReader;
  readonly store: FactStore;
  readonly journal: AttemptJournal;
  readonly facts: LeaseFactReader;
  readonly material: MaterialStore;
  readonly actions: LeaseActions;
  readonly logs: LogCapture;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: OracleLog;
}

/** What the leases share. */
export interface LeaseLoopSurroundings {
  nodeFacts(): NodeFacts;
  /** A step has ended: what it changed is looked at. */
  onStepEnded(error: unknown): void;
}

const ACTION_TIMEOUT_MS = 10 * 60_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/** Plans each lease attempt and takes its next safe step. One lease's slow step never holds up another's. */
export class LeaseLoop {
  private readonly deps: LeaseLoopDeps;
  private readonly surroundings: LeaseLoopSurroundings;
  private readonly busy = new Map<string, Promise<void>>();
  private readonly retryAt = new Map<string, { at: number; delay: number }>();
  private readonly missingSince = new Map<string, number>();

  constructor(deps: LeaseLoopDeps, surroundings: LeaseLoopSurroundings) {
    this.deps = deps;
    this.surroundings = surroundings;
  }

  /** One round; `seen` is undefined while the cluster does not answer. */
  async round(seen: ClusterLook | undefined, signal: AbortSignal): Promise<void> {
    const records = this.deps.journal.live();
    this.deps.metrics.leases.set(records.length);
    await Promise.all(records.map((record) => this.reconcile(record, seen, signal)));
  }

  /** Until no step is being taken any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.busy.values());
  }

  private async reconcile(
    record: AttemptRecord,
    seen: ClusterLook | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const key = keyOf(record);
    const { facts, clock, log, journal } = this.deps;
    if (this.busy.has(key) || (this.retryAt.get(key)?.at ?? 0) > clock.now()) return;
    const view = await facts.read(record);
    if (view?.facts.evidence !== "readable" && this.forgetVanished(record)) return;
    if (view === undefined) return;
    if (!view.facts.isMine && !record.steps.has("accepted")) return this.forgetUnaccepted(record, view);
    const observation = seen?.observations.find(
      ({ leaseId, attempt }) => leaseId === record.leaseId && attempt === record.attempt,
    );
    this.note(record, view, observation, signal);
    const fresh = journal.find(record.leaseId, record.attempt) ?? record;
    const plan = this.plan(fresh, view, seen, observation);
    log.debug(
      { leaseId: record.leaseId, status: view.facts.status, stage: observation?.stage, plan: describe(plan) },
      "planned",
    );
    if (plan.kind === "done") {
      facts.forget(fresh);
      journal.mark(record.leaseId, record.attempt, "torn_down");
    }
    if (plan.kind === "act")
      this.busy.set(key, this.take(plan.action, { record: fresh, view, observation }, signal));
  }

  /** Writes down what was seen. */
  private note(
    record: AttemptRecord,
    { facts: lease }: LeaseView,
    observation: AttemptObservation | undefined,
    signal: AbortSignal,
  ): void {
    const { journal, logs, actions } = this.deps;
    const { leaseId, attempt } = record;
    if (lease.isMine) journal.mark(leaseId, attempt, "accepted");
    const isOpen = (lease.isMine && DELIVERED.has(lease.status)) || owesKey(lease, journalFacts(record));
    const isOver = lease.isFinallyOver && !isOpen;
    if (isOver && lease.evidence === "readable" && record.ended === undefined)
      journal.recordEnded(leaseId, attempt, lease.status);
    if (observation?.podUid !== undefined) journal.mark(leaseId, attempt, "pod_seen");
    if (observation?.stage === "running") logs.follow(actions.refOf(record), signal);
  }

  private plan(
    record: AttemptRecord,
    { facts: lease }: LeaseView,
    seen: ClusterLook | undefined,
    observation: AttemptObservation | undefined,
  ): Plan {
    const cluster =
      seen === undefined
        ? ({ isReachable: false } as const)
        : clusterFacts(observation, this.missing(keyOf(record), observation, seen), inSeconds(seen));
    return planLease(
      {
        lease,
        cluster,
        journal: journalFacts(record),
        node: this.surroundings.nodeFacts(),
        material: materialFacts(this.deps.material.of(record.leaseId)),
      },
      this.deps.reader.lastReadable?.head.timestamp ?? 0,
    );
  }

  private async take(action: LeaseAction, context: LeaseContext, signal: AbortSignal): Promise<void> {
    const { metrics, clock, log, actions } = this.deps;
    const { leaseId, attempt } = context.record;
    const { kind } = action;
    const key = keyOf(context.record);
    const end = metrics.actionSeconds.startTimer({ action: kind });
    let failure: unknown;
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(ACTION_TIMEOUT_MS)]);
      await actions.take(action, context, limited);
      this.retryAt.delete(key);
      metrics.actions.inc({ action: kind, result: "ok" });
      log.info({ leaseId, attempt, action: kind }, "step-taken");
    } catch (error) {
      failure = error;
      metrics.actions.inc({ action: kind, result: "failed" });
      const delay = Math.min(MAX_RETRY_MS, (this.retryAt.get(key)?.delay ?? RETRY_MS / 2) * 2);
      this.retryAt.set(key, { at: clock.now() + delay, delay });
      log.warn({ leaseId, action: kind, error: errorFields(error), retryInMs: delay }, "step-failed");
    } finally {
      end();
      this.busy.delete(key);
      this.surroundings.onStepEnded(failure);
    }
  }

  /** An accept that came to nothing leaves no trace. */
  private forgetUnaccepted(record: AttemptRecord, { facts, state }: LeaseView): void {
    const { reader, journal } = this.deps;
    const isClosed = state.deadline < (reader.lastReadable?.final.timestamp ?? 0);
    if (facts.isFinallyOver || (facts.status === "Open" && isClosed))
      journal.forget(record.leaseId, record.attempt);
  }

  /** A reorg took the order itself, and nothing was made for it. If the lease comes back, so does its assignment. */
  private forgetVanished(record: AttemptRecord): boolean {
    const { reader, store, journal } = this.deps;
    if (reader.view.evidence !== "readable" || store.lease(record.leaseId) !== undefined) return false;
    return journal.forgetUnmade(record.leaseId, record.attempt);
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
}

const keyOf = ({ leaseId, attempt }: AttemptRecord) => `${leaseId}:${attempt}`;

/** A pod is missing from answers, not from the time between two of them. */
function inSeconds({ listedAt }: ClusterLook): number {
  return Math.floor(listedAt / 1000);
}

function describe(plan: Plan): string {
  if (plan.kind === "act") return plan.action.kind;
  return plan.kind === "wait" ? `wait: ${plan.reason}` : "done";
}
