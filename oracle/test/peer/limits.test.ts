import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  canonicalJson,
  channelName,
  chunkRoot,
  encodeFrame,
  type FramedStream,
  MAX_HEADER_BYTES,
} from "@dekuper/protocol";
import {
  anInput,
  aToken,
  consumer,
  deployment,
  eventually,
  leaseIdOf,
  Registry,
  startTestNode,
  type TestNode,
  type TestNodeOptions,
} from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const MIB = 2 ** 20;
const registry = new Registry();
const nodes: TestNode[] = [];
const strangers: Stranger[] = [];

async function aNode(limits: TestNodeOptions["limits"]): Promise<TestNode> {
  const node = await startTestNode({ registry, ...(limits === undefined ? {} : { limits }) });
  nodes.push(node);
  return node;
}
async function aStranger(key?: `0x${string}`): Promise<Stranger> {
  const stranger = await startStranger(key);
  strangers.push(stranger);
  return stranger;
}
afterEach(async () => {
  await Promise.all(strangers.splice(0).map((stranger) => stranger.stop()));
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
  registry.nodes.clear();
});

const hasHeader = (digit: string) => ({
  op: "has",
  name: { kind: "input", digest: `0x${digit.repeat(64)}` },
});

/** Opens streams that say nothing, until all of them are the node's to serve. */
async function openSilent(from: Stranger, to: TestNode, count: number): Promise<FramedStream[]> {
  const before = to.counts.channel_requests ?? 0;
  const streams = await Promise.all(Array.from({ length: count }, () => from.open(to, "blob")));
  for (const stream of streams) await stream.write(encodeFrame(new Uint8Array(10)).subarray(0, 1));
  await eventually("the node serves them", () => (to.counts.channel_requests ?? 0) >= before + count);
  return streams;
}

describe("connections", () => {
  it("of strangers from one host are bounded; registered nodes come in all the same", async () => {
    const node = await aNode({ strangersPerHost: 3 });
    const all = await Promise.all(Array.from({ length: 6 }, () => aStranger()));
    await Promise.allSettled(all.map((stranger) => stranger.connect(node)));
    const connected = () => all.filter(({ libp2p }) => libp2p.getPeers().length > 0).length;
    await eventually("those beyond the limit are out", () => connected() === 3);
    assert.ok((node.counts.connections_refused ?? 0) >= 3);
    const member = await aNode({});
    await eventually("the registered node is in", () => node.peer.connectedNodes().includes(member.node));
  });

  it("of strangers in all are bounded", async () => {
    const node = await aNode({ strangers: 2 });
    const all = await Promise.all(Array.from({ length: 4 }, () => aStranger()));
    await Promise.allSettled(all.map((stranger) => stranger.connect(node)));
    await eventually(
      "two are in",
      () => all.filter(({ libp2p }) => libp2p.getPeers().length > 0).length === 2,
    );
  });

  it("come in at a bounded rate from one host", async () => {
    const node = await aNode({ inboundBurst: 2, inboundPerSecond: 0.001 });
    const all = await Promise.all(Array.from({ length: 5 }, () => aStranger()));
    const tries = await Promise.allSettled(all.map((stranger) => stranger.connect(node)));
    assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 2);
    assert.ok((node.counts.connections_refused ?? 0) >= 3);
  });
});

describe("streams", () => {
  it("of one stranger's host are bounded: what is beyond is told to come again", async () => {
    const node = await aNode({ streamsPerHost: 3 });
    const stranger = await aStranger();
    const silent = await openSilent(stranger, node, 3);
    const refused = await (await aStranger()).ask(node, "blob", hasHeader("1"));
    assert.deepEqual([refused?.ok, refused?.code], [false, "TIMED_OUT"]);
    for (const stream of silent) stream.abort(new Error("done"));
    await eventually("there is room again", async () => {
      const answer = await stranger.ask(node, "blob", hasHeader("1"));
      return answer?.code === "BLOB_NOT_FOUND";
    });
  });

  it("of strangers take nothing from registered nodes", async () => {
    const node = await aNode({ strangerStreams: 2 });
    await openSilent(await aStranger(), node, 2);
    const member = await aNode({});
    const { name, bytes } = anInput("for members");
    await node.blobs.put(name, bytes.length, { owner: "self", offset: 0, bytes: once(bytes) });
    await member.peer.fetchBlob(name, 100, AbortSignal.timeout(20_000));
    assert.ok((await member.blobs.has(name)) !== undefined);
  });

  it("on which nothing moves are ended", async () => {
    const node = await aNode({ streamIdleMs: 300 });
    const [silent] = await openSilent(await aStranger(), node, 1);
    const answer = Buffer.from((await silent?.readFrame(8_192)) ?? []).toString();
    assert.match(answer, /TIMED_OUT/);
    assert.equal(await silent?.read(1), undefined, "the node has ended it");
  });
});

