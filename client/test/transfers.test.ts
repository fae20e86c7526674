import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  deriveOutputKey,
  fetchDelivery,
  followTaskLogs,
  type Market,
  memoryCiphertext,
  memorySink,
  type OutputKey,
  type PreparedTask,
  planTask,
  prepareTask,
  signerOf,
  submitTask,
  type TypedDataSigner,
} from "@dekuper/client";
import { chunkRoot, DekuperError, isDekuperError, parseTaskFile, receiptDigest } from "@dekuper/protocol";
import { Encrypter } from "age-encryption";
import { type Hex, recoverAddress, stringToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createDeliveryFolder, fileCiphertext } from "../src/node/delivery-folder.ts";
import { startTestChain, type TestChain } from "./chain.ts";
import { aDelivery, salt, tar } from "./delivery-builder.ts";
import { FakePeer } from "./fake-peer.ts";
import { startTestProvider, type TestProvider } from "./provider.ts";

let chain: TestChain;
let market: Market;
let consumer: Hex;
let signer: TypedDataSigner;
let key: OutputKey;
let providers: TestProvider[];
let folder = "";

before(async () => {
  chain = await startTestChain();
  const account = await chain.account(1_000);
  market = account.market;
  consumer = account.address;
  signer = signerOf(privateKeyToAccount(account.key));
  key = await deriveOutputKey(signer, chain.network.deployment);
  providers = [await startTestProvider(chain), await startTestProvider(chain)];
  await market.deposit(100_000_000n);
  folder = await mkdtemp(join(tmpdir(), "dekuper-transfers-"));
});
after(async () => {
  await chain?.stop();
  await rm(folder, { recursive: true, force: true });
});

function aTask(change = ""): PreparedTask {
  const file = parseTaskFile(
    `name: hello\npublic: true\ntemplate: batch\ncommand: "true"\nresources: { duration: 10m, memory: 64Mi }\n${change}`,
  );
  const bytes = stringToBytes("data");
  const digest = `0x${"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"}` as const;
  const source = {
    size: bytes.length,
    open: async function* () {
      yield bytes;
    },
  };
  return prepareTask({
    file,
    network: chain.network,
    token: { symbol: "dUSD", decimals: 6 },
    recipient: key.recipient,
    salt,
    inputs: [
      { path: "a", digest, source },
      { path: "b", digest, source },
    ],
  });
}

async function planOf(task: PreparedTask) {
  const [nodes, terms, token, head] = await Promise.all([
    market.nodes(),
    market.terms(),
    market.token(),
    market.head(),
  ]);
  return planTask(task.planOrder, nodes, { terms, token, now: head.timestamp });
}

