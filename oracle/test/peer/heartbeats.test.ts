import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  addressOfPublicKey,
  encodeHeartbeat,
  type Heartbeat,
  heartbeatTopic,
  MIN_HEARTBEAT_GAP_MS,
} from "@dekuper/protocol";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Address, getAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import {
  aHeartbeat,
  deployment,
  eventually,
  identityOf,
  Registry,
  startTestNode,
  type TestNode,
} from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const topic = heartbeatTopic(deployment.chainId, deployment.nodeRegistry);
const registry = new Registry();
let nodes: TestNode[] = [];
const [first, second] = [() => nodes[0] as TestNode, () => nodes[1] as TestNode];

before(async () => {
  nodes = await Promise.all(Array.from({ length: 4 }, () => startTestNode({ registry })));
  await eventually("all nodes are connected", () =>
    nodes.every(({ peer }) => peer.connectedNodes().length === 3),
  );
});
after(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
});

const knownTo = (seer: TestNode, seen: Address) => seer.peer.presence().get(seen)?.heartbeat;

describe("a node's identity", () => {
  it("is one key: its peer id, its registered operator key and its chain address are the same", () => {
    for (const { key, peer, node } of nodes) {
      const id = peerIdFromString(peer.peerId);
      assert.equal(id.type, "secp256k1");
      assert.ok(id.type === "secp256k1");
      assert.equal(addressOfPublicKey(id.publicKey.raw), node);
      assert.equal(privateKeyToAccount(key).address, node);
      assert.equal(registry.find(node)?.operatorPublicKey, identityOf(key).operatorPublicKey);
      assert.ok(peer.multiaddrs.every((text) => text.endsWith(`/p2p/${peer.peerId}`)));
    }
  });
});

describe("heartbeats among four nodes", () => {
  it("reach everyone, and make everyone present", async () => {
    await eventually("each node sees the three others", async () => {
      await Promise.all(nodes.map((node) => node.beat()));
      return nodes.every(({ peer }) => peer.presence().size === 3);
    });
    for (const { peer, node } of nodes) {
      assert.ok(!peer.presence().has(node), "a node does not count itself");
      assert.ok(peer.heartbeatsReceived >= 3);
    }
  });

  it("show the newest state of a node", async () => {
    await eventually("the others see two leases", async () => {
      await first().beat({ leases: 2, freeGpus: 0 });
      return nodes.slice(1).every((seer) => knownTo(seer, first().node)?.leases === 2);
    });
  });

  it("end with the node: who falls silent is not present any more, and who is unregistered neither", async () => {
    const [, , third, fourth] = nodes as [TestNode, TestNode, TestNode, TestNode];
    await eventually("the third is seen", async () => {
      await third.beat();
      return knownTo(fourth, third.node) !== undefined;
    });
    fourth.skewMs = 20_000;
    assert.equal(knownTo(fourth, third.node), undefined, "20 seconds later");
    fourth.skewMs = 0;
    assert.notEqual(knownTo(fourth, third.node), undefined);
    const entry = registry.nodes.get(third.node);
    registry.nodes.delete(third.node);
    assert.equal(knownTo(fourth, third.node), undefined);
    if (entry !== undefined) registry.nodes.set(third.node, entry);
  });
});

