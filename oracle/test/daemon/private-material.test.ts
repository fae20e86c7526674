import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { deriveTaskKey, wrapTaskKey } from "@dekuper/client";
import {
  ageIdentity,
  type BlobName,
  decodeWrap,
  encodeSpec,
  nodeEncryptionKey,
  type Order,
  TaskKey,
  type TaskSpec,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { Secret } from "../../src/config/secret.ts";
import { MaterialStore } from "../../src/daemon/material.ts";
import { TaskKeys } from "../../src/daemon/task-keys.ts";
import { createBlobStore, type FileBlobStore } from "../../src/peer/blob-store.ts";
import { aSpec, hex, leaseId, streamOf, taskOf } from "./builders.ts";

const signal = AbortSignal.timeout(60_000);
const operatorKey = generatePrivateKey();
const node = privateKeyToAddress(operatorKey);
const consumer = taskOf(aSpec()).consumer;
const identity = ageIdentity(randomBytes(32));
const key = deriveTaskKey({ identity });
const digestOf = (bytes: Uint8Array): Hex => `0x${createHash("sha256").update(bytes).digest("hex")}`;
const SECRET = "hf_a-token-that-nobody-else-may-read";

let dir = "";
let store: FileBlobStore;
let blobDir = "";
/** Wraps on chain, newest first. */
let granted: Hex[];

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "dekuper-private-"));
});
after(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  blobDir = await mkdtemp(join(dir, "blobs-"));
  store = await createBlobStore({ dir: blobDir });
  granted = [];
});

const put = (name: BlobName, bytes: Uint8Array) =>
  store.put(name, bytes.length, { owner: "host:10.0.0.1", offset: 0, bytes: streamOf(bytes) });
async function sealed(bytes: Uint8Array, by = key): Promise<{ digest: Hex; bytes: Uint8Array }> {
  const source = { size: bytes.length, open: (offset: number) => streamOf(bytes.subarray(offset)) };
  const parts: Uint8Array[] = [];
  for await (const part of (await by.sealSource(source, digestOf(bytes))).open(0)) parts.push(part);
  const all = new Uint8Array(Buffer.concat(parts));
  return { digest: digestOf(all), bytes: all };
}
/** Seals what a consumer would, puts it into this node's store, and hands the node the key. */
async function handed(spec: TaskSpec, by: { consumer?: Address; generation?: number; key?: TaskKey } = {}) {
  const blob = await sealed(encodeSpec(spec), by.key ?? key);
  await put({ kind: "sealed", digest: blob.digest }, blob.bytes);
  const encryptionKey = nodeEncryptionKey(operatorKey, by.generation ?? 1);
  const profile = { address: node, encryptionKeyVersion: 1, profile: { encryptionKey } };
  const { wrap } = await wrapTaskKey(by.key ?? key, blob.digest, by.consumer ?? consumer, profile);
  granted.unshift(wrap);
  return wrap;
}
async function anInput(text: string, change: Partial<TaskSpec["inputs"][number]> = {}) {
  const bytes = Buffer.from(text);
  const blob = await sealed(bytes);
  await put({ kind: "sealed", digest: blob.digest }, blob.bytes);
  return { path: "data.bin", digest: digestOf(bytes), size: bytes.length, sealed: blob.digest, ...change };
}
const taskKeys = () => new TaskKeys(new Secret(operatorKey), node, { grantsTo: () => granted });
const aMaterial = (keys = taskKeys()) =>
  new MaterialStore(
    store,
    { fetchBlob: () => Promise.reject(new Error("everything is here")) },
    1_000,
    { check: async () => ({ kind: "fit" }) },
    keys,
  );
const aPrivateSpec = (change: Partial<TaskSpec> = {}) =>
  aSpec({ public: false, env: { TOKEN: SECRET }, ...change });
const privately = (spec: TaskSpec, change: Partial<Order> = {}) =>
  taskOf(spec, { isPrivate: true, ...change });