describe("submitTask", () => {
  it("puts spec and inputs on the fitting nodes, each input once, before the task exists", async () => {
    const peer = new FakePeer();
    const task = aTask();
    const submitted = await submitTask({ market, peer, task, plan: await planOf(task) });
    assert.deepEqual([...submitted.seeded].sort(), providers.map(({ node }) => node).sort());
    assert.equal(peer.puts.length, 4);
    const facts = await market.task(submitted.taskId);
    assert.equal(facts.task.specDigest, task.specDigest);
    assert.equal(facts.task.consumer, consumer);
    await market.cancel(submitted.taskId);
  });

  it("goes on with the nodes that it reaches", async () => {
    const peer = new FakePeer();
    peer.unreachable.add(providers[0]?.node ?? "0x");
    const task = aTask();
    const steps: string[] = [];
    const submitted = await submitTask({
      market,
      peer,
      task,
      plan: await planOf(task),
      onStep: ({ kind }) => steps.push(kind),
    });
    assert.deepEqual(submitted.seeded, [providers[1]?.node]);
    assert.ok(steps.includes("unreachable") && steps.at(-1) === "ordering");
    await market.cancel(submitted.taskId);
  });

  it("orders and pays nothing when no node takes the data", async () => {
    const peer = new FakePeer();
    for (const { node } of providers) peer.unreachable.add(node);
    const before = (await market.tasks(consumer)).length;
    const task = aTask();
    await assert.rejects(submitTask({ market, peer, task, plan: await planOf(task) }), {
      code: "PEER_UNREACHABLE",
    });
    assert.equal((await market.tasks(consumer)).length, before);
  });

  it("checks money and budget before it uploads anything", async () => {
    const poor = await chain.account(1);
    const peer = new FakePeer();
    const task = aTask();
    await assert.rejects(
      submitTask({ market: poor.market, peer, task, plan: await planOf(task) }),
      (error) => {
        assert.ok(isDekuperError(error, "INSUFFICIENT_FUNDS"));
        assert.match(error.hint, /dekuper account deposit "0\.16666\d /);
        return true;
      },
    );
    const tight = aTask("budget: 0.1\n");
    await assert.rejects(submitTask({ market, peer, task: tight, plan: await planOf(tight) }), {
      code: "BUDGET_EXCEEDED",
    });
    assert.equal(peer.puts.length, 0);
  });
});

/** A finished task whose node holds an encrypted delivery of these files. */
async function finished(
  files: Record<string, string>,
  lie: (ciphertext: Uint8Array) => Uint8Array = (same) => same,
) {
  const peer = new FakePeer();
  const task = aTask();
  const submitted = await submitTask({ market, peer, task, plan: await planOf(task) });
  const provider = providers[0];
  assert.ok(provider !== undefined);
  const delivery = aDelivery(files, "line 1\nline 2\n");
  const encrypter = new Encrypter();
  encrypter.addRecipient(task.spec.output.recipient);
  const ciphertext = lie(await encrypter.encrypt(tar(delivery.parts)));
  await provider.accept(submitted.taskId);
  await provider.start(submitted.leaseId);
  const attestation = await provider.complete({
    taskId: submitted.taskId,
    leaseId: submitted.leaseId,
    specDigest: task.specDigest,
    ...delivery.attestation,
    ciphertextRoot: chunkRoot(ciphertext),
    ciphertextSize: BigInt(ciphertext.length),
  });
  const name = { kind: "output", digest: attestation.ciphertextRoot } as const;
  peer.blobs.set(peer.key(provider.node, name), ciphertext);
  return { peer, submitted, provider, ciphertext, name, task, attestation };
}

/** Fetches into memory, as the consumer of this file; `changed` is what a test does otherwise. */
function fetchAs(
  peer: FakePeer,
  id: Hex,
  changed: Partial<Parameters<typeof fetchDelivery>[0]> = {},
): ReturnType<typeof fetchDelivery> {
  const [store, sink] = [memoryCiphertext(), memorySink()];
  return fetchDelivery({ market, peer, signer, key, id, store, sink, ...changed });
}

describe("fetchDelivery", () => {
  it("gets, verifies, decrypts and unpacks what the node attested", async () => {
    const { peer, submitted, provider, task } = await finished({ "out/a.txt": "alpha", b: "beta" });
    const place = await createDeliveryFolder(join(folder, "delivery"));
    const fetched = await fetchAs(peer, submitted.leaseId, { sink: place.sink });
    const at = await place.commit();
    assert.equal(fetched.node, provider.node);
    assert.equal(fetched.spec.name, task.spec.name);
    assert.equal(await readFile(join(at.output, "out", "a.txt"), "utf8"), "alpha");
    assert.equal(await readFile(at.log, "utf8"), "line 1\nline 2\n");
    assert.equal((await stat(at.folder)).mode & 0o077, 0, "results are for their owner only");
    assert.equal(peer.gets.at(-1)?.token?.scope, "output");
    await assert.rejects(createDeliveryFolder(join(folder, "delivery")), { code: "PATH_INVALID" });
  });

  it("gives the node a receipt of exactly that, where the consumer wants to, and no files less where it is not taken", async () => {
    const { peer, submitted, attestation } = await finished({ a: "b" });
    const receiptOf = async (changed: Partial<Parameters<typeof fetchDelivery>[0]>) =>
      (await fetchAs(peer, submitted.leaseId, changed)).receipt;
    assert.deepEqual(await receiptOf({}), { kind: "declined" });
    assert.equal(peer.receipts.length, 0);
    assert.deepEqual(await receiptOf({ givesReceipt: true }), { kind: "given" });
    const [receipt] = peer.receipts;
    assert.ok(receipt !== undefined);
    const { leaseId, attempt, attestationDigest } = (await market.task(submitted.leaseId)).lease;
    assert.equal(attempt, attestation.attempt);
    const { signature, ...content } = receipt;
    assert.deepEqual(content, { leaseId, attempt, attestationDigest });
    const hash = receiptDigest(chain.network.deployment, receipt);
    assert.equal(await recoverAddress({ hash, signature }), consumer);
    peer.refusesReceipts = new DekuperError("PEER_UNREACHABLE", "It knows no receipts.");
    assert.deepEqual(await receiptOf({ givesReceipt: true }), {
      kind: "not-taken",
      reason: "It knows no receipts.",
    });
    await market.approve(leaseId);
    assert.deepEqual(await receiptOf({ givesReceipt: true }), { kind: "not-needed" });
  });

  it("goes on where a transfer was cut, within a call and from a file across calls", async () => {
    const { peer, submitted, ciphertext } = await finished({ a: "x".repeat(50_000) });
    peer.cuts.push(20_000, 10_000);
    const fetch = (store = memoryCiphertext()) => fetchAs(peer, submitted.taskId, { store });
    await fetch();
    assert.deepEqual(
      peer.gets.filter(({ name }) => name.kind === "output").map(({ offset }) => offset),
      [0, 20_000, 30_000],
    );

    const path = join(folder, "partial.age");
    await writeFile(path, ciphertext.subarray(0, 40_000));
    await fetch(fileCiphertext(path));
    assert.equal(peer.gets.at(-1)?.offset, 40_000);
  });

  it("throws away a partial file that does not belong to it", async () => {
    const { peer, submitted } = await finished({ a: "x" });
    const path = join(folder, "wrong.age");
    await writeFile(path, Buffer.alloc(10));
    const fetch = () => fetchAs(peer, submitted.taskId, { store: fileCiphertext(path) });
    await assert.rejects(fetch(), { code: "BLOB_CORRUPT" });
    await fetch();
  });

  it("refuses other bytes than the attested ones", async () => {
    const { peer, submitted, provider, name, ciphertext } = await finished({ a: "x" });
    const blob = peer.key(provider.node, name);
    const fetch = () => fetchAs(peer, submitted.taskId);
    const flipped = ciphertext.slice();
    flipped[200] = (flipped[200] ?? 0) ^ 1;
    peer.blobs.set(blob, flipped);
    await assert.rejects(fetch(), { code: "BLOB_CORRUPT" });
    peer.blobs.set(blob, Buffer.concat([ciphertext, Buffer.from("more")]));
    await assert.rejects(fetch(), { code: "BLOB_CORRUPT" });
  });

  it("refuses a ciphertext that the node attested but that does not open", async () => {
    const { peer, submitted } = await finished({ a: "x" }, (ciphertext) => {
      const broken = ciphertext.slice();
      broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
      return broken;
    });
    const fetch = fetchAs(peer, submitted.taskId);
    await assert.rejects(fetch, { code: "ATTESTATION_INVALID", message: /does not decrypt/ });
  });

  it("leaves nothing in the target folder when something is wrong", async () => {
    const { peer, submitted } = await finished({ a: "x" });
    const target = join(folder, "never");
    const place = await createDeliveryFolder(target);
    const other = { ...key, recipient: `age1${"q".repeat(58)}` };
    const fetch = fetchAs(peer, submitted.taskId, { key: other, sink: place.sink });
    await assert.rejects(fetch, { code: "READ_DENIED" });
    await place.abort();
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith("never")),
      [],
    );
  });

  it("is WRONG_STATE before the run has ended", async () => {
    const peer = new FakePeer();
    const task = aTask();
    const { taskId } = await submitTask({ market, peer, task, plan: await planOf(task) });
    const fetch = fetchAs(peer, taskId);
    await assert.rejects(fetch, { code: "WRONG_STATE", message: /is Open/ });
    await market.cancel(taskId);
  });
});

