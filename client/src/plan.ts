import {
  DekuperError,
  formatAmount,
  formatMiB,
  type Isolation,
  isolationClasses,
  leaseRate,
  type Order,
  PRESENCE_TIMEOUT_MS,
  type Presence,
  reservation,
} from "@dekuper/protocol";
import type { Address } from "viem";
import type { TokenInfo } from "./chain/account.ts";
import type { MarketNode } from "./chain/nodes.ts";
import type { Terms } from "./chain/tasks.ts";

/** What is to be ordered, before a rate is chosen. */
export interface PlanOrder {
  readonly gpus: number;
  readonly gpuModel: string;
  readonly vCpus: number;
  readonly memoryMiB: bigint;
  readonly storageMiB: bigint;
  readonly isolation: Isolation;
  /** Equal shares of the task, each of the size above. */
  readonly leases: number;
  /** How many replicas of a quorum must agree, each of which goes to another owner; 0 [0]: it is none. */
  readonly threshold?: number | undefined;
  /** Seconds. */
  readonly maxDuration: number;
  /** Seconds that are reserved for at first. */
  readonly fundedSeconds: number;
  /** The task file's `rate`, base units per hour of one lease; undefined: the lowest that will do. */
  readonly rate?: bigint | undefined;
  /** The task file's `budget`, base units. */
  readonly budget?: bigint | undefined;
}

/** What the plan is judged by, besides the nodes. */
export interface PlanFacts {
  readonly token: Pick<TokenInfo, "symbol" | "decimals">;
  readonly terms: Pick<Terms, "lockBps" | "minLock" | "ticketAge">;
  /** Chain time, Unix seconds. */
  readonly now: bigint;
  /** Heartbeats seen, by node; undefined: nobody listened, so presence decides nothing. */
  readonly presence?: ReadonlyMap<Address, Pick<Presence, "receivedAt">> | undefined;
  /** The listener's clock, milliseconds; needed with `presence`. */
  readonly nowMs?: number | undefined;
}

export type UnfitReason =
  | "status"
  | "offline"
  | "gpus"
  | "gpu-model"
  | "cpu"
  | "memory"
  | "storage"
  | "isolation"
  | "stake"
  | "ticket-age"
  | "rate";

/** One reason why a node does not fit, with the values that decided. */
export interface Unfit {
  readonly reason: UnfitReason;
  readonly needs: string;
  readonly has: string;
}

export interface PlannedNode {
  readonly node: Address;
  readonly fits: boolean;
  readonly reasons: readonly Unfit[];
  /** How many of the leases it has room and stake for. */
  readonly takes: number;
  /** Lowest rate at which this node would take a lease, base units per hour. */
  readonly asks: bigint;
  /** Undefined: nobody listened. */
  readonly online: boolean | undefined;
}

export interface TaskPlan {
  /** Fitting nodes first, cheapest first. */
  readonly nodes: readonly PlannedNode[];
  readonly fitting: readonly Address[];
  /** Base units per hour of one lease; undefined where nothing fits and no rate was given. */
  readonly ratePerHour: bigint | undefined;
  /** The most that a quote for one lease may ask: the given rate, else what the dearest asks that is capable. */
  readonly cap: bigint | undefined;
  /** The most that all leases together can cost. */
  readonly atMost: bigint | undefined;
  /** What is reserved at first. */
  readonly reserved: bigint | undefined;
  readonly leases: number;
  readonly maxDuration: number;
  readonly fundedSeconds: number;
  readonly budget: bigint | undefined;
  /** What a node locks of its stake for one lease. */
  readonly lock: bigint | undefined;
  /** Why the order should not be placed, or undefined. */
  readonly problem: DekuperError | undefined;
}

