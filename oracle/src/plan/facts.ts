import type { LeaseStatus } from "@dekuper/protocol";
import type { AttemptStage } from "../cluster/driver.ts";
import type { Seconds } from "./plan.ts";

/** What the chain says of a lease attempt of this node. */
export interface LeaseFacts {
  /** `unreadable`: the rest is the last that could be read, and proves nothing. */
  readonly evidence: "readable" | "unreadable";
  readonly status: LeaseStatus;
  /** The chain names this node and this attempt. */
  readonly isMine: boolean;
  /** The assignment has `minConfirmations`. */
  readonly isConfirmed: boolean;
  /**
   * Final on chain, from two RPCs where two are configured: this attempt needs no pod any more (Completed, ended, or given
   * to somebody else). The only thing on which anything is ever torn down.
   */
  readonly isFinallyOver: boolean;
  /** The node holds the task's key, or needs none. */
  readonly hasKey: boolean;
  readonly acceptedAt: Seconds;
  /** While Assigned: until when the node may start, or without the key, until when the consumer may hand it over. */
  readonly startDeadline: Seconds;
  readonly startedAt: Seconds;
  readonly lastClaimAt: Seconds;
  readonly lastStep: number;
  /** While Running or Stopping: the last second at which the end-of-run claim is taken. `Infinity` while a gang waits. */
  readonly completeBy: Seconds;
  /** While Completed. */
  readonly challengeEndsAt: Seconds;
  /** Until when the claim that its output was not delivered may be answered, while Disputed. */
  readonly answerUntil: Seconds;
  /** That the attempt may bill; a top-up adds to it. */
  readonly maxSeconds: number;
  /** Why it is Stopping. */
  readonly stopReason: StopReason;
  /** The vote that it is a part of; undefined: it is no replica of a quorum. */
  readonly ballot: BallotFacts | undefined;
  readonly completionGrace: number;
  readonly outageGrace: number;
  readonly minCheckpointInterval: number;
}

/** `cancelled` by the consumer, or wound down with its gang, of which a member was lost for good. */
export type StopReason = "cancelled" | "peer-lost";

/** The vote of a quorum's replicas (rule 21). */
export interface BallotFacts {
  /** Until when who has committed may reveal; 0 while any replica has neither committed nor been lost. */
  readonly revealUntil: Seconds;
  /** What opened the revealing has `minConfirmations`: a reorg lets nobody commit to what others have shown. */
  readonly isOpenConfirmed: boolean;
  readonly revealWindow: number;
  /** Since when, by the heads that this node has read, everybody who has committed has revealed; undefined: not yet. */
  readonly allRevealedSince: Seconds | undefined;
  /** This replica's place, from 0, in the order in which the replicas have the votes counted. */
  readonly turn: number;
  readonly isTallied: boolean;
  /** k or more have revealed the same. */
  readonly hasWinner: boolean;
}

/** What the run needs besides its pod: its spec and inputs, opened and checked against the order, and its image. */
export type MaterialFacts =
  | { readonly kind: "unknown" }
  /** Nobody has it yet, or nobody could be asked; asked for again at `retryAt`. */
  | { readonly kind: "missing"; readonly retryAt: Seconds }
  | { readonly kind: "unfit"; readonly problem: string }
  | { readonly kind: "ready" };

/** What the cluster says of the attempt; unreachable is not absent. */
export type ClusterFacts =
  | { readonly isReachable: false }
  | {
      readonly isReachable: true;
      /** Absent: for how many seconds it has been missing in every answer of the API. */
      readonly missingFor: number;
      readonly pod?: { readonly stage: AttemptStage; readonly isTerminating: boolean } | undefined;
    };

/** What the journal says was done. */
export interface JournalFacts {
  readonly podSeen: boolean;
  readonly inputsSent: boolean;
  readonly stopAsked: boolean;
  readonly sealed: boolean;
  /** The attestation is stored: its content is fixed for ever. */
  readonly attested: boolean;
  readonly signed: boolean;
  /** The consumer's receipt is here. */
  readonly hasReceipt: boolean;
  /** Attestation, signature and salt of what was committed to are stored. */
  readonly canReveal: boolean;
  /** The consumer can have the key of this replica's output. */
  readonly keyGiven: boolean;
  readonly released: boolean;
  readonly tornDown: boolean;
  /** Its end was seen final once: it never comes back, whatever the chain or the cluster say later. */
  readonly ended: boolean;
  /** Seconds that the pod's clocks give the run; 0: not known. */
  readonly podSeconds: number;
}

/** What holds for the whole node. */
export interface NodeFacts {
  /** False: an empty journal met live leases, and nobody has said --adopt. */
  readonly mayAct: boolean;
  /** False: another daemon was seen under this key. */
  readonly maySign: boolean;
  readonly diskFull: boolean;
  /** Seconds between checkpoint claims. */
  readonly claimInterval: number;
  /** Finished pods stay for a look (`dekuper demo --keep`). */
  readonly keepFinishedPods: boolean;
}