async function fetched(spec: TaskSpec, task = privately(spec)) {
  const material = aMaterial();
  await material.fetch(leaseId, task, 500, signal);
  return material.of(leaseId);
}
/** Every byte of every file under the store. */
async function atRest(): Promise<Buffer> {
  const files = await readdir(blobDir, { recursive: true, withFileTypes: true });
  const named = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(await Promise.all(named.map((path) => readFile(path))));
}

describe("a private task's material (rule 11)", () => {
  it("is opened with the key that the node was handed, and rests sealed", async () => {
    const input = await anInput(`an input with ${SECRET}`);
    const spec = aPrivateSpec({ inputs: [input] });
    await handed(spec);
    assert.deepEqual(await fetched(spec), { kind: "ready", spec });
    const material = aMaterial();
    const task = privately(spec);
    await material.hold(leaseId, task, 2_000_000_000);
    assert.deepEqual(await material.spec(task), spec);
    const parts: Uint8Array[] = [];
    for await (const part of material.input(task, spec, input.digest)) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), `an input with ${SECRET}`);
    assert.ok((await atRest()).length > 1_000);
    assert.ok(!(await atRest()).includes(SECRET), "nothing of it is on the disk in the clear");
  });

  it("waits for its key, and is asked for again", async () => {
    assert.deepEqual(await fetched(aPrivateSpec()), { kind: "missing", what: "key", retryAt: 505 });
  });

  it("is invalid with a wrap that another consumer made, also where the node has opened that one before", async () => {
    const spec = aPrivateSpec();
    await handed(spec, { consumer: hex("a9", 20) });
    const invalid = { kind: "invalid", reason: "key-wrap-invalid", retryAt: 505 };
    assert.deepEqual(await fetched(spec), invalid);

    granted = [];
    await handed(spec);
    const keys = taskKeys();
    const copied = { ...privately(spec), consumer: hex("a9", 20), taskId: hex("34") };
    const material = aMaterial(keys);
    await material.fetch(leaseId, privately(spec), 500, signal);
    assert.equal(material.of(leaseId).kind, "ready");
    await material.fetch(leaseId, copied, 500, signal);
    assert.deepEqual(material.of(leaseId), invalid);
  });

  it("is invalid with a wrap for somebody else's key, with one that was changed, and with one that is none", async () => {
    const spec = aPrivateSpec();
    const wrap = await handed(spec);
    const { file } = decodeWrap(wrap);
    const bad: Hex[] = [
      "0x01",
      `${wrap.slice(0, -2)}${wrap.endsWith("00") ? "01" : "00"}` as Hex,
      `0x${wrap.slice(2, 2 + 2 * 65)}${Buffer.from(file).toString("hex").slice(2)}`,
    ];
    for (const one of bad) {
      granted = [one];
      assert.deepEqual(await fetched(spec), { kind: "invalid", reason: "key-wrap-invalid", retryAt: 505 });
    }
    granted = [];
    const stranger = {
      address: node,
      encryptionKeyVersion: 1,
      profile: { encryptionKey: nodeEncryptionKey(generatePrivateKey()) },
    };
    granted.push((await wrapTaskKey(key, decodeWrap(wrap).specBlob, consumer, stranger)).wrap);
    assert.deepEqual(await fetched(spec), { kind: "invalid", reason: "key-wrap-invalid", retryAt: 505 });
  });

  it("is opened with any wrap that is good, whatever was handed over after it", async () => {
    const spec = aPrivateSpec();
    await handed(spec);
    granted.unshift("0x01");
    assert.equal((await fetched(spec)).kind, "ready");
  });

  it("is opened once the consumer has handed over a better wrap than the first, which did not open", async () => {
    const spec = aPrivateSpec();
    await handed(spec, { consumer: hex("a9", 20) });
    const material = aMaterial();
    await material.fetch(leaseId, privately(spec), 500, signal);
    assert.equal(material.of(leaseId).kind, "invalid");
    await handed(spec);
    material.forget(leaseId); // its time has come
    await material.fetch(leaseId, privately(spec), 505, signal);
    assert.equal(material.of(leaseId).kind, "ready");
  });

  it("is opened by a node whose encryption key was changed since it was handed over", async () => {
    const spec = aPrivateSpec();
    await handed(spec, { generation: 2 });
    assert.equal((await fetched(spec)).kind, "ready");
    granted = [];
    await handed(spec, { generation: 8 });
    assert.equal((await fetched(spec)).kind, "ready");
  });

  it("is invalid where the spec is not the order's, is no spec, or says that it is public", async () => {
    const spec = aPrivateSpec();
    await handed(spec);
    const differs = privately(spec, { vCpus: 1 });
    assert.deepEqual(await fetched(spec, differs), { kind: "invalid", reason: "spec-differs-in-vCpus" });
    const other = privately(aPrivateSpec({ name: "other" }));
    assert.deepEqual(await fetched(spec, other), { kind: "invalid", reason: "spec-invalid" });
    granted = [];
    const open = aSpec();
    await handed(open);
    assert.deepEqual(await fetched(open), { kind: "invalid", reason: "spec-differs-in-public" });
    granted = [];
    await handed({ ...spec, version: 2 } as never);
    assert.deepEqual(await fetched(spec), { kind: "invalid", reason: "spec-invalid" });
  });

  it("is invalid where an input is not what the spec says, or is sealed under another key", async () => {
    const wrong: [Partial<TaskSpec["inputs"][number]>, string][] = [
      [{ digest: hex("01") }, "input-differs"],
      [{ size: 4 }, "input-size-differs"],
    ];
    for (const [change, reason] of wrong) {
      granted = [];
      const spec = aPrivateSpec({ inputs: [await anInput("hello", change)] });
      await handed(spec);
      assert.deepEqual(await fetched(spec), { kind: "invalid", reason });
    }
    granted = [];
    const foreign = await sealed(Buffer.from("hello"), new TaskKey(randomBytes(32), key.salt));
    await put({ kind: "sealed", digest: foreign.digest }, foreign.bytes);
    const spec = aPrivateSpec({ inputs: [await anInput("hello", { sealed: foreign.digest })] });
    await handed(spec);
    assert.deepEqual(await fetched(spec), { kind: "invalid", reason: "spec-invalid" });
  });
});

