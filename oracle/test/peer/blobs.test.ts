import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  type BlobName,
  callGet,
  callHas,
  callPut,
  type FramedStream,
  type ReadToken,
} from "@dekuper/protocol";
import {
  anInput,
  aSpecBlob,
  aToken,
  collect,
  consumer,
  eventually,
  inParts,
  leaseIdOf,
  Registry,
  startTestNode,
  type TestNode,
} from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const registry = new Registry();
const signal = () => AbortSignal.timeout(20_000);
let node: TestNode;
let other: TestNode;
let stranger: Stranger;

before(async () => {
  [node, other] = await Promise.all([
    startTestNode({ registry, quotas: { ownerBytes: 4_000_000 } }),
    startTestNode({ registry }),
  ]);
  stranger = await startStranger();
});
after(async () => {
  await stranger.stop();
  await Promise.all([node.stop(), other.stop()]);
});

async function withStream<T>(
  to: TestNode,
  use: (stream: FramedStream) => Promise<T>,
  from = stranger,
): Promise<T> {
  const stream = await from.open(to, "blob");
  try {
    return await use(stream);
  } finally {
    stream.abort(new Error("done"));
  }
}

const put = (to: TestNode, name: BlobName, bytes: Uint8Array, from = stranger) => {
  const source = { size: bytes.length, open: (offset: number) => inParts(bytes.subarray(offset)) };
  return withStream(to, (stream) => callPut(stream, name, source, { signal: signal() }), from);
};
const get = (
  to: TestNode,
  name: BlobName,
  options: { offset?: number; token?: ReadToken; from?: Stranger } = {},
) =>
  withStream(
    to,
    async (stream) => {
      const { offset = 0, token, from: _, ...rest } = options;
      const answer = await callGet(stream, { name, offset, token, ...rest }, signal());
      return { size: answer.size, bytes: await collect(answer.bytes) };
    },
    options.from,
  );
const has = (to: TestNode, name: BlobName) => withStream(to, (stream) => callHas(stream, name, signal()));

describe("putting a blob on a node", () => {
  it("works for anyone who knows its digest, and again costs nothing", async () => {
    const { name, bytes } = anInput(randomBytes(500_000));
    assert.equal(await has(node, name), undefined);
    await put(node, name, bytes);
    assert.deepEqual(await has(node, name), { size: 500_000 });
    const before = node.counts.blob_bytes_in ?? 0;
    await put(node, name, bytes);
    assert.equal(node.counts.blob_bytes_in, before);
  });

  it("works for an empty input", async () => {
    const { name, bytes } = anInput("");
    await put(node, name, bytes);
    assert.deepEqual(await has(node, name), { size: 0 });
  });

  it("goes on where it was cut, not from the beginning", async () => {
    const { name, bytes } = anInput(randomBytes(600_000));
    async function* cut() {
      yield* inParts(bytes.subarray(0, 300_000));
      await eventually(
        "the node has written the first half",
        async () => (await node.blobs.partialSize(name)) === 300_000,
      );
      throw new Error("the line is dead");
    }
    const source = { size: bytes.length, open: cut };
    await assert.rejects(
      withStream(node, (stream) => callPut(stream, name, source, { signal: signal() })),
      /the line is dead/,
    );
    assert.equal(await has(node, name), undefined);
    const before = node.counts.blob_bytes_in ?? 0;
    await put(node, name, bytes);
    assert.equal((node.counts.blob_bytes_in ?? 0) - before, 300_000);
    assert.deepEqual(await collect(node.blobs.read(name)), Buffer.from(bytes));
  });

  it("refuses bytes that are not the named ones, keeps nothing of them, and takes the right ones after", async () => {
    const { name, bytes } = anInput(randomBytes(100_000));
    const wrong = Buffer.from(bytes);
    wrong[50_000] = (wrong[50_000] ?? 0) ^ 1;
    await assert.rejects(put(node, name, wrong), { code: "BLOB_CORRUPT" });
    assert.equal(await has(node, name), undefined);
    assert.equal(await node.blobs.partialSize(name), 0);
    await put(node, name, bytes);
    const spec = aSpecBlob();
    await assert.rejects(put(node, { ...spec.name, digest: name.digest }, spec.bytes), {
      code: "BLOB_CORRUPT",
    });
  });

  it("refuses outputs: those are the node's own", async () => {
    const name = { kind: "output", digest: `0x${"99".repeat(32)}` } as const;
    await assert.rejects(put(node, name, Buffer.from("x")), { code: "NOT_ALLOWED" });
  });

  it("is bounded per address, and says so before the bytes are sent", async () => {
    const { name, bytes } = anInput(randomBytes(4_500_000));
    const before = node.counts.blob_bytes_in ?? 0;
    await assert.rejects(put(node, name, bytes), { code: "BLOB_QUOTA" });
    assert.ok((node.counts.blob_bytes_in ?? 0) - before <= 600_000, "at most what was on its way");
    const member = await startStranger(other.key);
    try {
      const room = anInput(randomBytes(3_500_000));
      await put(node, room.name, room.bytes, member);
    } finally {
      await member.stop();
    }
  });
});