describe("heartbeats that do not count", () => {
  /** Connected to one node with a key that is registered, unless a test takes another. */
  const strangers: Stranger[] = [];
  after(() => Promise.all(strangers.map((stranger) => stranger.stop())));

  async function aVoice(key = generatePrivateKey(), isRegistered = true) {
    const stranger = await startStranger(key);
    strangers.push(stranger);
    const { node } = identityOf(key);
    if (isRegistered) registry.register(key, []);
    stranger.libp2p.services.pubsub.subscribe(topic);
    await stranger.connect(first());
    await eventually("the node listens", () =>
      stranger.libp2p.services.pubsub
        .getSubscribers(topic)
        .some((id) => id.toString() === first().peer.peerId),
    );
    const say = async (change: Partial<Heartbeat> | Uint8Array = {}) => {
      const data =
        change instanceof Uint8Array ? change : encodeHeartbeat({ ...aHeartbeat(node), ...change });
      await stranger.libp2p.services.pubsub.publish(topic, data);
    };
    return { node, say, stranger };
  }

  const dropped = ({ counts }: TestNode) =>
    (counts.heartbeats_ignored ?? 0) + (counts.heartbeats_rejected ?? 0);

  /** Says it until the node has dropped it; nothing of it may have been taken, nor passed on. */
  async function isDropped(
    voice: Awaited<ReturnType<typeof aVoice>>,
    change: Partial<Heartbeat> | Uint8Array,
  ) {
    const before = { dropped: dropped(first()), received: first().peer.heartbeatsReceived };
    const known = knownTo(first(), voice.node);
    await voice.say(change);
    await eventually("it was dropped", () => dropped(first()) > before.dropped);
    assert.deepEqual(knownTo(first(), voice.node), known);
    assert.deepEqual(
      knownTo(second(), voice.node),
      known === undefined ? undefined : knownTo(second(), voice.node),
    );
  }

  async function isTaken(voice: Awaited<ReturnType<typeof aVoice>>, change: Partial<Heartbeat> = {}) {
    await sleep(MIN_HEARTBEAT_GAP_MS + 50);
    const said = { ...aHeartbeat(voice.node), ...change };
    await voice.say(said);
    await eventually("it was taken", () => knownTo(first(), voice.node)?.seq === said.seq);
    return said;
  }

  it("are those that are replayed or older than what came before", async () => {
    const voice = await aVoice();
    const said = await isTaken(voice);
    await sleep(MIN_HEARTBEAT_GAP_MS + 50);
    await isDropped(voice, said);
    await isDropped(voice, { seq: said.seq - 1 });
    await isTaken(voice);
  });

  it("are those of an earlier instance of the same node", async () => {
    const voice = await aVoice();
    const said = await isTaken(voice);
    await isDropped(voice, { instanceId: "cd".repeat(16), issuedAt: said.issuedAt - 1, seq: said.seq + 5 });
    await isTaken(voice, { instanceId: "cd".repeat(16) });
  });

  it("are those whose block is far behind", async () => {
    const voice = await aVoice();
    await isTaken(voice, { blockNumber: 1_000 });
    await isDropped(voice, { blockNumber: 900 });
  });

  it("are those more than 30 seconds off, either way", async () => {
    const voice = await aVoice();
    await isDropped(voice, { issuedAt: Date.now() - 31_000 });
    await isDropped(voice, { issuedAt: Date.now() + 32_000 });
    await isTaken(voice, { issuedAt: Date.now() - 25_000 });
  });

  it("are those of another registry or chain", async () => {
    const voice = await aVoice();
    await isDropped(voice, { registry: getAddress(`0x${"77".repeat(20)}`) });
    const other = await aVoice();
    await isDropped(other, { chainId: 1 });
  });

  it("are those in another node's name", async () => {
    const voice = await aVoice();
    await isDropped(voice, { node: second().node });
    assert.notEqual(knownTo(first(), second().node)?.instanceId, "ab".repeat(16));
  });

  it("are those of a peer that is not registered", async () => {
    await isDropped(await aVoice(generatePrivateKey(), false), {});
  });

  it("are those that cannot be read", async () => {
    await isDropped(await aVoice(), Buffer.from("not json"));
    await isDropped(await aVoice(), Buffer.alloc(1025, "x"));
  });

  it("are those that come too fast: a flood is passed on at a bounded rate", async () => {
    const voice = await aVoice();
    const before = first().peer.heartbeatsReceived;
    const begun = Date.now();
    for (let index = 0; index < 50; index++) await voice.say({ seq: begun + index });
    await eventually("most of the flood was dropped", () => dropped(first()) >= 40);
    const most = 1 + Math.ceil((Date.now() - begun) / MIN_HEARTBEAT_GAP_MS);
    assert.ok(first().peer.heartbeatsReceived - before <= most + 1);
  });
});
