import type { LeaseStatus } from "@dekuper/protocol";
import type { AttemptStage } from "../../src/cluster/driver.ts";
import type { ClusterFacts, LeaseFacts } from "../../src/plan/facts.ts";
import { planLease } from "../../src/plan/lease.ts";
import type { LeaseAction } from "../../src/plan/plan.ts";
import { aJournal, aLease, aNode, ready, T0 } from "./builders.ts";

/** What may go wrong in one second. Crashes come before or after an action has had its effect, always before it is journalled. */
export type Fault = "none" | "crash-before" | "crash-after" | "chain-away" | "cluster-away" | "reorg";
/** What others may do in one second. */
export type Event = "cancel" | "approve" | "kill-pod" | "lose-namespace";

const TERMS = { maxSeconds: 100, completionGrace: 60, outageGrace: 5, minCheckpointInterval: 1 };
const START_WINDOW = 120;
const CHALLENGE_WINDOW = 20;
const RUNS_FOR = 20;
const FINALITY = 3;
/** A reorg takes back this many blocks: fewer than are final. */
const REORG = 2;
const OVER: ReadonlySet<LeaseStatus> = new Set(["Completed", "Settled", "Cancelled", "Failed", "Expired"]);

interface ChainState {
  readonly status: LeaseStatus;
  readonly startedAt: number;
  readonly stoppedAt: number;
  readonly lastClaimAt: number;
  readonly lastStep: number;
  readonly challengeEndsAt: number;
  /** The attestation that it was completed with. */
  readonly completedWith?: string;
}

/**
 * A chain of one block a second, a cluster of one pod and an oracle that may die at any point: its journal is kept,
 * everything else is looked at again. The contract's and the cluster's rules are written down anew here.
 */
export class World {
  now = T0;
  journal = aJournal();
  podsMade = 0;
  readonly attestationsSent = new Set<string>();
  /** Things that the oracle must never do. */
  readonly wrongs: string[] = [];
  isDone = false;
  private readonly blocks: ChainState[] = [
    { status: "Assigned", startedAt: 0, stoppedAt: 0, lastClaimAt: 0, lastStep: 0, challengeEndsAt: 0 },
  ];
  private pod: { stage: AttemptStage; since: number } | undefined;
  private sealedAs = "";
  private attestation = "";
  private seals = 0;
  private lastRead: LeaseFacts | undefined;
  private missingSince: number | undefined;

  get chain(): ChainState {
    return this.blocks.at(-1) as ChainState;
  }

  get hasPod(): boolean {
    return this.pod !== undefined;
  }

  tick(fault: Fault, event?: Event): void {
    this.now++;
    this.blocks.push(this.chain);
    if (fault === "reorg" && this.blocks.length > REORG)
      this.blocks.fill(this.blocks.at(-1 - REORG) as ChainState, -REORG);
    if (event !== undefined) this.happen(event);
    this.movePod();
    if (!this.isDone) this.oracle(fault);
    if (fault === "crash-before" || fault === "crash-after") {
      this.lastRead = undefined;
      this.missingSince = undefined;
    }
  }

  private oracle(fault: Fault): void {
    const lease = this.lookAtChain(fault !== "chain-away");
    if (lease === undefined) return;
    const cluster = this.lookAtCluster(fault !== "cluster-away");
    const plan = planLease(
      { lease, cluster, journal: this.journal, node: aNode({ claimInterval: 8 }), material: ready },
      this.now,
    );
    if (plan.kind === "done") this.isDone = true;
    if (plan.kind !== "act") return;
    if (fault !== "crash-before") {
      const journalled = this.take(plan.action, lease.evidence === "readable");
      if (fault !== "crash-after") this.journal = { ...this.journal, ...journalled() };
    }
  }

  /** Does what the action does outside the oracle; returns what is journalled after it. */
  private take(action: LeaseAction, isReadable: boolean): () => Partial<typeof this.journal> {
    if (!isReadable && action.kind !== "seal") this.wrongs.push(`${action.kind} without evidence`);
    switch (action.kind) {
      case "ensureAttempt":
        if (this.pod === undefined) {
          this.podsMade++;
          this.pod = { stage: "pending", since: this.now };
        }
        break;
      case "sendInputs":
        if (this.pod?.stage === "awaiting-inputs") this.pod = { stage: "running", since: this.now };
        return () => ({ inputsSent: true });
      case "stopMain":
        if (this.pod?.stage === "running") this.pod = { stage: "exited", since: this.now };
        return () => ({ stopAsked: true });
      case "seal": {
        // age is randomised: each sealing gives other bytes, of which the journal keeps the first.
        const sealed = `seal ${++this.seals}`;
        return () => {
          if (!this.journal.sealed) this.sealedAs = sealed;
          return { sealed: true };
        };
      }
      case "attest": {
        const attestation = `${this.sealedAs} at ${this.now}`;
        return () => {
          if (!this.journal.attested) this.attestation = attestation;
          return { attested: true };
        };
      }
      case "release":
        if (this.pod?.stage === "exited") this.pod = { stage: "gone", since: this.now };
        return () => ({ released: true });
      case "tearDown":
        if (!OVER.has(this.final.status)) this.wrongs.push(`tearDown while ${this.final.status} is final`);
        this.pod = undefined;
        return () => ({ tornDown: true });
      default:
        this.send(action);
    }
    return () => ({});
  }

