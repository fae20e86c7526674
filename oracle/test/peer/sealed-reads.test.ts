import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type BlobName, callGet, callHas, callPut, type ReadToken, TaskKey } from "@dekuper/protocol";
import { bytesToHex } from "viem";
import { generatePrivateKey } from "viem/accounts";
import {
  aToken,
  collect,
  consumer,
  inParts,
  leaseIdOf,
  Registry,
  startTestNode,
  type TestNode,
} from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const registry = new Registry();
const signal = () => AbortSignal.timeout(20_000);
const salt = bytesToHex(randomBytes(32));
const key = new TaskKey(randomBytes(32), salt);
const lease = { leaseId: leaseIdOf(1), attempt: 1, consumer: consumer.address, salt };
const otherLease = {
  leaseId: leaseIdOf(2),
  attempt: 1,
  consumer: consumer.address,
  salt: bytesToHex(randomBytes(32)),
};
let node: TestNode;
let other: TestNode;
let stranger: Stranger;
let bytes: Buffer;
let name: BlobName;

before(async () => {
  [node, other] = await Promise.all([startTestNode({ registry }), startTestNode({ registry })]);
  node.leases.push(lease, otherLease);
  stranger = await startStranger();
  bytes = await collect(key.seal(inParts(randomBytes(150_000))));
  name = { kind: "sealed", digest: `0x${createHash("sha256").update(bytes).digest("hex")}` };
  await put(name, bytes);
});
after(async () => {
  await stranger.stop();
  await Promise.all([node.stop(), other.stop()]);
});

async function put(named: BlobName, content: Uint8Array): Promise<void> {
  const stream = await stranger.open(node, "blob");
  const source = { size: content.length, open: (offset: number) => inParts(content.subarray(offset)) };
  try {
    await callPut(stream, named, source, { signal: signal() });
  } finally {
    stream.abort(new Error("done"));
  }
}
async function get(options: { token?: ReadToken; from?: Stranger; name?: BlobName } = {}): Promise<Buffer> {
  const stream = await (options.from ?? stranger).open(node, "blob");
  try {
    const { token } = options;
    return await collect(
      (await callGet(stream, { name: options.name ?? name, offset: 0, token }, signal())).bytes,
    );
  } finally {
    stream.abort(new Error("done"));
  }
}
async function has(from: Stranger): Promise<number | undefined> {
  const stream = await from.open(node, "blob");
  try {
    return (await callHas(stream, name, signal()))?.size;
  } finally {
    stream.abort(new Error("done"));
  }
}

describe("what was sealed under a task's key (rule 11)", () => {
  it("is given to a node that was handed the key, and to no other registered node", async () => {
    await assert.rejects(other.peer.fetchBlob(name, 1e6, signal()), { code: "BLOB_NOT_FOUND" });
    node.keyHolders.push({ node: other.node, salt: bytesToHex(randomBytes(32)) });
    await assert.rejects(
      other.peer.fetchBlob(name, 1e6, signal()),
      { code: "BLOB_NOT_FOUND" },
      "another task's",
    );
    node.keyHolders.push({ node: other.node, salt });
    await other.peer.fetchBlob(name, 1e6, signal());
    assert.deepEqual(Buffer.from(await other.blobs.readAll(name, 1e6)), bytes);
  });

  it("is not given to a key holder that is not active any more", async () => {
    const retired = generatePrivateKey();
    const entry = registry.register(retired, [], false);
    node.keyHolders.push({ node: entry.node, salt });
    const from = await startStranger(retired);
    await assert.rejects(get({ from }), { code: "READ_DENIED" });
    await from.stop();
  });

  it("is given to the consumer of its task, on its token", async () => {
    assert.deepEqual(await get({ token: await aToken(lease, "output") }), bytes);
  });

  it("is refused without a token, with one for another task's lease, for the logs, or by another signer", async () => {
    const tokens = [
      undefined,
      await aToken(otherLease, "output"),
      await aToken(lease, "logs"),
      await aToken({ leaseId: leaseIdOf(9), attempt: 1 }, "output"),
    ];
    for (const token of tokens)
      await assert.rejects(get(token === undefined ? {} : { token }), { code: "READ_DENIED" });
  });

  it("is not told of: what is not here, or is not sealed, is answered alike", async () => {
    await assert.rejects(has(stranger), { code: "READ_DENIED" });
    const plain = randomBytes(1_000);
    plain[0] = 7;
    const named: BlobName = {
      kind: "sealed",
      digest: `0x${createHash("sha256").update(plain).digest("hex")}`,
    };
    await put(named, plain);
    const absent: BlobName = { kind: "sealed", digest: bytesToHex(randomBytes(32)) };
    const said = async (asked: BlobName) => get({ name: asked }).catch((error: Error) => error.message);
    assert.deepEqual(await said(named), await said(name));
    assert.deepEqual(await said(absent), await said(name));
  });
});
