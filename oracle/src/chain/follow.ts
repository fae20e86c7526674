import { type Deployment, nodeRegistryAbi, taskRegistryAbi } from "@dekuper/protocol";
import { getAddress, type Log, parseEventLogs } from "viem";
import { type ChainFact, type FactStore, isLeaseEvent, type StoredBlock } from "../journal/facts.ts";
import { checkDeploymentBlock } from "./checks.ts";
import { blockOf, type ChainReader, isRefusal } from "./reader.ts";

/** What the follower found: facts up to a block, or that the chain took back everything above one. */
export type FollowItem =
  | { readonly kind: "facts"; readonly facts: readonly ChainFact[]; readonly block: StoredBlock }
  | { readonly kind: "reorged"; readonly toBlock: number };

export interface FollowOptions {
  readonly reader: ChainReader;
  readonly store: FactStore;
  readonly deployment: Deployment;
  /** Most blocks of one `getLogs`. */
  readonly range: number;
  readonly signal: AbortSignal;
}

/**
 * Reads logs from the stored cursor to the head, in bounded ranges, and ends there. The caller records each item before
 * it takes the next. `CHAIN_CHANGED` when not even the deployment is on this chain any more.
 */
export async function* followLogs(options: FollowOptions): AsyncGenerator<FollowItem> {
  const { reader, store, deployment, range, signal } = options;
  const view = reader.view;
  if (view.evidence === "unreadable") return;
  const head = view.head.number;
  const cursor = store.cursor();
  if (cursor !== undefined && cursor.number > head) {
    // A lagging RPC, or another chain.
    await reader.read((client) => checkDeploymentBlock(client, deployment));
    return;
  }
  if (cursor !== undefined) {
    const toBlock = await commonBlock(options);
    if (toBlock !== cursor.number) yield { kind: "reorged", toBlock };
  }
  let from = (store.cursor()?.number ?? deployment.deploymentBlock - 1) + 1;
  let most = range;
  while (from <= head && !signal.aborted) {
    // Stopping at the final block leaves one in the store that no reorg takes back.
    const limit = from <= view.final.number ? view.final.number : head;
    const to = Math.min(limit, from + most - 1);
    let item: FollowItem;
    try {
      item = await readRange(options, from, to);
    } catch (error) {
      // RPCs take ranges of very different sizes, and say so each in its own words: fewer blocks are asked for.
      if (to === from || !isRefusal(error)) throw error;
      most = Math.max(1, Math.floor((to - from + 1) / 4));
      continue;
    }
    yield item;
    from = to + 1;
  }
}

/** The newest stored block that is still on the chain, or the one before the deployment. */
async function commonBlock({ reader, store, deployment }: FollowOptions): Promise<number> {
  for (const stored of store.blocks()) {
    // Below the head there is a block; an RPC that finds none does not know, which is no sign of a reorg.
    const { hash } = await reader.read((client) => blockOf(client, { blockNumber: BigInt(stored.number) }));
    if (hash === stored.hash) return stored.number;
  }
  await reader.read((client) => checkDeploymentBlock(client, deployment));
  return deployment.deploymentBlock - 1;
}

async function readRange(
  { reader, deployment }: FollowOptions,
  from: number,
  to: number,
): Promise<FollowItem> {
  return reader.read(async (client) => {
    const block = await blockOf(client, { blockNumber: BigInt(to) });
    const logs = await client.getLogs({
      address: [deployment.taskRegistry, deployment.nodeRegistry],
      fromBlock: BigInt(from),
      toBlock: BigInt(to),
    });
    const facts = logs.flatMap((log) => factOf(log, deployment) ?? []);
    return { kind: "facts", facts, block: { number: block.number, hash: block.hash } };
  });
}

/** Events after which a node's entry in the map is read again. */
const NODE_EVENTS: ReadonlySet<string> = new Set([
  "NodeRegistered",
  "ProfileUpdated",
  "FloorChanged",
  "NodeStatusChanged",
  "OperatorRevoked",
]);

/** A log as a fact; undefined for what the oracle does not keep. */
export function factOf(log: Log, deployment: Deployment): ChainFact | undefined {
  if (log.blockNumber === null || log.logIndex === null || log.removed) return undefined;
  const at = { block: Number(log.blockNumber), logIndex: log.logIndex };
  if (getAddress(log.address) === deployment.nodeRegistry) {
    const [event] = parseEventLogs({ abi: nodeRegistryAbi, logs: [log] });
    if (event === undefined || !NODE_EVENTS.has(event.eventName)) return undefined;
    return "node" in event.args ? { ...at, kind: "node", node: getAddress(event.args.node) } : undefined;
  }
  const [event] = parseEventLogs({ abi: taskRegistryAbi, logs: [log] });
  if (event === undefined) return undefined;
  if (event.eventName === "TaskCreated") {
    const { taskId, consumer, order } = event.args;
    return { ...at, kind: "task", task: { taskId, consumer: getAddress(consumer), order } };
  }
  if (event.eventName === "KeyGranted") {
    const { taskId, node, wrap } = event.args;
    return { ...at, kind: "grant", taskId, node: getAddress(node), wrap };
  }
  if (!isLeaseEvent(event.eventName) || !("leaseId" in event.args)) return undefined;
  const { args } = event;
  return {
    ...at,
    kind: "lease",
    event: event.eventName,
    leaseId: args.leaseId,
    ...("node" in args ? { node: getAddress(args.node) } : {}),
    ...("attempt" in args ? { attempt: args.attempt } : {}),
    ...("deadline" in args ? { deadline: Number(args.deadline) } : {}),
    ...("answerUntil" in args ? { deadline: Number(args.answerUntil) } : {}),
  };
}
