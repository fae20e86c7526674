import { type OutputAttestation, taskRegistryAbi } from "@dekuper/protocol";
import { encodeFunctionData, type Hex } from "viem";
import type { GasBudget } from "../journal/transactions.ts";

/** What the oracle sends: each call once for its purpose, from its gas budget (rule 31). */
export type Call =
  | { readonly name: "acceptTask"; readonly args: readonly [taskId: Hex] }
  | { readonly name: "takeOver"; readonly args: readonly [leaseId: Hex] }
  | { readonly name: "startLease"; readonly args: readonly [leaseId: Hex, attempt: number] }
  | {
      readonly name: "checkpoint";
      readonly args: readonly [leaseId: Hex, attempt: number, step: bigint, digest: Hex];
    }
  | { readonly name: "completeLease"; readonly args: readonly [OutputAttestation, signature: Hex] }
  | {
      readonly name: "commitResult";
      readonly args: readonly [leaseId: Hex, attempt: number, commitment: Hex];
    }
  | { readonly name: "revealResult"; readonly args: readonly [OutputAttestation, signature: Hex, salt: Hex] }
  | { readonly name: "tallyResults"; readonly args: readonly [taskId: Hex] }
  | { readonly name: "failLease"; readonly args: readonly [leaseId: Hex, attempt: number, reason: Hex] }
  | { readonly name: "failover"; readonly args: readonly [leaseId: Hex] }
  | { readonly name: "settle"; readonly args: readonly [leaseId: Hex] }
  | { readonly name: "lapseClaim"; readonly args: readonly [leaseId: Hex] }
  | { readonly name: "expire"; readonly args: readonly [leaseId: Hex] };

/** Calls that bring a lease, and with it an end that must be paid for. */
const TAKES: ReadonlySet<string> = new Set<Call["name"]>(["acceptTask", "takeOver"]);

export const takesLease = (purpose: string): boolean => TAKES.has(purpose.split(":", 1)[0] ?? "");

const RESERVED: ReadonlySet<Call["name"]> = new Set([
  "startLease",
  "completeLease",
  "commitResult",
  "revealResult",
  "failLease",
]);

/** Gas that start, complete (or commit and reveal) and fail of one lease may take together, with room. */
export const RESERVED_GAS_PER_LEASE = 1_200_000n;

export function budgetOf(call: Call): GasBudget {
  return RESERVED.has(call.name) ? "reserved" : "capped";
}

/** A call without what does not tell it from another. */
export type CallPurpose =
  | Exclude<Call, { name: "checkpoint" }>
  | {
      readonly name: "checkpoint";
      readonly args: readonly [leaseId: Hex, attempt: number, step: bigint, ...Hex[]];
    };

/** The same purpose twice is the same transaction: a second request joins the first. */
export function purposeOf(call: CallPurpose): string {
  switch (call.name) {
    case "completeLease":
    case "revealResult":
      return `${call.name}:${call.args[0].leaseId}:${call.args[0].attempt}`;
    case "startLease":
    case "commitResult":
    case "failLease":
      return `${call.name}:${call.args[0]}:${call.args[1]}`;
    case "checkpoint":
      return `checkpoint:${call.args[0]}:${call.args[1]}:${call.args[2]}`;
    default:
      return `${call.name}:${call.args[0]}`;
  }
}

export function encodeCall(call: Call): Hex {
  return encodeFunctionData({
    abi: taskRegistryAbi,
    functionName: call.name,
    args: call.args,
  } as Parameters<typeof encodeFunctionData>[0]);
}
