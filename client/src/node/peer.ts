import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { tcp } from "@libp2p/tcp";
import { webSockets } from "@libp2p/websockets";
import { type ClientPeer, type ClientPeerOptions, createClientPeer } from "../peer/client-peer.ts";

/** The consumer's peer with what Node has besides WebSockets: TCP, and relays for nodes behind NAT. */
export function createNodeClientPeer(options: Omit<ClientPeerOptions, "transports">): ClientPeer {
  return createClientPeer({ ...options, transports: [tcp(), webSockets(), circuitRelayTransport()] });
}
