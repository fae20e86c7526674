import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { listenForPresence } from "@dekuper/client";
import { createNodeClientPeer } from "@dekuper/client/node";
import type { ClientPeer } from "@dekuper/client/peer";
import { HEARTBEAT_INTERVAL_MS } from "@dekuper/protocol";
import type { Address } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { deployment, eventually, Registry, startTestNode, type TestNode } from "./market.ts";

/** What `listenForPresence` waits for a node that is not heard, milliseconds. */
const LISTENING_MS = 3 * HEARTBEAT_INTERVAL_MS;

/** A node that beats at its daemon's interval. */
interface BeatingNode extends TestNode {
  quiet(): void;
}

async function startBeating(registry: Registry, registeredAt?: readonly string[]): Promise<BeatingNode> {
  const node = await startTestNode({ registry, ...(registeredAt === undefined ? {} : { registeredAt }) });
  const timer = setInterval(() => void node.beat(), HEARTBEAT_INTERVAL_MS);
  const quiet = () => clearInterval(timer);
  return {
    ...node,
    quiet,
    stop: async () => {
      quiet();
      await node.stop();
    },
  };
}

async function withConsumer<T>(registry: Registry, use: (peer: ClientPeer) => Promise<T>): Promise<T> {
  const peer = createNodeClientPeer({ deployment, directory: registry });
  await peer.start();
  try {
    return await use(peer);
  } finally {
    await peer.stop();
  }
}

/** Who of these was heard, and after how many milliseconds all were or the listening ended. */
async function listen(peer: ClientPeer, expected: readonly Address[]) {
  const from = Date.now();
  const heard = await listenForPresence(peer, expected);
  return { heard: expected.filter((node) => heard.has(node)), ms: Date.now() - from };
}

describe("a consumer that listens, stops and listens again", () => {
  const registry = new Registry();
  let nodes: BeatingNode[];
  let dead: Address;
  before(async () => {
    nodes = await Promise.all([startBeating(registry), startBeating(registry), startBeating(registry)]);
    const last = nodes[2] as BeatingNode;
    dead = last.node;
    await eventually("the nodes are connected", () =>
      nodes.every(({ peer }) => peer.connectedNodes().length === 2),
    );
    await last.stop();
    nodes = nodes.slice(0, 2);
  });
  after(() => Promise.all(nodes.map((node) => node.stop())));

  it("hears every live node each time, and never the dead one", () =>
    withConsumer(registry, async (peer) => {
      const live = nodes.map(({ node }) => node);
      for (const pauseMs of [0, 50, 500, 2_500, 0]) {
        const { heard } = await listen(peer, live);
        assert.deepEqual(heard, live, `after ${pauseMs} ms`);
        await sleep(pauseMs);
      }
      assert.deepEqual((await listen(peer, [...live, dead])).heard, live);
    }));

  it("knows at once who was heard just before", () =>
    withConsumer(registry, async (peer) => {
      const live = nodes.map(({ node }) => node);
      await listen(peer, live);
      const { heard, ms } = await listen(peer, live);
      assert.deepEqual(heard, live);
      assert.ok(ms < HEARTBEAT_INTERVAL_MS / 4, `it took ${ms} ms`);
    }));
});

describe("a consumer in a market of which most is away", () => {
  const registry = new Registry();
  let node: BeatingNode;
  before(async () => {
    node = await startBeating(registry);
    for (let index = 0; index < 20; index++)
      registry.register(generatePrivateKey(), [`/ip4/127.0.0.1/tcp/${index + 1}`]);
  });
  after(() => node.stop());

  it("finds the node that is there before it stops listening", async () => {
    for (let turn = 0; turn < 4; turn++)
      await withConsumer(registry, async (peer) =>
        assert.deepEqual((await listen(peer, [node.node])).heard, [node.node]),
      );
  });
});

describe("a consumer whose connection is cut while it listens", () => {
  const registry = new Registry();
  const sockets = new Set<Socket>();
  let node: BeatingNode;
  let wire: Server;
  before(async () => {
    node = await startBeating(registry);
    const target = Number(/tcp\/(\d+)\/p2p/.exec(node.peer.multiaddrs.join(" "))?.[1]);
    wire = createServer((inbound) => {
      const outbound = connect(target, "127.0.0.1");
      for (const socket of [inbound, outbound]) {
        sockets.add(socket);
        socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
      }
      inbound.pipe(outbound).pipe(inbound);
    }).listen(0, "127.0.0.1");
    await once(wire, "listening");
    const { port } = wire.address() as AddressInfo;
    registry.register(node.key, [`/ip4/127.0.0.1/tcp/${port}`]);
  });
  after(async () => {
    await node.stop();
    wire.close();
    for (const socket of sockets) socket.destroy();
  });

  it("is connected again, and hears the node within the time that it listens", () =>
    withConsumer(registry, async (peer) => {
      await listen(peer, [node.node]);
      for (let turn = 0; turn < 3; turn++) {
        await sleep(LISTENING_MS); // nothing is fresh any more
        const listening = listen(peer, [node.node]);
        await eventually("it is connected", () => peer.connectedNodes().length === 1);
        for (const socket of sockets) socket.destroy();
        assert.deepEqual((await listening).heard, [node.node]);
      }
    }));
});
