import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  callGet,
  callLogs,
  chunkRoot,
  type LogsRequest,
  type ReadScope,
  type ReadToken,
} from "@dekuper/protocol";
import { getAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import {
  aToken,
  collect,
  consumer,
  eventually,
  leaseIdOf,
  Registry,
  startTestNode,
  type TestLease,
  type TestNode,
} from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const registry = new Registry();
const signal = () => AbortSignal.timeout(20_000);
const ciphertext = randomBytes(300_000);
const root = chunkRoot(ciphertext);
const lease: TestLease = { leaseId: leaseIdOf(1), attempt: 1, consumer: consumer.address, outputRoot: root };
const otherLease: TestLease = { leaseId: leaseIdOf(2), attempt: 1, consumer: consumer.address };
const log = "epoch 1\nepoch 2\n";
let node: TestNode;
let stranger: Stranger;

before(async () => {
  node = await startTestNode({ registry });
  node.leases.push(lease, otherLease);
  const writer = await node.blobs.create();
  await writer.write(ciphertext);
  await writer.commit({ kind: "output", digest: root });
  await node.logs.append(lease.leaseId, 1, Buffer.from(log));
  await node.logs.end(lease.leaseId, 1);
  stranger = await startStranger();
});
after(async () => {
  await stranger.stop();
  await node.stop();
});

async function output(token?: ReadToken, offset = 0): Promise<Buffer> {
  const stream = await stranger.open(node, "blob");
  try {
    const { bytes } = await callGet(
      stream,
      { name: { kind: "output", digest: root }, offset, token },
      signal(),
    );
    return await collect(bytes);
  } finally {
    stream.abort(new Error("done"));
  }
}

async function* logs(token: ReadToken, change: Partial<LogsRequest> = {}, until = signal()) {
  const { leaseId, attempt } = lease;
  const stream = await stranger.open(node, "logs");
  try {
    yield* callLogs(stream, { leaseId, attempt, offset: 0, follow: false, token, ...change }, until);
  } finally {
    stream.abort(new Error("done"));
  }
}
const readLog = async (token: ReadToken, change: Partial<LogsRequest> = {}) =>
  (await collect(logs(token, change))).toString();

describe("the consumer's token", () => {
  it("opens the output, also from an offset", async () => {
    const token = await aToken(lease, "output");
    assert.deepEqual(await output(token), ciphertext);
    assert.deepEqual(await output(token, 299_990), ciphertext.subarray(299_990));
  });

  it("opens the log", async () => {
    const token = await aToken(lease, "logs");
    assert.equal(await readLog(token), log);
    assert.equal(await readLog(token, { offset: 8 }), "epoch 2\n");
    assert.equal(await readLog(token, { follow: true }), log, "following a log that has ended ends");
  });

  it("may be used again until it expires: a download that was cut goes on without the wallet", async () => {
    const token = await aToken(lease, "output");
    await output(token);
    assert.equal((await output(token, 100)).length, ciphertext.length - 100);
  });
});

describe("output and log", () => {
  const mallory = privateKeyToAccount(generatePrivateKey());
  const now = () => Math.floor(Date.now() / 1000);
  const wrong: [why: string, reason: RegExp, token: (scope: ReadScope) => Promise<ReadToken>][] = [
    ["another signer", /not the consumer's/, (scope) => aToken(lease, scope, {}, mallory)],
    ["an expired token", /expired/, (scope) => aToken(lease, scope, { expiry: now() - 1 })],
    ["another lease's token", /another lease/, (scope) => aToken(otherLease, scope)],
    ["another attempt's token", /another lease or attempt/, (scope) => aToken(lease, scope, { attempt: 2 })],
    ["the other scope", /not for/, (scope) => aToken(lease, scope === "logs" ? "output" : "logs")],
    ["another chain's token", /another market/, (scope) => aToken(lease, scope, { chainId: 1 })],
    [
      "another registry's token",
      /another market/,
      (scope) => aToken(lease, scope, { registry: getAddress(`0x${"77".repeat(20)}`) }),
    ],
    [
      "a token that was changed after it was signed",
      /not the consumer's/,
      async (scope) => ({ ...(await aToken(lease, scope)), expiry: now() + 9_999_999 }),
    ],
    [
      "a signature that is none",
      /not the consumer's/,
      async (scope) => ({ ...(await aToken(lease, scope)), signature: "0x1234" }),
    ],
  ];
  for (const [why, message, token] of wrong)
    it(`are refused to ${why}`, async () => {
      await assert.rejects(output(await token("output")), { code: "READ_DENIED", message });
      await assert.rejects(readLog(await token("logs")), { code: "READ_DENIED", message });
    });

  it("are refused without a token, also to registered nodes", async () => {
    await assert.rejects(output(), { code: "READ_DENIED" });
    const other = await startTestNode({ registry });
    const name = { kind: "output", digest: root } as const;
    await assert.rejects(other.peer.fetchBlob(name, 1e6, signal()), { code: "BLOB_NOT_FOUND" });
    await other.stop();
  });

  it("are refused for a lease that the node does not hold, without telling whether it exists", async () => {
    const foreign = { leaseId: leaseIdOf(3), attempt: 1 };
    const token = await aToken(foreign, "logs");
    await assert.rejects(readLog(token, foreign), { code: "READ_DENIED", message: /does not hold/ });
    const header = { op: "get", name: { kind: "output", digest: `0x${"88".repeat(32)}` }, offset: 0 };
    assert.equal((await stranger.ask(node, "blob", header))?.code, "READ_DENIED");
    assert.equal((await stranger.ask(node, "blob", { op: "has", name: header.name }))?.code, "READ_DENIED");
  });

  it("count what was refused", async () => {
    const before = node.counts.reads_denied ?? 0;
    await assert.rejects(output());
    assert.equal(node.counts.reads_denied, before + 1);
  });
});

describe("following a log", () => {
  let index = 100;
  const aRunning = () => {
    const running: TestLease = { leaseId: leaseIdOf(++index), attempt: 1, consumer: consumer.address };
    node.leases.push(running);
    return running;
  };

  it("gives what is printed as it is printed, and ends with the run", async () => {
    const { leaseId } = aRunning();
    const token = await aToken({ leaseId, attempt: 1 }, "logs");
    const reading = logs(token, { leaseId, follow: true });
    const next = async () => Buffer.from((await reading.next()).value ?? []).toString();
    const first = next();
    await node.logs.append(leaseId, 1, Buffer.from("one\n"));
    assert.equal(await first, "one\n");
    await node.logs.append(leaseId, 1, Buffer.from("two\n"));
    assert.equal(await next(), "two\n");
    await node.logs.append(leaseId, 1, Buffer.from("three\n"));
    await node.logs.end(leaseId, 1);
    assert.equal(await next(), "three\n");
    assert.equal((await reading.next()).done, true);
  });

  it("goes on across the end: a log that is replaced by its whole at the end has no line twice", async () => {
    const { leaseId } = aRunning();
    const token = await aToken({ leaseId, attempt: 1 }, "logs");
    await node.logs.append(leaseId, 1, Buffer.from("one\n"));
    const whole = collect(logs(token, { leaseId, follow: true }));
    await eventually("somebody follows", () => (node.counts.log_bytes_out ?? 0) > 0);
    await node.logs.replace(leaseId, 1, Buffer.from("one\ntwo\nthree\n"));
    await node.logs.end(leaseId, 1);
    assert.equal((await whole).toString(), "one\ntwo\nthree\n");
  });

  it("is cut when the token expires, without the mark of a whole log", async () => {
    const { leaseId } = aRunning();
    const expiry = Math.floor(Date.now() / 1000) + 2;
    const token = await aToken({ leaseId, attempt: 1 }, "logs", { expiry });
    await node.logs.append(leaseId, 1, Buffer.from("one\n"));
    const reading = logs(token, { leaseId, follow: true });
    assert.equal(Buffer.from((await reading.next()).value ?? []).toString(), "one\n");
    await assert.rejects(reading.next(), { code: "PEER_UNREACHABLE" });
    assert.ok(Date.now() >= expiry * 1000);
  });

  it("splits large logs into frames that every client takes", async () => {
    const { leaseId } = aRunning();
    const text = "x".repeat(500_000);
    await node.logs.append(leaseId, 1, Buffer.from(text));
    await node.logs.end(leaseId, 1);
    const token = await aToken({ leaseId, attempt: 1 }, "logs");
    assert.equal(await readLog(token, { leaseId }), text);
  });
});
