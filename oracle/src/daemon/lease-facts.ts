import type { Deployment } from "@dekuper/protocol";
import { isDekuperError, type LeaseStatus } from "@dekuper/protocol";
import { type Address, getAddress, type Hex } from "viem";
import {
  type LeaseState,
  readAnswerUntil,
  readBallot,
  readIsCancelled,
  readLease,
  readRunDeadline,
  readTaskTerms,
  type TaskTerms,
} from "../chain/contracts.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { AttemptObservation } from "../cluster/driver.ts";
import type { AttemptRecord } from "../journal/attempts.ts";
import type {
  BallotFacts,
  ClusterFacts,
  JournalFacts,
  LeaseFacts,
  MaterialFacts,
  StopReason,
} from "../plan/facts.ts";
import { tallyTurn } from "../plan/quorum.ts";
import type { Material } from "./material.ts";

/** Nothing of the pod is needed any more in these. */
const OVER: ReadonlySet<LeaseStatus> = new Set([
  "Committed",
  "Revealed",
  "Completed",
  "Disputed",
  "Settled",
  "Cancelled",
  "Failed",
  "Expired",
]);

/** Tasks whose terms are remembered. */
const MAX_TERMS = 1_024;

interface BlockSeen {
  readonly number: number;
  readonly timestamp: number;
}

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
  private readonly allRevealed = new Map<Hex, number>();

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
      const [state, terms] = await Promise.all([
        this.at(record, view.head.number),
        this.termsOf(record.taskId),
      ]);
      const isMine = this.isMine(state, record);
      const mayBeOver = OVER.has(state.status) || !isMine;
      const [completeBy, answerUntil, ballot, stopReason, isFinallyOver, isConfirmed] = await Promise.all([
        this.completeBy(state, terms, view.head.number),
        this.answerUntil(state, view.head.number),
        this.ballot(record, state, terms, view),
        this.stopReason(state, terms, view.head.number),
        mayBeOver ? this.isFinallyOver(record, state.status, view.final.number) : false,
        record.steps.has("ensured") ||
          view.confirmed === view.head.number ||
          this.isMineAt(record, view.confirmed),
      ]);
      const found: LeaseView = {
        state,
        terms,
        facts: {
          evidence: "readable",
          isMine,
          isConfirmed,
          isFinallyOver,
          completeBy,
          answerUntil,
          ballot,
          stopReason,
          ...pick(state, terms),
        },
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
    this.allRevealed.delete(record.taskId);
  }

  private async at(record: AttemptRecord, block: number): Promise<LeaseState> {
    return this.reader.read((client) => readLease(client, this.deployment, record.leaseId, block));
  }

  /** What does not change of a task; read once. */
  async termsOf(taskId: Hex): Promise<TaskTerms> {
    const known = this.terms.get(taskId);
    if (known !== undefined) return known;
    const terms = await this.reader.read((client) => readTaskTerms(client, this.deployment, taskId));
    this.terms.set(taskId, terms);
    const [oldest] = this.terms.keys();
    if (this.terms.size > MAX_TERMS && oldest !== undefined) this.terms.delete(oldest);
    return terms;
  }

  /** A gang's clock may stand, which only the contract knows. */
  private async completeBy(state: LeaseState, terms: TaskTerms, block: number): Promise<number> {
    if (state.status !== "Running") return state.status === "Stopping" ? state.deadline : 0;
    if (!terms.isGang) return state.startedAt + state.maxSeconds + terms.completionGrace;
    return this.reader.read((client) => readRunDeadline(client, this.deployment, state.leaseId, block));
  }

  private async answerUntil({ status, leaseId }: LeaseState, block: number): Promise<number> {
    if (status !== "Disputed") return 0;
    return this.reader.read((client) => readAnswerUntil(client, this.deployment, leaseId, block));
  }

  private async ballot(
    { taskId, order }: AttemptRecord,
    { index }: LeaseState,
    { isQuorum, revealWindow }: TaskTerms,
    { head, confirmed }: { readonly head: BlockSeen; readonly confirmed: number },
  ): Promise<BallotFacts | undefined> {
    if (!isQuorum) return undefined;
    const at = (block: number) =>
      this.reader.read((client) => readBallot(client, this.deployment, taskId, block));
    const [{ committed, revealed, ...ballot }, before] = await Promise.all([at(head.number), at(confirmed)]);
    return {
      revealUntil: ballot.revealUntil,
      isOpenConfirmed: before.revealUntil !== 0,
      revealWindow,
      allRevealedSince: this.sinceAllRevealed(
        taskId,
        committed > 0 && revealed === committed,
        head.timestamp,
      ),
      turn: tallyTurn(index, order.leases, Number.parseInt(taskId.slice(-8), 16)),
      isTallied: ballot.isTallied,
      hasWinner: ballot.hasWinner,
    };
  }

  /** What is seen at one head may be gone at the next; after a restart it counts anew, which only costs others their turn. */
  private sinceAllRevealed(taskId: Hex, isAll: boolean, now: number): number | undefined {
    const since = isAll ? (this.allRevealed.get(taskId) ?? now) : undefined;
    if (since === undefined) this.allRevealed.delete(taskId);
    else this.allRevealed.set(taskId, since);
    return since;
  }

  private async stopReason(state: LeaseState, terms: TaskTerms, block: number): Promise<StopReason> {
    if (state.status !== "Stopping" || !terms.isGang) return "cancelled";
    const isCancelled = await this.reader.read((client) =>
      readIsCancelled(client, this.deployment, state.taskId, block),
    );
    return isCancelled ? "cancelled" : "peer-lost";
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
   * Positive evidence at a final block, from two RPCs where two are configured: the attempt was lost, somebody else has it,
   * or its lease is over. Of this node's own lease the status itself must be final: a settlement that a reorg may take back
   * is no end, though the completion before it is. A lease that is at an earlier attempt may still come to this one.
   */
  private async isFinallyOver(record: AttemptRecord, status: LeaseStatus, block: number): Promise<boolean> {
    const agreed = await this.reader.readAgreed(
      (client) => readLease(client, this.deployment, record.leaseId, block),
      ({ status, node, attempt }) => `${status} ${node} ${attempt}`,
    );
    if (agreed === undefined) return false;
    if (this.isMine(agreed, record)) return OVER.has(agreed.status) && agreed.status === status;
    return agreed.attempt >= record.attempt || OVER.has(agreed.status);
  }

  private isMine(state: LeaseState, record: AttemptRecord): boolean {
    return state.node === this.node && state.attempt === record.attempt;
  }
}

