import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import type { PeerDirectory } from "@dekuper/protocol";
import type { Address } from "viem";
import type { ClientLibp2p } from "../src/peer/client-libp2p.ts";
import { HeartbeatListener } from "../src/peer/heartbeat-listener.ts";
import { address, deployment } from "./builders.ts";

const live = address(1);
const away = address(2);

/** A listener's surroundings: a node that is connected as soon as it is dialled, and one whose dial does not end. */
function surroundings() {
  const events = new EventTarget();
  const connected = new Set<Address>();
  const dialled: Address[] = [];
  const pubsub = { topicValidators: new Map(), subscribe: () => undefined };
  const listener = new HeartbeatListener({
    libp2p: Object.assign(events, { services: { pubsub } }) as unknown as ClientLibp2p,
    deployment,
    directory: {
      all: () => [{ node: live }, { node: away }],
      find: () => undefined,
    } as unknown as PeerDirectory,
    refresh: async () => undefined,
    connect: async (node) => {
      dialled.push(node);
      if (node === away) await new Promise(() => undefined);
      connected.add(node);
    },
    connected: () => [...connected],
  });
  const lose = (node: Address) => {
    connected.delete(node);
    events.dispatchEvent(new Event("peer:disconnect"));
  };
  return { listener, connected, dialled, lose };
}

/** Lets what was resolved go on, then the clock. */
async function pass(ms: number): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  mock.timers.tick(ms);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe("a consumer whose connection is lost while another node is dialled", () => {
  it("dials it again within the second", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { listener, connected, dialled, lose } = surroundings();
      listener.add(() => undefined);
      await pass(100);
      assert.deepEqual([...connected], [live]);
      assert.ok(dialled.includes(away));

      lose(live);
      for (const ms of [250, 350, 250]) await pass(ms);
      assert.deepEqual([...connected], [live]);
      assert.equal(dialled.filter((node) => node === live).length, 2);
      listener.stop();
    } finally {
      mock.timers.reset();
    }
  });
});
