import { marketDirectory } from "../directory.ts";
import type { Market } from "../market.ts";
import type { ClientPeer } from "../peer/client-peer.ts";
import { createNodeClientPeer } from "./peer.ts";

/** A started peer over TCP and WebSockets that finds nodes by the market's registry, also those registered later. */
export async function startNodePeer(market: Market): Promise<ClientPeer> {
  const directory = marketDirectory(await market.nodes());
  const peer = createNodeClientPeer({
    deployment: market.network.deployment,
    directory,
    reread: async () => directory.set(await market.nodes()),
  });
  await peer.start();
  return peer;
}
