import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeHeartbeat, type Heartbeat } from "@dekuper/protocol";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { GossipSub } from "@libp2p/gossipsub";
import { hexToBytes } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { HeartbeatGossip } from "../../src/peer/gossip.ts";
import { aHeartbeat, deployment, Registry } from "./market.ts";

const START = 1_700_000_000_000;
const EVERY_MS = 2_000;

/** A node that has sent a heartbeat every two seconds for a quarter of an hour. */
async function aNodeThatSpoke() {
  const key = generatePrivateKey();
  const self = privateKeyToAccount(key).address;
  const clock = { at: START, now: () => clock.at };
  const gossip = new HeartbeatGossip({
    self,
    key: privateKeyFromRaw(hexToBytes(key)),
    deployment,
    directory: new Registry(),
    clock,
    count: () => undefined,
  });
  const alarms: Heartbeat[] = [];
  gossip.onTwin((heartbeat) => alarms.push(heartbeat));
  const sent: Heartbeat[] = [];
  const service = { publish: async () => undefined } as unknown as GossipSub;
  const beat = (change: Partial<Heartbeat> = {}): Heartbeat => ({
    ...aHeartbeat(self),
    seq: clock.at,
    issuedAt: clock.at,
    ...change,
  });
  for (let count = 0; count < 450; count++) {
    clock.at += EVERY_MS;
    sent.push(beat());
    await gossip.publish(service, beat());
  }
  return { gossip, alarms, sent, beat };
}

describe("one's own heartbeats played back", () => {
  it("are no twin, however old they are: anyone who kept one could stop the node with it", async () => {
    const { gossip, alarms, sent } = await aNodeThatSpoke();
    for (const heartbeat of sent) gossip.seeOwn(encodeHeartbeat(heartbeat));
    assert.deepEqual(alarms, []);
  });

  it("do not hide a twin: a recent one that this node did not send is an alarm", async () => {
    const { gossip, alarms, beat } = await aNodeThatSpoke();
    gossip.seeOwn(encodeHeartbeat(beat({ instanceId: "0f".repeat(16) })));
    assert.equal(alarms.length, 1);
  });
});