describe("followTaskLogs", () => {
  async function read(peer: FakePeer, id: Hex, follow: boolean, signal?: AbortSignal): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const part of followTaskLogs({ market, peer, signer, id, follow, signal })) parts.push(part);
    return Buffer.concat(parts).toString();
  }

  it("goes on where a connection was cut, without losing or repeating a byte", async () => {
    const { peer, submitted } = await finished({ a: "x" });
    peer.log = stringToBytes("0123456789");
    peer.cuts.push(3, 4);
    assert.equal(await read(peer, submitted.taskId, true), "0123456789");
    assert.equal(peer.logReads, 3);
  });

  it("waits for a node to accept, and ends when asked to", async () => {
    const peer = new FakePeer();
    const task = aTask();
    const { taskId } = await submitTask({ market, peer, task, plan: await planOf(task) });
    await assert.rejects(read(peer, taskId, false), { code: "WRONG_STATE", message: /no node runs it/ });
    const waiting = read(peer, taskId, true, AbortSignal.timeout(1_500));
    await assert.rejects(waiting, { name: "TimeoutError" });
    await market.cancel(taskId);
    await assert.rejects(read(peer, taskId, true), { code: "WRONG_STATE" });
  });

  it("passes on what the node has decided", async () => {
    const { peer, submitted } = await finished({ a: "x" });
    peer.log = new DekuperError("READ_DENIED", "Not yours.");
    await assert.rejects(read(peer, submitted.taskId, true), { code: "READ_DENIED" });
  });
});
