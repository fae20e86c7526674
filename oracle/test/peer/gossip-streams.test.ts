import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { noise } from "@chainsafe/libp2p-noise";
import { keepGossiping } from "@dekuper/protocol";
import { type GossipSub, gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { eventually } from "./market.ts";

const TOPIC = "heartbeats";

type Gossiping = Libp2p<{ pubsub: GossipSub }>;

async function startGossiping(): Promise<Gossiping> {
  const libp2p = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { reconnectRetries: 0 },
    services: {
      identify: identify(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, floodPublish: true }),
    },
  });
  keepGossiping(libp2p, libp2p.services.pubsub);
  libp2p.services.pubsub.subscribe(TOPIC);
  return libp2p;
}

/** What gossipsub keeps: more than its type says. */
interface Kept {
  readonly peers: Map<string, unknown>;
  /** The streams that it writes to. */
  readonly streamsOutbound: Map<string, { rawStream: Stream }>;
}

const keptBy = ({ services }: Gossiping) => services.pubsub as unknown as Kept;
const outboundOf = (peer: Gossiping) => keptBy(peer).streamsOutbound;

describe("gossip between two peers whose connection is lost at a bad moment", () => {
  let dialling: Gossiping;
  let listening: Gossiping;
  let stranger: Gossiping;
  before(async () => {
    [dialling, listening, stranger] = await Promise.all([
      startGossiping(),
      startGossiping(),
      startGossiping(),
    ]);
  });
  afterEach(async () => {
    for (const peer of [dialling, stranger]) await peer.hangUp(listening.peerId);
    await eventually("both have ended it", () =>
      [dialling, listening].every((peer) => peer.getConnections().length === 0),
    );
  });
  after(() => Promise.all([dialling.stop(), listening.stop(), stranger.stop()]));

  /** Resolves when both have asked gossipsub to use the connection, as it does when it is identified. */
  async function dial(): Promise<Connection> {
    const identified = [dialling, listening].map(
      (peer) =>
        new Promise<void>((resolve) =>
          peer.addEventListener("peer:identify", () => resolve(), { once: true }),
        ),
    );
    const connection = await dialling.dial(listening.getMultiaddrs(), { force: true });
    await Promise.all(identified);
    return connection;
  }

  const areBothTold = () =>
    eventually("each knows that the other listens", () =>
      [dialling, listening].every(({ services }) => services.pubsub.getSubscribers(TOPIC).length === 1),
    );

  /** Each hears the other's messages from now on. */
  async function areBothHeard(): Promise<void> {
    const heard = new Set<Gossiping>();
    for (const [peer, other] of [
      [dialling, listening],
      [listening, dialling],
    ] as const)
      peer.services.pubsub.addEventListener("message", ({ detail }) => {
        if (detail.type === "signed" && detail.from.equals(other.peerId)) heard.add(peer);
      });
    await eventually("each hears the other", async () => {
      for (const { services } of [dialling, listening])
        await services.pubsub.publish(TOPIC, crypto.getRandomValues(new Uint8Array(8)));
      return heard.size === 2;
    });
  }

  it("goes on after one that ended while its stream was opened", async () => {
    const isKept = Promise.withResolvers<void>();
    const endWithItsStream = ({ detail: connection }: { detail: Connection }) => {
      const open = connection.newStream.bind(connection);
      connection.newStream = async (protocols, options) => {
        const stream = await open(protocols, options);
        if (!stream.protocol.startsWith("/meshsub/")) return stream;
        connection.abort(new Error("cut"));
        await eventually("gossipsub has lost the peer", () => keptBy(listening).peers.size === 0);
        setTimeout(isKept.resolve, 0); // gossipsub has the stream by then
        return stream;
      };
    };
    listening.addEventListener("connection:open", endWithItsStream, { once: true });
    await dialling.dial(listening.getMultiaddrs());
    await isKept.promise;
    assert.equal(listening.getConnections().length, 0);
    assert.equal(outboundOf(listening).size, 1, "what this is about: gossipsub keeps the dead stream");
    await eventually("the other has lost it too", () => dialling.getConnections().length === 0);

    await dial();
    await areBothTold();
    await areBothHeard();
  });

  it("leaves nothing of one that ended while its stream was opened", async () => {
    await dial();
    await areBothTold();
    const [[id, stream] = []] = outboundOf(listening);
    assert.ok(id !== undefined && stream !== undefined);
    await dialling.hangUp(listening.peerId);
    await eventually("both have ended it", () => outboundOf(listening).size === 0);
    outboundOf(listening).set("some stranger's", stream);
    await eventually("it is forgotten", () => outboundOf(listening).size === 0);
  });

  it("goes on over the other of two when that which carried it has ended", async () => {
    const earlier = await dial();
    await areBothTold();
    const other = await dial();
    earlier.abort(new Error("cut"));
    await eventually("one is left", () =>
      [dialling, listening].every((peer) => peer.getConnections().length === 1),
    );
    await areBothTold();
    await areBothHeard();
    assert.equal(other.status, "open");
  });

  it("goes on over a connection on which its stream alone has ended", async () => {
    const connection = await dial();
    await areBothTold();
    const [stream] = outboundOf(dialling).values();
    stream?.rawStream.abort(new Error("cut"));
    await eventually("nobody is told any more", () =>
      [dialling, listening].some(({ services }) => services.pubsub.getSubscribers(TOPIC).length === 0),
    );
    await areBothTold();
    await areBothHeard();
    assert.equal(connection.status, "open");
  });

  it("does not wait for the stream of a stranger that does not answer", async () => {
    const stall = ({ detail: connection }: { detail: Connection }) => {
      const open = connection.newStream.bind(connection);
      connection.newStream = (protocols, options) =>
        protocols.toString().includes("/meshsub/") ? new Promise(() => undefined) : open(protocols, options);
    };
    listening.addEventListener("connection:open", stall, { once: true });
    await stranger.dial(listening.getMultiaddrs());
    await eventually("gossipsub knows the stranger", () => keptBy(listening).peers.size === 1);

    await dial();
    await eventually("each knows that the other listens", () =>
      dialling.services.pubsub.getSubscribers(TOPIC).some((peer) => peer.equals(listening.peerId)),
    );
    await areBothHeard();
  });

  it("stays on the one that carries it when the other ends", async () => {
    const carrying = await dial();
    await areBothTold();
    const streams = [dialling, listening].map((peer) => [...outboundOf(peer).values()][0]);
    const other = await dial();
    other.abort(new Error("cut"));
    await eventually("one is left", () => listening.getConnections().length === 1);
    const hearts = new Promise((resolve) =>
      dialling.services.pubsub.addEventListener("gossipsub:heartbeat", resolve, { once: true }),
    );
    await hearts;
    await areBothHeard();
    assert.equal(carrying.status, "open");
    assert.deepEqual(
      [dialling, listening].map((peer) => [...outboundOf(peer).values()][0]),
      streams,
    );
  });
});
