import { type Deployment, type DirectoryNode, nodeRegistryAbi, type PeerDirectory } from "@dekuper/protocol";
import { type Address, getAddress } from "viem";
import { type NodeEntry, readNode } from "../chain/contracts.ts";
import type { ChainReader } from "../chain/reader.ts";

const PAGE = 100n;

/** The registry's nodes as the oracle last read them: the peer layer's directory, and this node's own entry. */
export class NodeMap implements PeerDirectory {
  private readonly reader: ChainReader;
  private readonly deployment: Deployment;
  private nodes = new Map<Address, NodeEntry>();

  constructor(reader: ChainReader, deployment: Deployment) {
    this.reader = reader;
    this.deployment = deployment;
  }

  /** Reads everything again: after the follower saw a node's event, and now and then. */
  async refresh(): Promise<void> {
    const addresses: Address[] = [];
    for (let offset = 0n; ; offset += PAGE) {
      const page = await this.reader.read((client) =>
        client.readContract({
          address: this.deployment.nodeRegistry,
          abi: nodeRegistryAbi,
          functionName: "nodesPaged",
          args: [offset, PAGE],
        }),
      );
      addresses.push(...page);
      if (BigInt(page.length) < PAGE) break;
    }
    const entries = await Promise.all(addresses.map((node) => this.read(node)));
    this.nodes = new Map(
      entries.flatMap((entry) => (entry === undefined ? [] : [[entry.node, entry] as const])),
    );
  }

  /** One node as it is now. */
  async read(node: Address): Promise<NodeEntry | undefined> {
    return this.reader.read((client) => readNode(client, this.deployment, node));
  }

  /** A node's entry as it was last read. */
  entry(node: Address): NodeEntry | undefined {
    return this.nodes.get(getAddress(node));
  }

  /** Active nodes but this one: other owners' first, for those of one owner may go together, and connected ones before the rest. */
  othersThan(node: Address, connected: readonly Address[]): readonly Address[] {
    const owner = this.entry(node)?.owner;
    const rank = (entry: NodeEntry) =>
      (entry.owner === owner ? 2 : 0) + (connected.includes(entry.node) ? 0 : 1);
    return [...this.nodes.values()]
      .filter((entry) => entry.status === "Active" && entry.node !== getAddress(node))
      .map((entry) => ({ entry, order: Math.random() }))
      .sort((a, b) => rank(a.entry) - rank(b.entry) || a.order - b.order)
      .map(({ entry }) => entry.node);
  }

  find(node: Address): DirectoryNode | undefined {
    const entry = this.nodes.get(getAddress(node));
    return entry === undefined || entry.status === "Retired" ? undefined : directoryNode(entry);
  }

  all(): readonly DirectoryNode[] {
    return [...this.nodes.values()]
      .filter(({ status }) => status === "Active" || status === "Draining")
      .map(directoryNode);
  }
}

function directoryNode(entry: NodeEntry): DirectoryNode {
  return {
    node: entry.node,
    operatorPublicKey: entry.operatorPublicKey,
    multiaddrs: entry.multiaddrs,
    active: entry.status === "Active",
  };
}
