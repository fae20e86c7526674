import { livenessAbi, type OutputAttestation, type reportInput, taskRegistryAbi } from "@dekuper/protocol";
import { type Address, encodeFunctionData, type Hex } from "viem";
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
  | { readonly name: "answerWithReceipt"; readonly args: readonly [leaseId: Hex, signature: Hex] }
  | {
      readonly name: "answerWithAttesters";
      readonly args: readonly [leaseId: Hex, fetched: boolean, signatures: readonly Hex[]];
    }
  | { readonly name: "expire"; readonly args: readonly [leaseId: Hex] }
  | LivenessCall;

/** Calls of Liveness. Those without arguments name what they answer, so that they can be sent again later. */
export type LivenessCall =
  | { readonly name: "stillAlive"; readonly args: readonly []; readonly since: number }
  | { readonly name: "checkIn" | "rotate"; readonly args: readonly []; readonly epoch: number }
  | { readonly name: "report"; readonly args: readonly [ReturnType<typeof reportInput>, readonly Hex[]] };

/** Calls that bring a lease, and with it an end that must be paid for. */
const TAKES: ReadonlySet<string> = new Set<Call["name"]>(["acceptTask", "takeOver"]);

export const takesLease = (purpose: string): boolean => TAKES.has(purpose.split(":", 1)[0] ?? "");

const RESERVED: ReadonlySet<Call["name"]> = new Set([
  "startLease",
  "completeLease",
  "commitResult",
  "revealResult",
  "failLease",
  "stillAlive",
  "answerWithReceipt",
]);

/** Gas that start, complete (or commit and reveal), fail and its node's signs of life of one lease may take together, with room. */
export const RESERVED_GAS_PER_LEASE = 1_200_000n;

/** Gas that the answer to a delivery claim may take, with the signatures of 16 attesters, with room. */
export const RESERVED_GAS_PER_ANSWER = 500_000n;

/** An answer that says "delivered" is for the node's own lease; what it says of others' can wait. */
export function budgetOf(call: Call): GasBudget {
  const isOwnAnswer = call.name === "answerWithAttesters" && call.args[1];
  return RESERVED.has(call.name) || isOwnAnswer ? "reserved" : "capped";
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
    case "stillAlive":
      return `stillAlive:${call.since}`;
    case "checkIn":
    case "rotate":
      return `${call.name}:${call.epoch}`;
    case "report":
      return `report:${call.args[0].epoch}:${call.args[0].issuedAt}`;
    case "answerWithAttesters":
      return `answerWithAttesters:${call.args[0]}:${call.args[1]}`;
    default:
      return `${call.name}:${call.args[0]}`;
  }
}

/** The contracts that calls go to. */
export interface CallTargets {
  readonly taskRegistry: Address;
  readonly liveness: Address;
}

const LIVENESS: ReadonlySet<Call["name"]> = new Set<LivenessCall["name"]>([
  "stillAlive",
  "checkIn",
  "rotate",
  "report",
]);

/** Where a call goes, with that contract's ABI. */
export function contractOf({ name }: Pick<Call, "name">, { taskRegistry, liveness }: CallTargets) {
  return LIVENESS.has(name)
    ? { address: liveness, abi: livenessAbi }
    : { address: taskRegistry, abi: taskRegistryAbi };
}

export function encodeCall(call: Call): Hex {
  return encodeFunctionData({
    abi: LIVENESS.has(call.name) ? livenessAbi : taskRegistryAbi,
    functionName: call.name,
    args: call.args,
  } as Parameters<typeof encodeFunctionData>[0]);
}
