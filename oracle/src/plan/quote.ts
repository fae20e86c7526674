import { isDekuperError, isQuorum, type Order, reservation } from "@dekuper/protocol";
import type { AcceptFacts } from "./accept.ts";
import { askingRate, isImageAllowed, type Misfit, misfit, nodeProblem, type Share } from "./fit.ts";
import type { Seconds } from "./plan.ts";

/** What the node would promise twice: quotes that have not expired hold their share until they do. */
export interface Holds extends Share {
  readonly leases: number;
  /** Stake that those leases would lock, base units. */
  readonly lock: bigint;
}

/** What a node goes by when it quotes. */
export interface QuoteFacts extends AcceptFacts {
  /** The provider takes leases whose pay depends on other nodes' results. */
  readonly allowsQuorum: boolean;
  /** Base units. */
  readonly unlockedStake: bigint;
  /** A lease locks `max(minLock, lockBps x reserved / 10000)` (rule 2). */
  readonly lockBps: number;
  readonly minLock: bigint;
  /** Of every live quote but this order's: an order that is asked for again replaces its own. */
  readonly held: Holds;
  /** Quotes that may still be signed: of all together, and for who asks. */
  readonly quotesLeft: number;
  /** Seconds that a quote holds. */
  readonly quoteLife: number;
}

/** What a consumer asks. */
export interface QuoteAsk {
  readonly order: Order;
  readonly image: string;
  readonly inputBytes: number;
  /** Leases to sign for; 0: only an offer is wanted. */
  readonly members: number;
  /** `unanswered`: nobody could be asked, or not in time. */
  readonly imageAnswer:
    | { readonly kind: "unknown" }
    | { readonly kind: "fit" }
    | { readonly kind: "unfit"; readonly problem: string }
    | { readonly kind: "unanswered" };
}

/** `check-image`: everything else suits; ask for the image, then plan again. */
export type QuotePlan =
  | {
      readonly kind: "offer";
      /** Base units per hour, one lease. */
      readonly ratePerHour: bigint;
      readonly startWindow: number;
      /** Leases of the order that the node takes now. */
      readonly leases: number;
      /** Of the leases asked for, how many are signed. */
      readonly sign: number;
      /** Stake that each lease would lock. */
      readonly lock: bigint;
      readonly expiry: Seconds;
    }
  | { readonly kind: "check-image" }
  | ({ readonly kind: "refuse" } & Misfit);

const SIGNED: ReadonlySet<number> = new Set([0]);
const SIGNED_OR_QUORUM: ReadonlySet<number> = new Set([0, 1]);

const refuse = (reason: string, values: Misfit["values"] = {}): QuotePlan => ({
  kind: "refuse",
  reason,
  values,
});

/** Whether this node quotes for an order, at what rate, and for how many of its leases. `now` is chain time. */
export function planQuote(ask: QuoteAsk, node: QuoteFacts, now: Seconds): QuotePlan {
  const { order, imageAnswer } = ask;
  if (now > Number(order.openUntil))
    return refuse("closed", { openUntil: `${order.openUntil}`, now: `${now}` });
  const blocked = nodeProblem(node);
  if (blocked !== undefined) return refuse(blocked);
  const unfit = misfit(order, node, node.allowsQuorum ? SIGNED_OR_QUORUM : SIGNED);
  if (unfit !== undefined) return { kind: "refuse", ...unfit };
  const ratePerHour = askingRate(node, order);
  if (ratePerHour > order.ratePerHour)
    return refuse("rate-above-cap", { asks: `${ratePerHour}`, cap: `${order.ratePerHour}` });
  const unrunnable = envelopeProblem(ask, node);
  if (unrunnable !== undefined) return refuse(unrunnable);
  if (!node.hasStake) return refuse("stake-too-low");
  if (!node.hasGasReserve) return refuse("gas-reserve");
  const lock = lockOf(ratePerHour, order, node);
  const room = roomFor(order, lock, node);
  if (room.leases < 1) return refuse(room.reason, room.values);
  // Replicas on one node would agree with themselves.
  const leases = isQuorum(order) ? 1 : Math.min(room.leases, order.leases);
  if (ask.members > 0 && node.quotesLeft < 1) return refuse("too-many-quotes");
  if (imageAnswer.kind === "unknown") return { kind: "check-image" };
  if (imageAnswer.kind === "unanswered") return refuse("image-not-checked");
  if (imageAnswer.kind === "unfit") return refuse(imageAnswer.problem);
  return {
    kind: "offer",
    ratePerHour,
    startWindow: order.startWindow,
    leases,
    sign: Math.min(leases, ask.members, node.quotesLeft),
    lock,
    expiry: Math.min(now + node.quoteLife, Number(order.openUntil)),
  };
}

/** Why what the envelope names never runs here. */
function envelopeProblem({ image, inputBytes }: QuoteAsk, node: QuoteFacts): string | undefined {
  try {
    if (!isImageAllowed(image, node)) return "image-host-not-allowed";
  } catch (error) {
    if (isDekuperError(error, "IMAGE_INVALID")) return "image-invalid";
    throw error;
  }
  return inputBytes > node.maxInputBytes ? "inputs-too-large" : undefined;
}

/** Rounded up: the contract never wants more. */
function lockOf(ratePerHour: bigint, order: Order, node: QuoteFacts): bigint {
  const reserved = reservation(ratePerHour, order.fundedSeconds);
  const share = (reserved * BigInt(node.lockBps) + 9_999n) / 10_000n;
  return share > node.minLock ? share : node.minLock;
}

/** How many leases of this size there is room for, and what there is least of. */
function roomFor(order: Order, lock: bigint, node: QuoteFacts): Misfit & { leases: number } {
  const { available, held } = node;
  const bounds = [
    bound("lease-limit", "leases", 1n, node.maxLeases - node.liveLeases - held.leases),
    bound("no-free-capacity", "gpus", BigInt(order.gpus), available.gpus - held.gpus),
    bound("no-free-capacity", "vCpus", BigInt(order.vCpus), available.vCpus - held.vCpus),
    bound("no-free-capacity", "memoryMiB", order.memoryMiB, available.memoryMiB - held.memoryMiB),
    bound("stake-too-low", "stake", lock, node.unlockedStake - held.lock),
  ];
  return bounds.reduce((least, other) => (other.leases < least.leases ? other : least));
}

function bound(reason: string, what: string, needs: bigint, free: number | bigint) {
  const most = BigInt(free) > 0n ? BigInt(free) : 0n;
  const leases = needs === 0n ? MOST : most / needs;
  return {
    reason,
    values: { what, needs: needs.toString(), free: most.toString() },
    leases: Number(leases < MOST ? leases : MOST),
  };
}

/** More leases than any order has. */
const MOST = 1_000n;
