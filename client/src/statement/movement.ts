import type { Address, Hex } from "viem";

/** Where on chain something happened. */
export interface Place {
  readonly block: bigint;
  /** Unix seconds of its block. */
  readonly time: bigint;
  readonly hash: Hex;
  readonly logIndex: number;
}

/** What moved: the escrow's events, one kind each. Amounts in base units, rates in base units per hour. */
export type Moved =
  | { readonly kind: "Deposited"; readonly account: Address; readonly from: Address; readonly amount: bigint }
  | { readonly kind: "Withdrawn"; readonly account: Address; readonly to: Address; readonly amount: bigint }
  /** Free balance given to another account. */
  | { readonly kind: "Transferred"; readonly from: Address; readonly to: Address; readonly amount: bigint }
  | { readonly kind: "Reserved"; readonly consumer: Address; readonly taskId: Hex; readonly amount: bigint }
  | PaidMovement
  | { readonly kind: "Released"; readonly consumer: Address; readonly taskId: Hex; readonly amount: bigint }
  /** From a node's stake to the earnings of an owner whose node waited. */
  | {
      readonly kind: "Compensated";
      readonly leaseId: Hex;
      readonly node: Address;
      readonly owner: Address;
      readonly amount: bigint;
    }
  /** Put at risk with a claim that an output was not delivered; back when the claim was right or had no verdict. */
  | {
      readonly kind: "BondPosted" | "BondReturned";
      readonly account: Address;
      readonly leaseId: Hex;
      readonly amount: bigint;
    }
  /** The bond of a claim that was answered, to the owner of the node that had delivered. */
  | { readonly kind: "BondAwarded"; readonly owner: Address; readonly leaseId: Hex; readonly amount: bigint }
  | {
      readonly kind: "EarningsWithdrawn";
      readonly owner: Address;
      readonly to: Address;
      readonly amount: bigint;
    }
  /** From the owner's free balance into the node's stake, or back. */
  | {
      readonly kind: "StakeMoved";
      readonly node: Address;
      readonly owner: Address;
      readonly amount: bigint;
      readonly intoStake: boolean;
    }
  /** All stake of one node to another of the same owner. */
  | { readonly kind: "StakeMigrated"; readonly from: Address; readonly to: Address; readonly amount: bigint }
  /** Out of a node's stake: a part to who proved the fault, the rest to nobody. */
  | {
      readonly kind: "StakeForfeited";
      readonly node: Address;
      readonly reporter: Address;
      readonly burned: bigint;
      readonly reward: bigint;
    };

/** Pay of one attempt of a lease, out of its task's reservation; the owner earns `gross - fee`. */
export interface PaidMovement {
  readonly kind: "Paid";
  readonly leaseId: Hex;
  readonly taskId: Hex;
  readonly consumer: Address;
  readonly owner: Address;
  readonly attempt: number;
  readonly ranSeconds: bigint;
  /** Of these the node was offline; they are not paid. */
  readonly downSeconds: bigint;
  readonly ratePerHour: bigint;
  readonly gross: bigint;
  readonly fee: bigint;
}

export type Movement = Place & Moved;

/** Negative where `left` happened first. */
export function byPlace(left: Place, right: Place): number {
  if (left.block !== right.block) return left.block < right.block ? -1 : 1;
  return left.logIndex - right.logIndex;
}