describe("a private task's checkpoints", () => {
  const task = privately(aPrivateSpec());
  const plain = randomBytes(200_000);
  const collect = async (parts: AsyncIterable<Uint8Array>) => {
    const all: Uint8Array[] = [];
    for await (const part of parts) all.push(part);
    return Buffer.concat(all);
  };

  it("are sealed by one node and opened by another that was handed the key", async () => {
    await handed(aPrivateSpec());
    const sealedBytes = await collect(taskKeys().cipherOf(task).seal(streamOf(plain)));
    assert.ok(!sealedBytes.includes(plain.subarray(0, 32)));
    const standbyKey = generatePrivateKey();
    const standby = privateKeyToAddress(standbyKey);
    const profile = {
      address: standby,
      encryptionKeyVersion: 3,
      profile: { encryptionKey: nodeEncryptionKey(standbyKey) },
    };
    const { wrap } = await wrapTaskKey(key, hex("77"), consumer, profile);
    const keys = new TaskKeys(new Secret(standbyKey), standby, { grantsTo: () => [wrap] });
    assert.deepEqual(await collect(keys.cipherOf(task).open(streamOf(sealedBytes))), plain);
  });

  it("are not opened without it", async () => {
    await assert.rejects(collect(taskKeys().cipherOf(task).open(streamOf(plain))), {
      code: "KEY_WRAP_INVALID",
    });
  });
});