  /** The contract: what it refuses changes nothing. */
  private send(action: LeaseAction): void {
    const { status, startedAt, lastClaimAt } = this.chain;
    const isLive = status === "Running" || status === "Stopping";
    const deadline = this.deadline();
    switch (action.kind) {
      case "startLease":
        if (status === "Assigned" && this.now <= deadline)
          this.replace({ ...this.chain, status: "Running", startedAt: this.now, lastClaimAt: this.now });
        return;
      case "claimCheckpoint":
        if (status === "Running" && this.now <= deadline && this.now > lastClaimAt)
          this.replace({ ...this.chain, lastClaimAt: this.now, lastStep: action.step });
        return;
      case "complete": {
        this.attestationsSent.add(this.attestation);
        if (!isLive || this.now > deadline || startedAt === 0) return;
        const challengeEndsAt = this.now + CHALLENGE_WINDOW;
        this.replace({
          ...this.chain,
          status: "Completed",
          challengeEndsAt,
          completedWith: this.attestation,
        });
        return;
      }
      case "fail":
        if (isLive || status === "Assigned") this.replace({ ...this.chain, status: "Failed" });
        return;
      case "expire":
        if ((isLive || status === "Assigned") && this.now > deadline + TERMS.outageGrace)
          this.replace({ ...this.chain, status: "Expired" });
        return;
      case "settle":
        if (status === "Completed" && this.now > this.chain.challengeEndsAt + TERMS.outageGrace)
          this.replace({ ...this.chain, status: "Settled" });
    }
  }

  private happen(event: Event): void {
    const { status } = this.chain;
    if (event === "cancel" && status === "Assigned") this.replace({ ...this.chain, status: "Cancelled" });
    if (event === "cancel" && status === "Running")
      this.replace({ ...this.chain, status: "Stopping", stoppedAt: this.now });
    if (event === "approve" && status === "Completed") this.replace({ ...this.chain, status: "Settled" });
    if (event === "kill-pod" && this.pod !== undefined) this.pod = { stage: "gone", since: this.now };
    if (event === "lose-namespace" && this.journal.podSeen) this.pod = undefined;
  }

  private movePod(): void {
    if (this.pod?.stage === "pending" && this.now - this.pod.since >= 2)
      this.pod = { stage: "awaiting-inputs", since: this.now };
    else if (this.pod?.stage === "running" && this.now - this.pod.since >= RUNS_FOR)
      this.pod = { stage: "exited", since: this.now };
  }

  private lookAtChain(isReadable: boolean): LeaseFacts | undefined {
    if (!isReadable) return this.lastRead && { ...this.lastRead, evidence: "unreadable" };
    const { completedWith: _, stoppedAt: __, ...state } = this.chain;
    const isFinallyOver = OVER.has(state.status) && this.final.status === state.status;
    const startDeadline = T0 + START_WINDOW;
    this.lastRead = aLease({ ...state, ...TERMS, startDeadline, completeBy: this.deadline(), isFinallyOver });
    if (isFinallyOver && state.status !== "Completed") this.journal = { ...this.journal, ended: true };
    return this.lastRead;
  }

  private lookAtCluster(isReachable: boolean): ClusterFacts {
    if (!isReachable) return { isReachable };
    this.missingSince = this.pod === undefined ? (this.missingSince ?? this.now) : undefined;
    if (this.pod !== undefined) this.journal = { ...this.journal, podSeen: true };
    return {
      isReachable,
      missingFor: this.missingSince === undefined ? 0 : this.now - this.missingSince,
      pod: this.pod && { stage: this.pod.stage, isTerminating: false },
    };
  }

  private get final(): ChainState {
    return this.blocks[Math.max(0, this.blocks.length - 1 - FINALITY)] as ChainState;
  }

  private deadline(): number {
    const { status, startedAt, stoppedAt } = this.chain;
    if (status === "Assigned") return T0 + START_WINDOW;
    return (status === "Stopping" ? stoppedAt : startedAt + TERMS.maxSeconds) + TERMS.completionGrace;
  }

  private replace(state: ChainState): void {
    this.blocks[this.blocks.length - 1] = state;
  }
}
