import { noise } from "@chainsafe/libp2p-noise";
import { keepGossiping } from "@dekuper/protocol";
import { type GossipSub, gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Libp2p, Transport } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";

export type ClientLibp2p = Libp2p<{ pubsub: GossipSub }>;

/** A libp2p transport factory, such as `webSockets()`. */
// biome-ignore lint/suspicious/noExplicitAny: what a transport needs of libp2p is its own affair
export type TransportFactory = (components: any) => Transport;

/** A light peer that only dials: an ephemeral key, no listening, the heartbeats of one market at most. */
export async function createClientLibp2p(
  transports: readonly TransportFactory[],
  topic: string,
): Promise<ClientLibp2p> {
  const libp2p = await createLibp2p({
    addresses: { listen: [] },
    transports: [...transports],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // Browsers' default refuses ws:// and private addresses; nodes of a local network have nothing else.
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { reconnectRetries: 0, maxConnections: 64 },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        globalSignaturePolicy: "StrictSign",
        allowedTopics: [topic],
        emitSelf: false,
        fallbackToFloodsub: false,
        maxInboundDataLength: 64 * 1024,
        D: 2,
        Dlo: 1,
        Dhi: 4,
        Dout: 0,
        Dscore: 1,
      }),
    },
  });
  keepGossiping(libp2p, libp2p.services.pubsub);
  return libp2p;
}
