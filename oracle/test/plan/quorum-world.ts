import type { LeaseStatus } from "@dekuper/protocol";
import type { LeaseFacts } from "../../src/plan/facts.ts";
import { planLease } from "../../src/plan/lease.ts";
import type { LeaseAction } from "../../src/plan/plan.ts";
import { aJournal, aNode, aPod, noPod, ready, running, T0 } from "./builders.ts";
import type { Fault } from "./world.ts";

/** How the other replicas behave: when, in seconds from the beginning, and whether they agree with this one. */
export interface Others {
  readonly commitAfter: number;
  readonly revealAfter: number;
  readonly agree: boolean;
  /** This one's place in the order in which the votes are counted; the others never count them. */
  readonly turn: number;
}

const TERMS = { maxSeconds: 200, completionGrace: 60, outageGrace: 5 };
const REVEAL_WINDOW = 100;
const CHALLENGE_WINDOW = 20;
const FINALITY = 3;
/** A reorg takes back this many blocks: fewer than are confirmed. */
const REORG = 2;
const CONFIRMATIONS = 3;
const OVER: ReadonlySet<LeaseStatus> = new Set([
  "Committed",
  "Revealed",
  "Completed",
  "Settled",
  "Failed",
  "Expired",
]);

interface ChainState {
  readonly status: LeaseStatus;
  readonly othersCommitted: boolean;
  readonly othersRevealed: boolean;
  readonly isTallied: boolean;
  readonly hasWinner: boolean;
  readonly revealUntil: number;
  readonly challengeEndsAt: number;
  /** What the replica has committed to. */
  readonly commitment?: string;
}

/**
 * A replica whose run has ended, on a chain of one block a second; its oracle may die at any point and keeps its journal.
 * The contract's rules of a vote are written down anew here.
 */
export class QuorumWorld {
  now = T0 + 50;
  journal = aJournal({ podSeen: true });
  isDone = false;
  /** Things that the oracle must never do. */
  readonly wrongs: string[] = [];
  readonly committed = new Set<string>();
  keyGivenWhile: LeaseStatus | undefined;
  private readonly others: Others;
  private hasPod = true;
  private attestation = "";
  private attempts = 0;
  private lastRead: LeaseFacts | undefined;
  private allRevealed: number | undefined;
  private readonly blocks: ChainState[] = [
    {
      status: "Running",
      othersCommitted: false,
      othersRevealed: false,
      isTallied: false,
      hasWinner: false,
      revealUntil: 0,
      challengeEndsAt: 0,
    },
  ];

  constructor(others: Others) {
    this.others = others;
  }

  get chain(): ChainState {
    return this.blocks.at(-1) as ChainState;
  }

  tick(fault: Fault): void {
    this.now++;
    this.blocks.push(this.chain);
    if (fault === "reorg" && this.blocks.length > REORG)
      this.blocks.fill(this.blocks.at(-1 - REORG) as ChainState, -REORG);
    this.moveOthers();
    if (!this.isDone) this.oracle(fault);
    if (fault === "crash-before" || fault === "crash-after") this.lastRead = undefined;
  }

  private moveOthers(): void {
    const at = this.now - T0 - 50;
    if (!this.chain.othersCommitted && at >= this.others.commitAfter) this.change({ othersCommitted: true });
    this.openReveal();
    if (this.chain.revealUntil !== 0 && !this.chain.othersRevealed && at >= this.others.revealAfter)
      this.change({ othersRevealed: true });
  }

  private openReveal(): void {
    const { othersCommitted, status, revealUntil } = this.chain;
    if (othersCommitted && status !== "Running" && revealUntil === 0)
      this.change({ revealUntil: this.now + REVEAL_WINDOW });
  }

  private oracle(fault: Fault): void {
    const lease = this.lookAtChain(fault !== "chain-away");
    if (lease === undefined) return;
    const cluster =
      fault === "cluster-away"
        ? ({ isReachable: false } as const)
        : this.hasPod
          ? aPod(this.journal.released ? "gone" : "exited")
          : noPod(99);
    const facts = { lease, cluster, journal: this.journal, node: aNode(), material: ready };
    const plan = planLease(facts, this.now);
    if (plan.kind === "done") this.isDone = true;
    if (plan.kind !== "act" || fault === "crash-before") return;
    const journalled = this.take(plan.action);
    if (fault !== "crash-after") this.journal = { ...this.journal, ...journalled };
  }

