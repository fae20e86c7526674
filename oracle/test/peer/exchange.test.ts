import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { DekuperError } from "@dekuper/protocol";
import { multiaddr } from "@multiformats/multiaddr";
import type { Address } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { addressesOfNode } from "../../src/peer/dialer.ts";
import { AddressHints } from "../../src/peer/peer-exchange.ts";
import { createPeerNode } from "../../src/peer/peer-node.ts";
import { hostOf } from "../../src/peer/remote.ts";
import { TokenBuckets } from "../../src/peer/token-bucket.ts";
import {
  aHeartbeat,
  deployment,
  eventually,
  identityOf,
  Registry,
  startTestNode,
  type TestNode,
} from "./market.ts";
import { startStranger } from "./stranger.ts";

const nodes: TestNode[] = [];
after(() => Promise.all(nodes.map((node) => node.stop())));
async function start(...options: Parameters<typeof startTestNode>): Promise<TestNode> {
  const node = await startTestNode(...options);
  nodes.push(node);
  return node;
}

/** Nobody listens on it. */
const nowhere = ["/ip4/127.0.0.1/tcp/1"];

describe("finding nodes", () => {
  it("starts at the registry; where its addresses are out of date, other nodes tell the present ones", async () => {
    const registry = new Registry();
    const middle = await start({ registry });
    const moved = [
      await start({ registry, registeredAt: nowhere }),
      await start({ registry, registeredAt: nowhere }),
    ] as const;
    await eventually("both moved nodes are in touch with the middle one", () =>
      moved.every(({ node }) => middle.peer.connectedNodes().includes(node)),
    );
    // Neither can dial the other by what the registry says.
    await eventually("they reach each other", () => moved[0].peer.connectedNodes().includes(moved[1].node));
    for (const { node } of moved) assert.deepEqual(registry.find(node)?.multiaddrs, nowhere);
  });

  it("never brings in anybody who is not registered", async () => {
    const registry = new Registry();
    const one = await start({ registry });
    const two = await start({ registry });
    const outsider = await startStranger();
    await outsider.connect(one);
    await eventually("the two have exchanged what they know", () => (two.counts.channel_requests ?? 0) > 2);
    assert.deepEqual(two.peer.connectedNodes(), [one.node]);
    const known = new AddressHints(registry);
    const { node } = identityOf(generatePrivateKey());
    known.learn({ peers: [{ node, multiaddrs: nowhere }] });
    assert.deepEqual(known.of(node), []);
    await outsider.stop();
  });

  it("is for registered nodes: strangers are told nothing", async () => {
    const registry = new Registry();
    const one = await start({ registry });
    const outsider = await startStranger();
    const answer = await outsider.ask(one, "peers", {});
    assert.deepEqual([answer?.ok, answer?.code], [false, "READ_DENIED"]);
    await outsider.stop();
  });

  it("forgets what was told of a node once it is not registered any more", () => {
    const registry = new Registry();
    const hints = new AddressHints(registry);
    const { node } = registry.register(generatePrivateKey(), []);
    hints.learn({ peers: [{ node, multiaddrs: nowhere }] });
    assert.deepEqual(hints.of(node), nowhere);
    registry.nodes.clear();
    hints.learn({ peers: [] });
    assert.deepEqual(hints.of(node), []);
  });
});

describe("the addresses that are dialled", () => {
  const registry = new Registry();
  const { node, operatorPublicKey } = identityOf(generatePrivateKey());
  const dialled = (multiaddrs: string[], more: string[] = []) =>
    addressesOfNode({ node, operatorPublicKey, multiaddrs, active: true }, more).map(String);

  it("end with the registered key's peer id, whatever a text claims", async () => {
    const liar = await start({ registry });
    const [address] = dialled([`/ip4/10.0.0.1/tcp/1/p2p/${liar.peer.peerId}`]);
    assert.ok(address !== undefined && !address.includes(liar.peer.peerId));
    assert.match(address, /^\/ip4\/10\.0\.0\.1\/tcp\/1\/p2p\/16Uiu2/);
  });

  it("are the registry's first, and at most sixteen", () => {
    const many = Array.from({ length: 20 }, (_, index) => `/ip4/10.0.0.1/tcp/${index + 1}`);
    const all = dialled(["/ip4/10.0.0.9/tcp/9"], many);
    assert.equal(all.length, 16);
    assert.match(all[0] ?? "", /10\.0\.0\.9/);
  });

  it("leave out what cannot be read", () => {
    assert.equal(dialled(["nonsense", "/ip4/999.1.1.1/tcp/1", "/ip4/10.0.0.1/tcp/1"]).length, 1);
  });
});

