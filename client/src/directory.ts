import type { DirectoryNode, PeerDirectory } from "@dekuper/protocol";
import { type Address, getAddress } from "viem";
import type { MarketNode } from "./chain/nodes.ts";

/** The peer layer's directory over nodes that were read from the registry; `set` replaces them. */
export function marketDirectory(nodes: readonly MarketNode[] = []): PeerDirectory & {
  set(nodes: readonly MarketNode[]): void;
} {
  let known = new Map<Address, DirectoryNode>();
  const set = (all: readonly MarketNode[]) => {
    known = new Map(
      all
        .filter((node) => node.status === "Active" || node.status === "Draining")
        .map((node) => [
          getAddress(node.address),
          {
            node: getAddress(node.address),
            operatorPublicKey: node.operatorPublicKey,
            multiaddrs: node.profile.multiaddrs,
            active: node.status === "Active",
          },
        ]),
    );
  };
  set(nodes);
  return {
    find: (node) => known.get(getAddress(node)),
    all: () => [...known.values()],
    set,
  };
}
