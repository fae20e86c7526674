import { type Isolation, leaseRate, type NodeStatus, type Order, type TaskSpec } from "@dekuper/protocol";
import { isImageAllowed, misfit, nodeProblem, type Share } from "./fit.ts";
import type { Seconds } from "./plan.ts";

/** Verification levels that the open path takes: a quorum is quoted. */
const SIGNED_ONLY: ReadonlySet<number> = new Set([0]);

/** An order that nobody has taken. */
export interface OpenTaskFacts {
  readonly order: Order;
  /** When this node's ticket is admitted; undefined: never. */
  readonly admittedAt: Seconds | undefined;
  /** The order has `minConfirmations`. */
  readonly isConfirmed: boolean;
  /** The spec and its inputs are in this node's store and match the order; a reason: they cannot be had, or do not match. */
  readonly material:
    | { readonly kind: "unknown" }
    | {
        readonly kind: "ready";
        readonly spec: TaskSpec;
        /** Why the image cannot run here; asked again at `retryAt`, where there is one. */
        readonly imageProblem?: string | undefined;
        readonly retryAt?: Seconds | undefined;
      }
    | { readonly kind: "missing"; readonly what: "spec" | "key" | "image-answer"; readonly retryAt: Seconds }
    /** For good, unless it is asked for again at `retryAt`. */
    | { readonly kind: "invalid"; readonly reason: string; readonly retryAt?: Seconds };
}

/** What this node can and will take. */
export interface AcceptFacts {
  readonly evidence: "readable" | "unreadable";
  readonly mayAct: boolean;
  readonly maySign: boolean;
  readonly isStopping: boolean;
  readonly diskFull: boolean;
  readonly clusterReachable: boolean;
  readonly holdsLeaderLock: boolean;
  /** Undefined: not registered. */
  readonly status: NodeStatus | undefined;
  readonly hasStake: boolean;
  readonly available: Share;
  readonly storageMiB: bigint;
  readonly gpuModel: string;
  readonly isolation: Isolation;
  /** Base units per hour; the higher of posted and floor binds. */
  readonly posted: { readonly perGpuHour: bigint; readonly perVCpuHour: bigint };
  readonly floor: { readonly perGpuHour: bigint; readonly perVCpuHour: bigint };
  readonly imageHosts: readonly string[];
  readonly isLocalNetwork: boolean;
  /** The account holds the gas to finish one more lease than it has. */
  readonly hasGasReserve: boolean;
  readonly liveLeases: number;
  readonly maxLeases: number;
  readonly maxInputBytes: number;
}

/**
 * `fetch`: get spec and inputs, then ask again. `refuse`: not as order and node are now. `wait`: time (at `lookAgainAt`) or
 * a new fact may change it; the order closes in any case.
 */
export type AcceptPlan =
  | { readonly kind: "accept" }
  | { readonly kind: "fetch" }
  | { readonly kind: "wait"; readonly reason: string; readonly lookAgainAt: Seconds }
  | { readonly kind: "refuse"; readonly reason: string };

const missingReasons = {
  spec: "spec-not-found",
  key: "no-key",
  "image-answer": "image-not-checked",
} as const;

const refuse = (reason: string): AcceptPlan => ({ kind: "refuse", reason });

/** Whether this node takes an open order. Cheap questions first; nothing is fetched for an order that does not fit. */
export function planAccept(open: OpenTaskFacts, node: AcceptFacts, now: Seconds): AcceptPlan {
  const { order } = open;
  const closesAt = Number(order.openUntil) + 1;
  if (now >= closesAt) return refuse("closed");
  const wait = (reason: string, lookAgainAt = closesAt): AcceptPlan => ({
    kind: "wait",
    reason,
    lookAgainAt: Math.min(lookAgainAt, closesAt),
  });
  const blocked = nodeProblem(node);
  if (blocked !== undefined) return wait(blocked);
  const mismatch = orderProblem(order, node);
  if (mismatch !== undefined) return refuse(mismatch);
  if (open.admittedAt === undefined) return refuse("ticket-never-admitted");
  if (node.liveLeases >= node.maxLeases) return wait("lease-limit");
  if (!fits(order, node.available)) return wait("no-free-capacity");
  if (!node.hasStake) return wait("stake-too-low");
  if (!node.hasGasReserve) return wait("gas-reserve");
  if (!open.isConfirmed) return wait("confirmations");
  if (open.material.kind === "unknown") return { kind: "fetch" };
  if (open.material.kind === "missing")
    return wait(missingReasons[open.material.what], open.material.retryAt);
  const unfit = materialProblem(open.material, node);
  if (unfit !== undefined) return refuse(unfit);
  if (now < open.admittedAt) return wait("ticket-not-admitted-yet", open.admittedAt);
  return { kind: "accept" };
}

/** Why this order never fits this node. */
function orderProblem(order: Order, node: AcceptFacts): string | undefined {
  const unfit = misfit(order, node, SIGNED_ONLY);
  if (unfit !== undefined) return unfit.reason;
  if (order.ratePerHour < leaseRate(node.posted, order)) return "rate-below-posted";
  return order.ratePerHour < leaseRate(node.floor, order) ? "rate-below-floor" : undefined;
}

/** Why what was ordered never runs here. */
function materialProblem(
  material: Extract<OpenTaskFacts["material"], { kind: "ready" | "invalid" }>,
  node: AcceptFacts,
): string | undefined {
  if (material.kind === "invalid") return material.reason;
  const { spec, imageProblem } = material;
  if (!isImageAllowed(spec.image, node)) return "image-host-not-allowed";
  if (imageProblem !== undefined) return imageProblem;
  const inputBytes = spec.inputs.reduce((sum, input) => sum + input.size, 0);
  return inputBytes > node.maxInputBytes ? "inputs-too-large" : undefined;
}

function fits(order: Order, free: Share): boolean {
  return order.gpus <= free.gpus && order.vCpus <= free.vCpus && order.memoryMiB <= free.memoryMiB;
}
