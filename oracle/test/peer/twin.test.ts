import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Heartbeat, MIN_HEARTBEAT_GAP_MS } from "@dekuper/protocol";
import { generatePrivateKey } from "viem/accounts";
import { eventually, Registry, startTestNode, type TestNode } from "./market.ts";

const registry = new Registry();
const key = generatePrivateKey();
const instances = { mine: "01".repeat(16), twin: "02".repeat(16), again: "03".repeat(16) };
let witness: TestNode;
const running = new Set<TestNode>();

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
  await Promise.all([...running].map(stop));
  await witness.stop();
});

describe("a second daemon under one key", () => {
  it("is noticed by the first, with the other's instance id; one's own heartbeats are no alarm", async () => {
    const mine = await start(instances.mine);
    const seen: Heartbeat[] = [];
    mine.peer.onTwin((heartbeat) => seen.push(heartbeat));
    await eventually("the witness hears the first daemon", async () => {
      await mine.beat();
      return (await heard()) === instances.mine;
    });
    assert.deepEqual(seen, []);
    const twin = await start(instances.twin);
    await eventually("the first daemon sees its twin", async () => {
      await Promise.all([mine.beat(), twin.beat()]);
      await sleep(MIN_HEARTBEAT_GAP_MS + 50);
      return seen.length > 0;
    });
    assert.ok(seen.every(({ instanceId }) => instanceId === instances.twin));
    assert.ok((mine.counts.twin_heartbeats ?? 0) > 0);
    await stop(mine);
    await stop(twin);
  });

  it("is not this one before its restart: older heartbeats are held against nobody", async () => {
    const past = await start(instances.twin);
    await eventually("the witness hears it", async () => {
      await past.beat();
      return (await heard()) === instances.twin;
    });
    await stop(past);
    const again = await start(instances.again);
    const alarms: Heartbeat[] = [];
    again.peer.onTwin((heartbeat) => alarms.push(heartbeat));
    await eventually("the witness hears the restarted daemon", async () => {
      await again.beat();
      return (await heard()) === instances.again;
    });
    assert.deepEqual(alarms, []);
  });
});
