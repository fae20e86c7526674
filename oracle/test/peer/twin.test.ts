import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  canonicalJson,
  channelName,
  encodeHeartbeat,
  FramedStream,
  heartbeatTopic,
  MIN_HEARTBEAT_GAP_MS,
} from "@dekuper/protocol";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { bytesToHex, hexToBytes } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { signHeartbeat } from "../../src/peer/signed-heartbeat.ts";
import { aHeartbeat, deployment, eventually, Registry, startTestNode, type TestNode } from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const registry = new Registry();
const key = generatePrivateKey();
const instances = { one: "01".repeat(16), two: "02".repeat(16), three: "03".repeat(16) };
let witness: TestNode;
const running = new Set<TestNode>();
const liars: Stranger[] = [];

async function start(instanceId: string): Promise<TestNode> {
  const node = await startTestNode({ registry, key, instanceId });
  running.add(node);
  await eventually("it is connected to the witness", () => node.peer.connectedNodes().includes(witness.node));
  return node;
}

async function stop(node: TestNode): Promise<void> {
  if (running.delete(node)) await node.stop();
}

/** What the witness last heard under the key, after some time for it to arrive. */
async function heard(): Promise<string | undefined> {
  await sleep(MIN_HEARTBEAT_GAP_MS + 50);
  return [...witness.peer.presence().values()][0]?.heartbeat.instanceId;
}

before(async () => {
  witness = await startTestNode({ registry });
});
after(async () => {
  await Promise.all(liars.map((liar) => liar.stop()));
  await Promise.all([...running].map(stop));
  await witness.stop();
});

describe("two daemons under one key", () => {
  it("notice each other by their instance ids; one's own heartbeats are no alarm", async () => {
    const one = await start(instances.one);
    const seen = { one: new Set<string>(), two: new Set<string>() };
    one.peer.onTwin(({ instanceId }) => seen.one.add(instanceId));
    await eventually("the witness hears the first", async () => {
      await one.beat();
      return (await heard()) === instances.one;
    });
    assert.equal(seen.one.size, 0);
    const two = await start(instances.two);
    two.peer.onTwin(({ instanceId }) => seen.two.add(instanceId));
    await eventually("both have seen a twin", async () => {
      await Promise.all([one.beat(), two.beat()]);
      await sleep(MIN_HEARTBEAT_GAP_MS + 50);
      return seen.one.size > 0 && seen.two.size > 0;
    });
    assert.deepEqual([...seen.one], [instances.two]);
    assert.deepEqual([...seen.two], [instances.one]);
    assert.ok((one.counts.twin_heartbeats ?? 0) > 0);
    await stop(one);
    await stop(two);
  });

  it("are not one before and after a restart: older heartbeats are held against nobody", async () => {
    const past = await start(instances.two);
    await eventually("the witness hears it", async () => {
      await past.beat();
      return (await heard()) === instances.two;
    });
    await stop(past);
    const again = await start(instances.three);
    let alarms = 0;
    again.peer.onTwin(() => alarms++);
    await eventually("the witness hears the restarted daemon", async () => {
      await again.beat();
      return (await heard()) === instances.three;
    });
    const answered = again.counts.channel_requests ?? 0;
    await eventually(
      "they have exchanged what they know",
      () => (again.counts.channel_requests ?? 0) > answered,
    );
    assert.equal(alarms, 0);
    await stop(again);
  });

  it("cannot be made up by others: a heartbeat that the key did not sign convinces nobody", async () => {
    const one = await start(instances.one);
    let alarms = 0;
    one.peer.onTwin(() => alarms++);
    await one.beat();
    const forged = encodeHeartbeat({
      ...aHeartbeat(one.node),
      instanceId: instances.two,
      issuedAt: Date.now() + 500,
    });
    const liarsKey = generatePrivateKey();
    registry.register(liarsKey, []);
    const liar = await startStranger(liarsKey);
    liars.push(liar);
    const { chainId, nodeRegistry, taskRegistry } = deployment;
    const signer = privateKeyFromRaw(hexToBytes(liarsKey));
    const signed = await signHeartbeat(signer, heartbeatTopic(chainId, nodeRegistry), forged);
    const heartbeat = {
      data: bytesToHex(signed.data),
      sequenceNumber: signed.sequenceNumber.toString(),
      signature: bytesToHex(signed.signature),
    };
    let told = 0;
    await liar.libp2p.handle(channelName("peers", chainId, taskRegistry), async (raw) => {
      const stream = new FramedStream(raw, { idleMs: 5_000 });
      await stream.writeFrame(canonicalJson({ ok: true }));
      await stream.writeFrame(canonicalJson({ peers: [], heartbeat }));
      await stream.end();
      told++;
    });
    await liar.connect(one);
    assert.equal((await liar.ask(witness, "peers", { heartbeat }))?.ok, true);
    await eventually("the node has been told, by the liar and by the one who was lied to", () => {
      return told >= 2 && (witness.counts.channel_requests ?? 0) >= 4;
    });
    assert.equal(alarms, 0);
  });
});