  /** Does what the action does outside the oracle; returns what is journalled after it. */
  private take(action: LeaseAction): Partial<typeof this.journal> {
    switch (action.kind) {
      case "seal":
        return { sealed: true };
      case "attest":
        // What is stored once stands, whatever dies afterwards.
        if (this.attestation === "") this.attestation = `attestation ${++this.attempts}`;
        this.journal = { ...this.journal, attested: true };
        return {};
      case "commit":
        this.journal = { ...this.journal, signed: true, canReveal: true };
        this.commit();
        return {};
      case "reveal":
        this.reveal();
        return {};
      case "tally":
        this.tally();
        return {};
      case "giveKey":
        this.keyGivenWhile ??= this.final.status;
        if (!["Completed", "Settled"].includes(this.final.status))
          this.wrongs.push(`the key is given while ${this.final.status} is final`);
        return { keyGiven: true };
      case "settle":
        if (this.chain.status === "Completed" && this.now > this.chain.challengeEndsAt + TERMS.outageGrace)
          this.change({ status: "Settled" });
        return {};
      case "release":
        return { released: true };
      case "tearDown":
        if (!OVER.has(this.final.status)) this.wrongs.push(`tearDown while ${this.final.status} is final`);
        this.hasPod = false;
        return { tornDown: true };
      default:
        this.wrongs.push(action.kind);
        return {};
    }
  }

  private commit(): void {
    this.committed.add(this.attestation);
    if (this.chain.status !== "Running") return;
    this.change({ status: "Committed", commitment: this.attestation });
    this.openReveal();
  }

  private reveal(): void {
    const { status, revealUntil, commitment } = this.chain;
    if (revealUntil === 0) this.wrongs.push("a result is shown while another may still choose its own");
    if (commitment !== undefined && commitment !== this.attestation)
      this.wrongs.push("what is revealed is not what was committed to");
    if (status === "Committed" && revealUntil !== 0 && this.now <= revealUntil)
      this.change({ status: "Revealed" });
  }

  private tally(): void {
    const { status, revealUntil, othersRevealed, isTallied } = this.chain;
    const isAll = status === "Revealed" && othersRevealed;
    if (isTallied || revealUntil === 0) return;
    if (!isAll && this.now <= revealUntil + TERMS.outageGrace) return;
    const hasWinner = this.others.agree && othersRevealed;
    const counted = { isTallied: true, hasWinner };
    if (status === "Committed") this.change({ ...counted, status: "Failed" });
    else if (!hasWinner) this.change({ ...counted, status: "Settled" });
    else this.change({ ...counted, status: "Completed", challengeEndsAt: this.now + CHALLENGE_WINDOW });
  }

  private lookAtChain(isReadable: boolean): LeaseFacts | undefined {
    if (!isReadable) return this.lastRead && { ...this.lastRead, evidence: "unreadable" };
    const { status, revealUntil, othersRevealed, isTallied, hasWinner, challengeEndsAt } = this.chain;
    const isFinallyOver = OVER.has(status) && this.final.status === status;
    this.lastRead = running({
      ...TERMS,
      status,
      challengeEndsAt,
      isFinallyOver,
      completeBy: T0 + 10 + TERMS.maxSeconds + TERMS.completionGrace,
      ballot: {
        revealUntil,
        isOpenConfirmed: this.back(CONFIRMATIONS).revealUntil !== 0,
        revealWindow: REVEAL_WINDOW,
        allRevealedSince: this.sinceAllRevealed(status === "Revealed" && othersRevealed),
        turn: this.others.turn,
        isTallied,
        hasWinner,
      },
    });
    const isEnd = status === "Failed" || status === "Expired" || status === "Settled";
    const owes = status === "Settled" && hasWinner && !this.journal.keyGiven;
    if (isFinallyOver && isEnd && !owes) this.journal = { ...this.journal, ended: true };
    return this.lastRead;
  }

  private sinceAllRevealed(isAll: boolean): number | undefined {
    this.allRevealed = isAll ? (this.allRevealed ?? this.now) : undefined;
    return this.allRevealed;
  }

  private back(blocks: number): ChainState {
    return this.blocks[Math.max(0, this.blocks.length - 1 - blocks)] as ChainState;
  }

  private get final(): ChainState {
    return this.back(FINALITY);
  }

  private change(change: Partial<ChainState>): void {
    this.blocks[this.blocks.length - 1] = { ...this.chain, ...change };
  }
}
