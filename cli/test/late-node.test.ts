/** A session of the SDK that began before a node was registered. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startNodePeer } from "@dekuper/client/node";
import { digestOf } from "@dekuper/protocol";
import { stringToBytes } from "viem";
import { startTestChain, type TestChain } from "../../client/test/chain.ts";
import { startTestNode } from "./test-node.ts";

describe("a session that began before a node was registered", () => {
  let chain: TestChain;
  let dir: string;
  before(async () => {
    chain = await startTestChain();
    dir = await mkdtemp(join(tmpdir(), "dekuper-late-"));
  });
  after(async () => {
    await chain?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("reaches it all the same, and puts data on it", async () => {
    const { market } = await chain.account(0);
    const peer = await startNodePeer(market);
    const node = await startTestNode(chain, dir);
    try {
      const bytes = stringToBytes("an input");
      const name = { kind: "input", digest: digestOf(bytes) } as const;
      await sleep(5_100); // what it read at its start is that old
      await peer.putBlob(node.node, name, bytes);
      assert.deepEqual(await peer.hasBlob(node.node, name), { size: bytes.length });
    } finally {
      await peer.stop();
      await node.stop();
    }
  });
});
