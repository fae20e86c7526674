import { marketDirectory } from "../directory.ts";
import type { Market } from "../market.ts";
import type { ClientPeer } from "../peer/client-peer.ts";
import { createNodeClientPeer } from "./peer.ts";

/** A started peer over TCP and WebSockets that finds nodes by the market's registry as it is now. */
export async function startNodePeer(market: Market): Promise<ClientPeer> {
  const peer = createNodeClientPeer({
    deployment: market.network.deployment,
    directory: marketDirectory(await market.nodes()),
  });
  await peer.start();
  return peer;
}
