import type {
  ConsumerPeer,
  Market,
  MarketNode,
  OrderPath,
  OutputKey,
  PreparedTask,
  QuotedPlan,
  TaskPlan,
} from "@dekuper/client";
import type { DekuperError } from "@dekuper/protocol";
import { type Address, zeroAddress } from "viem";
import type { CommandContext } from "./context.ts";

/** A recipient for dry runs that need no key: nothing is ever encrypted to it. */
const NO_RECIPIENT = `age1${"q".repeat(58)}`;

/** How a command was asked to find nodes: `quoted-or-open` orders at a posted rate where quotes do not cover the task. */
export type WantedPath = OrderPath | "quoted-or-open";

/** The path that options name. */
export function wantedPath(options: { open?: boolean; fallbackOpen?: boolean }): WantedPath {
  if (options.open === true) return "open";
  return options.fallbackOpen === true ? "quoted-or-open" : "quoted";
}

/** A task file read, hashed and planned. */
export interface Planned {
  readonly task: PreparedTask;
  readonly path: OrderPath;
  /** By what the nodes post. */
  readonly plan: TaskPlan;
  /** By what they quote; undefined where none was asked. */
  readonly quoted: QuotedPlan | undefined;
  readonly nodes: readonly MarketNode[];
  readonly peer: ConsumerPeer;
}

/** What is planned costs, all leases together, by its path. */
export interface PlannedCost {
  readonly ratePerHour: bigint | undefined;
  readonly reserved: bigint | undefined;
  readonly atMost: bigint | undefined;
  readonly problem: DekuperError | undefined;
}

export function costOf({ path, plan, quoted }: Planned): PlannedCost {
  return path === "quoted" && quoted !== undefined ? quoted : plan;
}

/** Reads the task file, listens for the nodes' heartbeats, plans, and asks nodes what they would take. */
export async function planFile(
  context: CommandContext,
  market: Market,
  path: string,
  options: { wanted: WantedPath; key?: OutputKey; consumer?: Address | undefined },
): Promise<Planned> {
  const [client, { loadTask, readTaskFile }] = await Promise.all([
    import("@dekuper/client"),
    import("@dekuper/client/node"),
  ]);
  const {
    deriveTaskKey,
    listenForPresence,
    planQuotes,
    planTask,
    quoteCap,
    requirePublic,
    throwawayTaskKey,
  } = client;
  const { wanted, key, consumer = zeroAddress } = options;
  const { env, signal } = context;
  const [token, file] = await Promise.all([market.token(), readTaskFile(path)]);
  context.progress.step("reading the task and hashing its inputs");
  const task = await loadTask({
    path,
    file,
    network: market.network,
    token,
    recipient: key?.recipient ?? NO_RECIPIENT,
    taskKey: key === undefined ? throwawayTaskKey() : deriveTaskKey(key),
    env,
    signal,
  });
  if (wanted !== "quoted") requirePublic(task);
  context.progress.step("listening for nodes");
  const [nodes, terms, head, peer] = await Promise.all([
    market.nodes(),
    market.terms(),
    market.head(),
    context.peer(market),
  ]);
  const active = nodes.filter((node) => node.status === "Active").map((node) => node.address);
  const presence = await listenForPresence(peer, active, { signal });
  const facts = { token, terms, now: head.timestamp, presence, nowMs: Date.now() };
  const plan = planTask(task.planOrder, nodes, facts);
  const cap = quoteCap(plan);
  if (wanted === "open" || cap === undefined) {
    context.progress.clear();
    return { task, path: "open", plan, quoted: undefined, nodes, peer };
  }
  context.progress.step("asking nodes for quotes");
  const quoted = await planQuotes({ market, peer, task, cap, nodes, consumer, signal });
  context.progress.clear();
  const isCovered = quoted.placements.length > 0;
  const falls = wanted === "quoted-or-open" && !isCovered && task.planOrder.leases === 1;
  return { task, path: falls ? "open" : "quoted", plan, quoted, nodes, peer };
}