describe("whose limits apply", () => {
  it("is the IPv4 address, the IPv6 /64, or the relay", () => {
    const host = (text: string) => hostOf(multiaddr(text));
    assert.equal(host("/ip4/10.0.0.1/tcp/1"), "10.0.0.1");
    assert.equal(host("/ip6/2001:db8:1:2:3:4:5:6/tcp/1"), "2001:db8:1:2::/64");
    assert.equal(host("/ip6/2001:db8:1:2::9/tcp/1"), "2001:db8:1:2::/64");
    assert.equal(host("/ip6/::1/tcp/1"), "0:0:0:0::/64");
    const relay = "16Uiu2HAmGnmVVoknoDrd9CJWHfXgDWqRdhGS4DqHMtLS7tqDaTyD";
    assert.equal(host(`/ip4/10.0.0.1/tcp/1/p2p/${relay}/p2p-circuit`), `relay:${relay}`);
  });

  it("is counted in tokens that come back with time and are not spent by who is refused", () => {
    let now = 0;
    const buckets = new TokenBuckets({ burst: 2, perSecond: 1, now: () => now });
    assert.deepEqual([buckets.tryTake("a"), buckets.tryTake("a"), buckets.tryTake("a")], [true, true, false]);
    assert.equal(buckets.tryTake("b"), true, "another host has its own");
    assert.deepEqual([buckets.takeInTurn("a", 2_000), buckets.takeInTurn("a", 2_000)], [1_000, 2_000]);
    for (let tries = 0; tries < 1_000; tries++) assert.equal(buckets.takeInTurn("a", 2_000), undefined);
    now = 1_000;
    assert.equal(buckets.takeInTurn("a", 2_000), 2_000);
    now = 60_000;
    assert.deepEqual(
      [buckets.takeInTurn("a", 0), buckets.takeInTurn("a", 0)],
      [0, 0],
      "never more than the burst",
    );
    assert.equal(buckets.takeInTurn("a", 0), undefined);
  });

  it("is remembered for a bounded number of hosts", () => {
    const buckets = new TokenBuckets({ burst: 1, perSecond: 0.001, now: () => 0, maxKeys: 2 });
    for (const key of ["a", "b", "c"]) assert.equal(buckets.tryTake(key), true);
    assert.equal(buckets.tryTake("c"), false);
    assert.equal(buckets.tryTake("a"), true, "the one unused for longest was forgotten");
  });
});

describe("starting and stopping", () => {
  it("names the address that is taken", async () => {
    const registry = new Registry();
    const one = await start({ registry });
    const taken = one.peer.multiaddrs.find((text) => !text.includes("/ws"))?.split("/p2p/")[0] ?? "";
    const silent = () => undefined;
    const second = createPeerNode({
      operatorPrivateKey: generatePrivateKey(),
      listen: [taken],
      deployment,
      directory: registry,
      blobStore: one.blobs,
      logStore: one.logs,
      readPolicy: {
        consumerOf: silent,
        outputOwner: silent,
        verifySignature: async () => false,
      },
      log: { debug: silent, info: silent, warn: silent },
    });
    await assert.rejects(second.start(), { code: "PORT_TAKEN", message: new RegExp(taken) });
    await second.stop();
  });

  it("does nothing before it is started, and says so", async () => {
    const registry = new Registry();
    const one = await start({ registry });
    await one.peer.stop();
    assert.deepEqual(one.peer.connectedNodes(), []);
    await assert.rejects(one.peer.publishHeartbeat(aHeartbeat(one.node as Address)), (error) => {
      return error instanceof DekuperError && error.code === "INTERNAL";
    });
    await one.peer.stop();
  });
});
