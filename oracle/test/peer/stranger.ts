import { noise } from "@chainsafe/libp2p-noise";
import { channelName, type Deployment, encodeFrame, FramedStream } from "@dekuper/protocol";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { type GossipSub, gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { type Hex, hexToBytes } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { deployment, type TestNode } from "./market.ts";

/** A peer with bare hands: any key, any protocol, any bytes. */
export interface Stranger {
  readonly libp2p: Libp2p<{ pubsub: GossipSub }>;
  connect(to: TestNode): Promise<void>;
  /** A raw stream on one of the node's channels. */
  raw(to: TestNode, channel: Parameters<typeof channelName>[0], of?: Deployment): Promise<Stream>;
  open(to: TestNode, channel: Parameters<typeof channelName>[0], idleMs?: number): Promise<FramedStream>;
  /** Sends a header as it is and reads the answer's. */
  ask(
    to: TestNode,
    channel: Parameters<typeof channelName>[0],
    header: unknown,
  ): Promise<Record<string, unknown> | undefined>;
  stop(): Promise<void>;
}

/** With a registered node's key it is that node, as far as anyone can tell. */
export async function startStranger(key: Hex = generatePrivateKey()): Promise<Stranger> {
  const libp2p = await createLibp2p({
    privateKey: privateKeyFromRaw(hexToBytes(key)),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { reconnectRetries: 0 },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        allowPublishToZeroTopicPeers: true,
        scoreParams: {},
        D: 0,
        Dlo: 0,
        Dhi: 0,
        Dscore: 0,
        Dout: 0,
      }),
    },
  });
  const addressOf = (to: TestNode) =>
    multiaddr(to.peer.multiaddrs.find((text) => !text.includes("/ws")) ?? "");
  const raw = (to: TestNode, channel: Parameters<typeof channelName>[0], of = deployment) =>
    libp2p.dialProtocol(addressOf(to), channelName(channel, of.chainId, of.taskRegistry), {
      signal: AbortSignal.timeout(10_000),
      maxOutboundStreams: 10_000,
    });
  const open = async (to: TestNode, channel: Parameters<typeof channelName>[0], idleMs = 20_000) =>
    new FramedStream(await raw(to, channel), { idleMs });
  return {
    libp2p,
    raw,
    open,
    connect: async (to) => {
      await libp2p.dial(addressOf(to), { signal: AbortSignal.timeout(10_000) });
    },
    ask: async (to, channel, header) => {
      const stream = await open(to, channel);
      try {
        await stream.write(encodeFrame(bytesOf(header)));
        const frame = await stream.readFrame(64 * 1024);
        return frame === undefined ? undefined : JSON.parse(Buffer.from(frame).toString());
      } finally {
        stream.abort(new Error("done"));
      }
    },
    stop: async () => libp2p.stop(),
  };
}

function bytesOf(header: unknown): Uint8Array {
  return header instanceof Uint8Array ? header : Buffer.from(JSON.stringify(header));
}