/** Which nodes fit, why the others do not, at what rate, and what it costs. Pure. */
export function planTask(order: PlanOrder, nodes: readonly MarketNode[], facts: PlanFacts): TaskPlan {
  const looked = nodes.map((node) => ({ node, asks: asksOf(node, order), online: isOnline(node, facts) }));
  const capable = looked.map((entry) => ({ ...entry, reasons: shortcomings(entry.node, order, facts) }));
  const rate = order.rate ?? lowestRate(capable, order, facts);
  const planned = capable.map(({ node, asks, online, reasons }): PlannedNode => {
    const all = [...reasons, ...priceReasons(node, asks, rate ?? asks, order, facts)];
    const takes = all.length === 0 ? roomFor(node, rate ?? asks, order, facts) : 0;
    return { node: node.address, asks, online, reasons: all, takes, fits: all.length === 0 };
  });
  planned.sort((a, b) => Number(b.fits) - Number(a.fits) || compare(a.asks, b.asks));
  if (isQuorumOf(order)) leaveOneOfEachOwner(planned, nodes);
  const fitting = planned.filter((node) => node.fits).map((node) => node.node);
  const { leases, maxDuration, fundedSeconds, budget } = order;
  const all = BigInt(leases);
  const funded = rate === undefined ? undefined : reservation(rate, fundedSeconds);
  const plan = {
    nodes: planned,
    fitting,
    ratePerHour: rate,
    cap: order.rate ?? dearest(capable),
    atMost: rate === undefined ? undefined : all * reservation(rate, maxDuration),
    reserved: funded === undefined ? undefined : all * funded,
    leases,
    maxDuration,
    fundedSeconds,
    budget,
    lock: funded === undefined ? undefined : lockOf(funded, facts),
  };
  return { ...plan, problem: problemOf(plan, facts) };
}

/** The planned order's terms, or the plan's problem thrown. */
export function requirePlan(plan: TaskPlan): {
  ratePerHour: bigint;
  atMost: bigint;
  reserved: bigint;
  fitting: readonly Address[];
} {
  if (plan.problem !== undefined) throw plan.problem;
  const { ratePerHour, atMost, reserved, fitting } = plan;
  if (ratePerHour === undefined || atMost === undefined || reserved === undefined) {
    throw new DekuperError("NO_NODE_FITS", "No rate was given and no node posts one.");
  }
  return { ratePerHour, atMost, reserved, fitting };
}

/**
 * The most that a quote for one lease may ask: the plan's cap; where no node fits, what the dearest of all asks, so that each
 * says itself why it does not quote. Undefined: there is no node.
 */
export function quoteCap({ cap, nodes }: Pick<TaskPlan, "cap" | "nodes">): bigint | undefined {
  return (
    cap ??
    nodes
      .map(({ asks }) => asks)
      .sort(compare)
      .at(-1)
  );
}

/** What an existing order asks for, to plan it again. */
export function planOrderOf(order: Order): PlanOrder {
  return {
    gpus: order.gpus,
    gpuModel: order.gpuModel,
    vCpus: order.vCpus,
    memoryMiB: order.memoryMiB,
    storageMiB: order.storageMiB,
    isolation: isolationClasses[order.isolation] ?? "container",
    leases: order.leases,
    threshold: order.threshold,
    maxDuration: order.maxDuration,
    fundedSeconds: order.fundedSeconds,
    rate: order.ratePerHour,
  };
}

/** The chain refuses a rate of nothing. */
const LEAST_RATE = 1n;

function asksOf(node: MarketNode, order: PlanOrder): bigint {
  const posted = leaseRate(node.profile.posted, order);
  const floor = leaseRate(node.floor, order);
  const asks = posted > floor ? posted : floor;
  return asks > LEAST_RATE ? asks : LEAST_RATE;
}

function isOnline(node: MarketNode, facts: PlanFacts): boolean | undefined {
  if (facts.presence === undefined) return undefined;
  const seen = facts.presence.get(node.address);
  return seen !== undefined && (facts.nowMs ?? Date.now()) - seen.receivedAt <= PRESENCE_TIMEOUT_MS;
}

