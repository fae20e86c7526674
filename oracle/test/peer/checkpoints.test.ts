import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type BlobName, callGet, callHas, callPut, type FramedStream } from "@dekuper/protocol";
import { inParts, Registry, startTestNode, type TestNode } from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const registry = new Registry();
const signal = () => AbortSignal.timeout(20_000);
let nodes: TestNode[];
let stranger: Stranger;

before(async () => {
  nodes = await Promise.all([0, 1, 2].map(() => startTestNode({ registry })));
  stranger = await startStranger();
});
after(async () => {
  await stranger.stop();
  await Promise.all(nodes.map((node) => node.stop()));
});

const nodeOf = (index: number): TestNode => nodes[index] ?? assert.fail();

/** A checkpoint in the store of the first node. */
async function aCheckpoint(): Promise<{ name: BlobName; bytes: Uint8Array }> {
  const bytes = randomBytes(300_000);
  const name = {
    kind: "checkpoint",
    digest: `0x${createHash("sha256").update(bytes).digest("hex")}`,
  } as const;
  const writer = await nodeOf(0).blobs.create();
  await writer.write(bytes);
  await writer.commit(name);
  return { name, bytes };
}

const asked = async <T>(to: TestNode, use: (stream: FramedStream) => Promise<T>): Promise<T> => {
  const stream = await stranger.open(to, "blob");
  try {
    return await use(stream);
  } finally {
    stream.abort(new Error("done"));
  }
};

describe("a checkpoint", () => {
  it("goes to another node, and from there to one that goes on with the lease when the first is gone", async () => {
    const { name, bytes } = await aCheckpoint();
    await nodeOf(0).peer.putBlob(nodeOf(1).node, name, signal());
    assert.deepEqual(await nodeOf(1).blobs.has(name), { size: bytes.length });
    const before = nodes.shift() ?? assert.fail();
    registry.nodes.delete(before.node);
    await before.stop();
    await nodeOf(1).peer.fetchBlob(name, 1_000_000, signal());
    assert.deepEqual(Buffer.from(await nodeOf(1).blobs.readAll(name, 1_000_000)), Buffer.from(bytes));
  });

  it("is taken again without sending it again: its time begins anew", async () => {
    const { name } = await aCheckpoint();
    await nodeOf(0).peer.putBlob(nodeOf(1).node, name, signal());
    const { blob_bytes_in: before } = nodeOf(1).counts;
    await nodeOf(0).peer.putBlob(nodeOf(1).node, name, signal());
    assert.equal(nodeOf(1).counts.blob_bytes_in, before);
  });

  it("is no more than the other node has room for", async () => {
    const full = await startTestNode({ registry, quotas: { ownerBytes: 1_000 } });
    try {
      const { name } = await aCheckpoint();
      await assert.rejects(nodeOf(0).peer.putBlob(full.node, name, signal()), { code: "BLOB_QUOTA" });
    } finally {
      registry.nodes.delete(full.node);
      await full.stop();
    }
  });

  it("cannot be given to a node that nobody knows", async () => {
    const { name } = await aCheckpoint();
    const nobody = `0x${"99".repeat(20)}` as const;
    await assert.rejects(nodeOf(0).peer.putBlob(nobody, name, signal()), { code: "NOT_FOUND" });
  });

  it("is nothing for strangers: they get none, ask for none and leave none", async () => {
    const { name, bytes } = await aCheckpoint();
    const source = { size: bytes.length, open: (offset: number) => inParts(bytes.subarray(offset)) };
    const to = nodeOf(0);
    await assert.rejects(
      asked(to, (stream) => callGet(stream, { name, offset: 0 }, signal())),
      {
        code: "READ_DENIED",
      },
    );
    await assert.rejects(
      asked(to, (stream) => callHas(stream, name, signal())),
      { code: "READ_DENIED" },
    );
    await assert.rejects(
      asked(nodeOf(1), (stream) => callPut(stream, name, source, { signal: signal() })),
      {
        code: "NOT_ALLOWED",
      },
    );
  });
});
