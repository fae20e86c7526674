import type { Hex } from "viem";

/** A block, as far as the oracle needs it. Timestamp in Unix seconds. */
export interface BlockRef {
  readonly number: number;
  readonly hash: Hex;
  readonly timestamp: number;
  /** Wei, 0 where the chain has none. */
  readonly baseFee: bigint;
}

/** When a block counts as final: by the RPC's own `finalized` tag, or so many blocks under the head. */
export type Finality = { readonly kind: "tag" } | { readonly kind: "depth"; readonly depth: number };

/**
 * What the RPCs say together. `unreadable` means nothing can be concluded, least of all that something is absent:
 * whoever reads it keeps what runs and deletes nothing.
 */
export type ChainView =
  | {
      readonly evidence: "readable";
      readonly head: BlockRef;
      readonly final: BlockRef;
      /** The newest block with `minConfirmations`. */
      readonly confirmed: number;
      /** By the wall clock, milliseconds: when this head was first seen. */
      readonly headSeenAt: number;
    }
  | { readonly evidence: "unreadable"; readonly reason: UnreadableReason };

export type UnreadableReason = "not-read-yet" | "no-rpc-answers" | "rpcs-disagree";

/** Blocks under the head where `finalized` is configured but not served (protocol.md, rule 30). */
export const FALLBACK_FINALITY_DEPTH = 64;
