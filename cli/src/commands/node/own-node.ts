import type { Market, MarketNode } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Address } from "viem";
import { readAddress } from "../../amounts.ts";

/**
 * The node that an owner's command is about: the one that is named, or the only one that the account owns or is, except
 * `other`.
 */
export async function findOwnNode(
  market: Market,
  account: Address,
  text: string,
  other?: Address,
): Promise<MarketNode> {
  if (text !== "") return market.node(readAddress(text, "node"));
  const nodes = (await market.nodes()).filter(
    (node) => (node.owner === account || node.address === account) && node.address !== other,
  );
  const live = nodes.filter((node) => node.status !== "Retired");
  const candidates = live.length > 0 ? live : nodes;
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  if (only === undefined) {
    throw new DekuperError(
      "NOT_FOUND",
      other === undefined ? `${account} owns no node.` : `${account} owns no node beside ${other}.`,
      {
        details: { account },
        hint: "Use the owner's key, or name the node by its address.",
      },
    );
  }
  throw new DekuperError(
    "USAGE",
    `${account} owns ${candidates.length} nodes: ${candidates.map(({ address }) => address).join(", ")}.`,
    { hint: "Name one of them." },
  );
}