describe("reading specs and inputs", () => {
  it("is for registered, active nodes: they get what they lack from whoever has it, verified", async () => {
    for (const { name, bytes } of [anInput(randomBytes(700_000)), aSpecBlob()]) {
      await put(node, name, bytes);
      await other.peer.fetchBlob(name, 1_000_000, signal());
      assert.deepEqual(await collect(other.blobs.read(name)), Buffer.from(bytes));
    }
  });

  it("is refused to strangers, and to nodes that are not active any more", async () => {
    const { name, bytes } = anInput("for members only");
    await put(node, name, bytes);
    await assert.rejects(get(node, name), { code: "READ_DENIED", message: /registered, active nodes/ });
    const entry = registry.nodes.get(other.node);
    assert.ok(entry !== undefined);
    registry.nodes.set(other.node, { ...entry, active: false });
    await assert.rejects(other.peer.fetchBlob(name, 1_000, signal()), { code: "BLOB_NOT_FOUND" });
    registry.nodes.set(other.node, entry);
    await other.peer.fetchBlob(name, 1_000, signal());
  });

  it("goes on from an offset, to the last byte and no further", async () => {
    const { name, bytes } = anInput(randomBytes(100_000));
    await put(node, name, bytes);
    const member = await startStranger(other.key);
    try {
      const rest = await get(node, name, { offset: 99_000, from: member });
      assert.equal(rest.size, 100_000);
      assert.deepEqual(rest.bytes, Buffer.from(bytes.subarray(99_000)));
      assert.equal((await get(node, name, { offset: 100_000, from: member })).bytes.length, 0);
      await assert.rejects(get(node, name, { offset: 100_001, from: member }), { code: "MESSAGE_INVALID" });
    } finally {
      await member.stop();
    }
  });

  it("goes on where an earlier fetch was cut", async () => {
    const { name, bytes } = anInput(randomBytes(300_000));
    await put(node, name, bytes);
    async function* half() {
      yield bytes.subarray(0, 200_000);
    }
    await assert.rejects(other.blobs.put(name, bytes.length, { owner: "self", offset: 0, bytes: half() }));
    const before = node.counts.blob_bytes_out ?? 0;
    await other.peer.fetchBlob(name, 300_000, signal());
    assert.equal((node.counts.blob_bytes_out ?? 0) - before, 100_000);
  });

  it("is BLOB_NOT_FOUND where nobody has it, and where it is larger than was said", async () => {
    const { name, bytes } = anInput(randomBytes(2_000));
    await assert.rejects(other.peer.fetchBlob(name, 2_000, signal()), { code: "BLOB_NOT_FOUND" });
    await put(node, name, bytes);
    await assert.rejects(other.peer.fetchBlob(name, 1_999, signal()), { code: "BLOB_NOT_FOUND" });
    assert.equal(await other.blobs.has(name), undefined);
  });

  it("is the consumer's too with a token, for the spec of a lease that the node holds and no other one", async () => {
    const [mine, foreign] = [aSpecBlob(), aSpecBlob()];
    for (const { name, bytes } of [mine, foreign]) await put(node, name, bytes);
    const lease = { leaseId: leaseIdOf(7), attempt: 1, consumer: consumer.address, spec: mine.name.digest };
    node.leases.push(lease);
    const token = await aToken(lease, "output");
    assert.deepEqual((await get(node, mine.name, { token })).bytes, Buffer.from(mine.bytes));
    await assert.rejects(get(node, foreign.name, { token }), {
      code: "READ_DENIED",
      message: /another spec/,
    });
    await assert.rejects(get(node, mine.name), { code: "READ_DENIED" });
  });
});
