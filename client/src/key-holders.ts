import {
  decodeWrap,
  isDekuperError,
  type Network,
  type NodeStatus,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, decodeEventLog, getAddress, type Hex, type PublicClient, toEventSelector } from "viem";
import { getAbiItem } from "viem/utils";
import { getLogsInRanges } from "./chain/logs.ts";
import type { MarketNode } from "./chain/nodes.ts";
import type { KeyWrap } from "./chain/task-calls.ts";
import type { TimelineEvent } from "./chain/timeline.ts";
import type { Market } from "./market.ts";

const KEY_GRANTED = toEventSelector(getAbiItem({ abi: taskRegistryAbi, name: "KeyGranted" }));

/** A node that was handed a private task's key (rule 11). */
export interface KeyHolder {
  readonly node: Address;
  /** Of its encryption keys the newest that the task's key was wrapped for, from 1. */
  readonly keyVersion: number;
  /** The node's encryption key now. */
  readonly currentVersion: number;
  /** The wrap is for the key that the node has now. */
  readonly isCurrent: boolean;
  readonly status: NodeStatus;
}

/** Every wrap of a task's key on chain, oldest first. */
export async function readKeyGrants(
  { network, publicClient }: { readonly network: Network; readonly publicClient: PublicClient },
  taskId: Hex,
): Promise<readonly KeyWrap[]> {
  const { taskRegistry, deploymentBlock } = network.deployment;
  const logs = await getLogsInRanges(publicClient, network, {
    address: [taskRegistry],
    filters: [[KEY_GRANTED, taskId]],
    fromBlock: BigInt(deploymentBlock),
    toBlock: await publicClient.getBlockNumber(),
  });
  return logs.map(({ topics, data }) => {
    const { args } = decodeEventLog({
      abi: taskRegistryAbi,
      eventName: "KeyGranted",
      topics: topics as [Hex, ...Hex[]],
      data,
    });
    return { node: args.node, keyVersion: args.keyVersion, wrap: args.wrap };
  });
}

/** The same out of a timeline that was read already. */
export function keyGrantsIn(timeline: readonly Pick<TimelineEvent, "name" | "values">[]): readonly KeyWrap[] {
  return timeline
    .filter(({ name }) => name === "KeyGranted")
    .map(({ values }) => {
      const { node, keyVersion, wrap } = values as unknown as KeyWrap;
      return { node, keyVersion, wrap };
    });
}

/**
 * Who holds a task's key, in the order in which they were handed it first. Pure. A wrap that is none, which the chain takes too, is
 * no key; a grant to a node that is not among `nodes` is left out.
 */
export function keyHolders(
  grants: readonly KeyWrap[],
  nodes: readonly Pick<MarketNode, "address" | "encryptionKeyVersion" | "status">[],
): readonly KeyHolder[] {
  const versions = new Map<Address, number>();
  for (const { node, keyVersion, wrap } of grants) {
    const address = getAddress(node);
    if (isWrap(wrap)) versions.set(address, Math.max(keyVersion, versions.get(address) ?? 0));
  }
  return [...versions].flatMap(([node, keyVersion]) => {
    const found = nodes.find(({ address }) => getAddress(address) === node);
    if (found === undefined) return [];
    const { encryptionKeyVersion: currentVersion, status } = found;
    return { node, keyVersion, currentVersion, isCurrent: keyVersion === currentVersion, status };
  });
}

/** Who holds a private task's key now; nobody of a public one. `grants`: where they were read already. */
export async function readKeyHolders(
  market: Pick<Market, "network" | "publicClient" | "node">,
  taskId: Hex,
  grants?: readonly KeyWrap[],
): Promise<readonly KeyHolder[]> {
  const all = grants ?? (await readKeyGrants(market, taskId));
  const addresses = [...new Set(all.map(({ node }) => node))];
  return keyHolders(all, await Promise.all(addresses.map((address) => market.node(address))));
}

function isWrap(wrap: Hex): boolean {
  try {
    decodeWrap(wrap);
    return true;
  } catch (error) {
    if (isDekuperError(error, "KEY_WRAP_INVALID")) return false;
    throw error;
  }
}