describe("requests", () => {
  it("beyond the burst wait their turn; those that would wait too long are refused and cost nobody a turn", async () => {
    const node = await aNode({ requestBurst: 3, requestsPerSecond: 5, requestWaitMs: 1_000 });
    const stranger = await aStranger();
    const ask = () => stranger.ask(node, "blob", hasHeader("1"));
    for (let index = 0; index < 3; index++) assert.equal((await ask())?.code, "BLOB_NOT_FOUND");
    const flood = await Promise.all(Array.from({ length: 60 }, ask));
    const codes = flood.map((answer) => answer?.code);
    assert.ok(codes.includes("BLOB_NOT_FOUND"), "some waited and were served");
    assert.ok(codes.includes("TIMED_OUT"), "some were refused");
    assert.equal((await ask())?.code, "BLOB_NOT_FOUND", "and who comes after is served again");
  });

  const bad: [what: string, header: unknown][] = [
    ["another operation", { op: "list" }],
    ["a field too many", { ...hasHeader("1"), more: 1 }],
    ["a field too few", { op: "has" }],
    ["a digest that is none", { op: "has", name: { kind: "input", digest: "../../etc/passwd" } }],
    ["a kind that is none", { op: "has", name: { kind: "../input", digest: `0x${"1".repeat(64)}` } }],
    ["a negative size", { op: "put", name: hasHeader("1").name, size: -1 }],
    ["a size beyond counting", { op: "put", name: hasHeader("1").name, size: 1e300 }],
    ["no JSON", Buffer.from("{")],
    ["no text", Buffer.from([0xff, 0xfe])],
    ["a prototype's name", Buffer.from('{"op":"has","__proto__":{"name":1}}')],
  ];
  it("that are not valid are answered so", async () => {
    const node = await aNode({});
    const stranger = await aStranger();
    for (const [what, header] of bad) {
      const answer = await stranger.ask(node, "blob", header);
      assert.deepEqual([answer?.ok, answer?.code], [false, "MESSAGE_INVALID"], what);
    }
  });

  it("larger than a header are refused by their length alone", async () => {
    const node = await aNode({});
    const stranger = await aStranger();
    const padded = canonicalJson({ ...hasHeader("1"), more: "x".repeat(MAX_HEADER_BYTES) });
    assert.equal((await stranger.ask(node, "blob", padded))?.code, "MESSAGE_INVALID");
    const stream = await stranger.open(node, "logs");
    await stream.write(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)); // a frame of 256 MiB, of which not a byte follows
    assert.match(Buffer.from((await stream.readFrame(8_192)) ?? []).toString(), /at most 8192 are taken/);
    const endless = await stranger.open(node, "logs");
    await endless.write(new Uint8Array(8).fill(0xff));
    assert.match(Buffer.from((await endless.readFrame(8_192)) ?? []).toString(), /too long/);
  });

  it("on another market's channels are not even heard", async () => {
    const node = await aNode({});
    const stranger = await aStranger();
    const others = [
      { ...deployment, chainId: 1 },
      { ...deployment, taskRegistry: deployment.nodeRegistry },
    ];
    for (const other of others) {
      const opened = stranger.raw(node, "blob", other);
      await assert.rejects(
        opened,
        { name: "UnsupportedProtocolError" },
        channelName("blob", other.chainId, other.taskRegistry),
      );
    }
  });
});

describe("a slow reader", () => {
  const output = randomBytes(48 * MIB);
  const root = chunkRoot(output);
  let node: TestNode;
  before(async () => {
    node = await startTestNode({ registry, limits: { streamIdleMs: 1_000 } });
    const writer = await node.blobs.create();
    await writer.write(output);
    await writer.commit({ kind: "output", digest: root });
    node.leases.push({ leaseId: leaseIdOf(1), attempt: 1, consumer: consumer.address, outputRoot: root });
    await node.logs.append(leaseIdOf(1), 1, output);
    await node.logs.end(leaseIdOf(1), 1);
  });
  after(() => node.stop());

  const headers = async () => {
    const lease = { leaseId: leaseIdOf(1), attempt: 1 };
    const get = { op: "get", name: { kind: "output", digest: root }, offset: 0 };
    return {
      blob: { ...get, token: await aToken(lease, "output") },
      logs: { ...lease, offset: 0, follow: false, token: await aToken(lease, "logs") },
    } as const;
  };

  for (const channel of ["blob", "logs"] as const)
    it(`of ${channel} makes the node wait, with a few MiB in flight at most, and is cut in the end`, async () => {
      const stranger = await aStranger();
      const counter = channel === "blob" ? "blob_bytes_out" : "log_bytes_out";
      const raw = await stranger.raw(node, channel);
      raw.pause(); // before the first byte: its window is never opened again
      const closed = new Promise<void>((resolve) => raw.addEventListener("close", () => resolve()));
      raw.send(encodeFrame(canonicalJson((await headers())[channel])));
      await eventually("the node has begun", () => (node.counts[counter] ?? 0) > 0);
      await sleep(500);
      const sent = node.counts[counter] ?? 0;
      assert.ok(sent < 8 * MIB, `${sent} bytes were read for a reader who reads nothing`);
      await closed;
      assert.ok((node.counts[counter] ?? 0) < 8 * MIB);
    });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
