import { noise } from "@chainsafe/libp2p-noise";
import { keepGossiping } from "@dekuper/protocol";
import { circuitRelayServer, circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { dcutr } from "@libp2p/dcutr";
import type { GossipSub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, PrivateKey } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { webSockets } from "@libp2p/websockets";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import type { HeartbeatGossip } from "./gossip.ts";
import type { PeerNodeOptions } from "./options.ts";

/** Far above what our own limits let in: libp2p's would refuse before it knows who comes. */
const MAX_CONNECTIONS = 2048;
const MIB = 1024n * 1024n;

export type DekuperLibp2p = Libp2p<{ pubsub: GossipSub }>;

/** libp2p as Dekuper's daemon uses it: TCP, WebSockets for browsers, noise, yamux, gossipsub, a limited relay and DCUtR. */
export async function createDaemonLibp2p(
  options: PeerNodeOptions,
  parts: { privateKey: PrivateKey; gater: ConnectionGater; gossip: HeartbeatGossip },
): Promise<DekuperLibp2p> {
  const libp2p = await createLibp2p({
    start: false,
    privateKey: parts.privateKey,
    addresses: { listen: [...options.listen], appendAnnounce: [...(options.announce ?? [])] },
    transports: [
      tcp(),
      webSockets(options.wsTls === undefined ? {} : { https: { ...options.wsTls } }),
      circuitRelayTransport({ maxInboundStopStreams: 64, maxOutboundStopStreams: 64 }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: 256 })],
    connectionGater: parts.gater,
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      maxIncomingPendingConnections: 256,
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER, // our gater counts, per host
      inboundUpgradeTimeout: 5_000,
      reconnectRetries: 0, // the dialer does it, from the registry
      maxParallelDials: 16,
    },
    connectionMonitor: { pingInterval: 10_000 },
    services: {
      identify: identify({ maxInboundStreams: 4 }),
      ping: ping({ maxInboundStreams: 4 }),
      dcutr: dcutr(),
      relay: circuitRelayServer({
        maxInboundHopStreams: 64,
        maxOutboundStopStreams: 64,
        reservations: {
          maxReservations: 32,
          defaultDurationLimit: 10 * 60_000,
          defaultDataLimit: 64n * MIB,
        },
      }),
      pubsub: parts.gossip.service(),
    },
  });
  keepGossiping(libp2p, libp2p.services.pubsub);
  return libp2p;
}
