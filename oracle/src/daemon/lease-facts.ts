import type { Deployment } from "@dekuper/protocol";
import { isDekuperError, type LeaseStatus } from "@dekuper/protocol";
import { type Address, getAddress } from "viem";
import { type LeaseState, readLease, readTaskTerms, type TaskTerms } from "../chain/contracts.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { AttemptObservation } from "../cluster/driver.ts";
import type { AttemptRecord } from "../journal/attempts.ts";
import type { ClusterFacts, JournalFacts, LeaseFacts } from "../plan/facts.ts";

/** Nothing of the pod is needed any more in these. */
const OVER: ReadonlySet<LeaseStatus> = new Set(["Completed", "Settled", "Cancelled", "Failed", "Expired"]);

/** A lease as the planner and the actions see it. */
export interface LeaseView {
  readonly facts: LeaseFacts;
  readonly terms: TaskTerms;
  readonly state: LeaseState;
}

/** Reads what the planner needs of one lease from the chain; keeps the last readable answer for when nothing can be read. */
export class LeaseFactReader {
  private readonly reader: ChainReader;
  private readonly deployment: Deployment;
  private readonly node: Address;
  private readonly terms = new Map<string, TaskTerms>();
  private readonly last = new Map<string, LeaseView>();

  constructor(reader: ChainReader, deployment: Deployment, node: Address) {
    this.reader = reader;
    this.deployment = deployment;
    this.node = getAddress(node);
  }

  /** Undefined: never readable so far. */
  async read(record: AttemptRecord): Promise<LeaseView | undefined> {
    const { view } = this.reader;
    const key = `${record.leaseId}:${record.attempt}`;
    const blind = () => {
      const known = this.last.get(key);
      return known && { ...known, facts: { ...known.facts, evidence: "unreadable" as const } };
    };
    if (view.evidence === "unreadable") return blind();
    try {
      const [state, terms] = await Promise.all([this.at(record, view.head.number), this.termsOf(record)]);
      const isMine = this.isMine(state, record);
      const mayBeOver = OVER.has(state.status) || !isMine;
      const [isFinallyOver, isConfirmed] = await Promise.all([
        mayBeOver && state.status !== "Open"
          ? this.isFinallyOver(record, state.status, view.final.number)
          : false,
        record.steps.has("ensured") ||
          view.confirmed === view.head.number ||
          this.isMineAt(record, view.confirmed),
      ]);
      const found: LeaseView = {
        state,
        terms,
        facts: { evidence: "readable", isMine, isConfirmed, isFinallyOver, ...pick(state, terms) },
      };
      this.last.set(key, found);
      return found;
    } catch (error) {
      if (isDekuperError(error, "RPC_UNAVAILABLE") || isDekuperError(error, "NOT_FOUND")) return blind();
      throw error;
    }
  }

  forget(record: AttemptRecord): void {
    this.last.delete(`${record.leaseId}:${record.attempt}`);
  }

  private async at(record: AttemptRecord, block: number): Promise<LeaseState> {
    return this.reader.read((client) => readLease(client, this.deployment, record.leaseId, block));
  }

  private async termsOf(record: AttemptRecord): Promise<TaskTerms> {
    const known = this.terms.get(record.taskId);
    if (known !== undefined) return known;
    const terms = await this.reader.read((client) => readTaskTerms(client, this.deployment, record.taskId));
    this.terms.set(record.taskId, terms);
    return terms;
  }

  private async isMineAt(record: AttemptRecord, block: number): Promise<boolean> {
    try {
      return this.isMine(await this.at(record, block), record);
    } catch (error) {
      if (isDekuperError(error, "NOT_FOUND")) return false; // not there yet at that block
      throw error;
    }
  }

  /**
   * Positive evidence at a final block, from two RPCs where two are configured. Of this node's own lease the status itself
   * must be final: a settlement that a reorg may take back is no end, though the completion before it is.
   */
  private async isFinallyOver(record: AttemptRecord, status: LeaseStatus, block: number): Promise<boolean> {
    const agreed = await this.reader.readAgreed(
      (client) => readLease(client, this.deployment, record.leaseId, block),
      ({ status, node, attempt }) => `${status} ${node} ${attempt}`,
    );
    if (agreed === undefined || agreed.status === "Open") return false;
    if (!this.isMine(agreed, record)) return true;
    return OVER.has(agreed.status) && agreed.status === status;
  }

  private isMine(state: LeaseState, record: AttemptRecord): boolean {
    return state.node === this.node && state.attempt === record.attempt;
  }
}

function pick(state: LeaseState, terms: TaskTerms) {
  return {
    status: state.status,
    acceptedAt: state.acceptedAt,
    startDeadline: state.startDeadline,
    startedAt: state.startedAt,
    lastClaimAt: state.lastClaimAt,
    lastStep: state.lastStep,
    stoppedAt: state.stoppedAt,
    challengeEndsAt: state.challengeEndsAt,
    maxDuration: terms.maxDuration,
    completionGrace: terms.completionGrace,
    outageGrace: terms.outageGrace,
    minCheckpointInterval: terms.minCheckpointInterval,
  };
}

export function journalFacts(record: AttemptRecord): JournalFacts {
  return {
    podSeen: record.steps.has("pod_seen"),
    inputsSent: record.steps.has("inputs_sent"),
    stopAsked: record.steps.has("stop_asked"),
    sealed: record.sealed !== undefined,
    attested: record.attestation !== undefined,
    signed: record.signature !== undefined,
    released: record.steps.has("released"),
    tornDown: record.steps.has("torn_down"),
    ended: record.ended !== undefined,
  };
}

/** The cluster's facts of one attempt; `missingSince` is when it was first absent from an answer, Unix seconds. */
export function clusterFacts(
  observation: AttemptObservation | undefined,
  missingSince: number | undefined,
  now: number,
): ClusterFacts {
  return {
    isReachable: true,
    missingFor: missingSince === undefined ? 0 : now - missingSince,
    pod: observation && { stage: observation.stage, isTerminating: observation.terminating },
  };
}
