import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from "@dekuper/protocol";
import { sendHeartbeats } from "../../src/daemon/heartbeats.ts";
import { deployment, hex, node } from "./builders.ts";

/** What is sent in some beats of a clock that a test owns. */
async function sent(
  beats: number,
  change: {
    readable?: boolean;
    maySign?: () => boolean;
    start?: number;
    failing?: boolean;
    load?: () => { freeGpus: number; leases: number };
  } = {},
): Promise<Heartbeat[]> {
  const heartbeats: Heartbeat[] = [];
  const stop = new AbortController();
  let now = change.start ?? 1_700_000_000_000;
  let left = beats;
  const head = { number: 7, hash: hex("0b"), timestamp: 1, baseFee: 0n };
  await sendHeartbeats({
    peer: {
      publishHeartbeat: async (heartbeat: Heartbeat) => {
        heartbeats.push(heartbeat);
        if (change.failing) throw new Error("no peers");
      },
    } as never,
    reader: { lastReadable: change.readable === false ? undefined : { head } } as never,
    deployment,
    node,
    instanceId: "ab".repeat(16),
    load: change.load ?? (() => ({ freeGpus: 3, leases: 1 })),
    maySign: change.maySign ?? (() => true),
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms;
        if (--left === 0) stop.abort();
      },
    },
    log: { debug: () => undefined } as never,
    signal: stop.signal,
  });
  return heartbeats;
}

describe("this node's heartbeats", () => {
  it("say who is alive, where the chain stands, and what is free", async () => {
    const [first] = await sent(1);
    assert.ok(first !== undefined);
    assert.deepEqual(decodeHeartbeat(encodeHeartbeat(first)), {
      ...first,
      registry: decodeHeartbeat(encodeHeartbeat(first)).registry,
    });
    assert.deepEqual([first.node, first.blockNumber, first.freeGpus, first.leases], [node, 7, 3, 1]);
    assert.equal(first.registry, deployment.nodeRegistry);
  });

  it("rise in number, also over a restart", async () => {
    const before = await sent(3, { start: 1_000 });
    const after = await sent(3, { start: 10_000 });
    const numbers = [...before, ...after].map(({ seq }) => seq);
    assert.deepEqual(
      numbers,
      numbers.toSorted((left, right) => left - right),
    );
    assert.equal(new Set(numbers).size, 6);
  });

  it("stop when a second daemon was seen under this key, and do not begin before the chain was read", async () => {
    let beats = 0;
    assert.equal((await sent(5, { maySign: () => beats++ < 2 })).length, 2);
    assert.equal((await sent(3, { readable: false })).length, 0);
  });

  it("go on when one could not be sent", async () => {
    assert.equal((await sent(3, { failing: true })).length, 3);
    let looks = 0;
    const load = () => {
      if (looks++ === 0) throw new Error("the journal cannot be read");
      return { freeGpus: 0, leases: 0 };
    };
    assert.equal((await sent(3, { load })).length, 2);
  });
});