/** Everything that speaks against the node whatever the rate. */
function shortcomings(node: MarketNode, order: PlanOrder, facts: PlanFacts): Unfit[] {
  const { profile, available, stake } = node;
  const reasons: Unfit[] = [];
  const unless = (fine: boolean, reason: UnfitReason, needs: string, has: string) => {
    if (!fine) reasons.push({ reason, needs, has });
  };
  unless(node.status === "Active", "status", "Active", node.status);
  unless(isOnline(node, facts) !== false, "offline", "a heartbeat", "none seen");
  unless(available.gpus >= order.gpus, "gpus", count(order.gpus, "GPU"), free(available.gpus, profile.gpus));
  unless(
    order.gpuModel === "" || profile.gpuModel === order.gpuModel,
    "gpu-model",
    order.gpuModel,
    profile.gpuModel || "no GPU",
  );
  unless(
    available.vCpus >= order.vCpus,
    "cpu",
    count(order.vCpus, "vCPU"),
    free(available.vCpus, profile.vCpus),
  );
  unless(
    available.memoryMiB >= order.memoryMiB,
    "memory",
    formatMiB(order.memoryMiB),
    `${formatMiB(available.memoryMiB)} free of ${formatMiB(profile.memoryMiB)}`,
  );
  unless(
    profile.storageMiB >= order.storageMiB,
    "storage",
    formatMiB(order.storageMiB),
    formatMiB(profile.storageMiB),
  );
  unless(
    isolationClasses.indexOf(profile.isolation) >= isolationClasses.indexOf(order.isolation),
    "isolation",
    order.isolation,
    profile.isolation,
  );
  unless(
    stake.staked >= stake.required,
    "stake",
    `${formatAmount(stake.required, facts.token)} staked`,
    formatAmount(stake.staked, facts.token),
  );
  const ticketFrom = node.activeSince + BigInt(facts.terms.ticketAge);
  unless(
    ticketFrom <= facts.now,
    "ticket-age",
    `active for ${facts.terms.ticketAge} s`,
    `${facts.now - node.activeSince} s`,
  );
  return reasons;
}

/** What speaks against the node at this rate: it asks more, or cannot lock enough. */
function priceReasons(
  node: MarketNode,
  asks: bigint,
  rate: bigint,
  order: PlanOrder,
  facts: PlanFacts,
): Unfit[] {
  const reasons: Unfit[] = [];
  if (rate < asks) {
    const hourly = (amount: bigint) => `${formatAmount(amount, facts.token)}/h`;
    reasons.push({ reason: "rate", needs: `at most ${hourly(rate)}`, has: `asks ${hourly(asks)}` });
  }
  const lock = lockOf(reservation(rate, order.fundedSeconds), facts);
  const unlocked = node.stake.staked - node.stake.locked;
  if (node.stake.staked >= node.stake.required && unlocked < lock) {
    reasons.push({
      reason: "stake",
      needs: `${formatAmount(lock, facts.token)} to lock`,
      has: `${formatAmount(unlocked, facts.token)} unlocked`,
    });
  }
  return reasons;
}

/** How many of the order's leases the node has room and stake for, at this rate. */
function roomFor(node: MarketNode, rate: bigint, order: PlanOrder, facts: PlanFacts): number {
  const { available, stake } = node;
  const lock = lockOf(reservation(rate, order.fundedSeconds), facts);
  const room = [
    BigInt(order.leases),
    ...(order.gpus === 0 ? [] : [BigInt(available.gpus) / BigInt(order.gpus)]),
    BigInt(available.vCpus) / BigInt(order.vCpus),
    available.memoryMiB / order.memoryMiB,
    ...(lock === 0n ? [] : [(stake.staked - stake.locked) / lock]),
  ];
  return Number(room.reduce((least, each) => (each < least ? each : least)));
}

const isQuorumOf = ({ threshold = 0 }: PlanOrder) => threshold > 0;