function pick(state: LeaseState, terms: TaskTerms) {
  return {
    status: state.status,
    hasKey: state.hasKey,
    acceptedAt: state.acceptedAt,
    startDeadline: state.status === "Assigned" ? state.deadline : 0,
    startedAt: state.startedAt,
    lastClaimAt: state.lastClaimAt,
    lastStep: state.lastStep,
    challengeEndsAt: state.status === "Completed" ? state.deadline : 0,
    maxSeconds: state.maxSeconds,
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
    hasReceipt: record.receipt !== undefined,
    canReveal:
      record.attestation !== undefined && record.signature !== undefined && record.replica !== undefined,
    keyGiven: record.steps.has("key_given"),
    released: record.steps.has("released"),
    tornDown: record.steps.has("torn_down"),
    ended: record.ended !== undefined,
    podSeconds: record.podSeconds ?? 0,
  };
}

/** What is known of a lease's spec, inputs and image. */
export function materialFacts(material: Material): MaterialFacts {
  switch (material.kind) {
    case "unknown":
      return material;
    case "missing":
      return { kind: "missing", retryAt: material.retryAt };
    case "invalid":
      return { kind: "unfit", problem: material.reason };
    case "ready":
      return material.imageProblem === undefined
        ? { kind: "ready" }
        : { kind: "unfit", problem: material.imageProblem };
  }
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