/** Replicas on nodes of one owner would agree with themselves: of each owner the first node takes one. */
function leaveOneOfEachOwner(planned: PlannedNode[], nodes: readonly MarketNode[]): void {
  const ownerOf = new Map(nodes.map(({ address, owner }) => [address, owner]));
  const seen = new Set<Address | undefined>();
  for (const [at, node] of planned.entries()) {
    if (node.takes === 0) continue;
    const owner = ownerOf.get(node.node);
    planned[at] = { ...node, takes: seen.has(owner) ? 0 : 1 };
    seen.add(owner);
  }
}

interface Candidate {
  readonly node: MarketNode;
  readonly asks: bigint;
  readonly reasons: readonly Unfit[];
}

/** The lowest rate at which enough nodes take all leases. */
function lowestRate(capable: readonly Candidate[], order: PlanOrder, facts: PlanFacts): bigint | undefined {
  const willing = capable.filter(({ node, asks, reasons }) => {
    return reasons.length === 0 && priceReasons(node, asks, asks, order, facts).length === 0;
  });
  const rates = willing.map(({ asks }) => asks).sort(compare);
  const placed = (rate: bigint) => {
    const within = willing.filter(({ asks }) => asks <= rate);
    if (isQuorumOf(order)) return new Set(within.map(({ node }) => node.owner)).size;
    return within.reduce((sum, { node }) => sum + roomFor(node, rate, order, facts), 0);
  };
  return rates.find((rate) => placed(rate) >= order.leases) ?? rates.at(-1);
}

/** The most that any node asks which is good for the order otherwise. */
function dearest(capable: readonly Candidate[]): bigint | undefined {
  return capable
    .filter(({ reasons }) => reasons.length === 0)
    .map(({ asks }) => asks)
    .sort(compare)
    .at(-1);
}

function lockOf(reserved: bigint, facts: PlanFacts): bigint {
  // Rounded up: a base unit more never turns a fitting node away on chain.
  const share = (reserved * BigInt(facts.terms.lockBps) + 9_999n) / 10_000n;
  return share > facts.terms.minLock ? share : facts.terms.minLock;
}

function problemOf(plan: Omit<TaskPlan, "problem">, facts: PlanFacts): DekuperError | undefined {
  if (plan.atMost !== undefined && plan.budget !== undefined && plan.atMost > plan.budget) {
    return new DekuperError(
      "BUDGET_EXCEEDED",
      `The task may cost ${formatAmount(plan.atMost, facts.token)}; its budget is ${formatAmount(plan.budget, facts.token)}.`,
      { details: { atMost: plan.atMost, budget: plan.budget, ratePerHour: plan.ratePerHour } },
    );
  }
  const placed = plan.nodes.reduce((sum, { takes }) => sum + takes, 0);
  if (placed >= plan.leases) return undefined;
  if (placed > 0) {
    const few = `${plan.fitting.length} ${plan.fitting.length === 1 ? "node fits, and has" : "nodes fit, and have"}`;
    return new DekuperError(
      "NO_NODE_FITS",
      `The task needs ${plan.leases} nodes; ${few} room for ${placed} of them.`,
      { details: { leases: plan.leases, room: placed, fitting: plan.fitting.length } },
    );
  }
  const counts = new Map<UnfitReason, number>();
  for (const { reason } of plan.nodes.flatMap((node) => node.reasons)) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const why = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, times]) => `${reason} (${times})`);
  const message =
    plan.nodes.length === 0
      ? "No node is registered."
      : `None of ${plan.nodes.length} ${plan.nodes.length === 1 ? "node" : "nodes"} fits: ${why.join(", ")}.`;
  return new DekuperError("NO_NODE_FITS", message, {
    details: { nodes: plan.nodes.length, reasons: why.join(", ") },
  });
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);
const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? "" : "s"}`;
const free = (available: number, declared: number) => `${available} free of ${declared}`;
