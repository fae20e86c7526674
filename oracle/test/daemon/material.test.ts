import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type BlobName, DekuperError, type TaskSpec } from "@dekuper/protocol";
import type { ImageAnswer } from "../../src/daemon/image-checker.ts";
import { MaterialStore } from "../../src/daemon/material.ts";
import { createBlobStore, type FileBlobStore } from "../../src/peer/blob-store.ts";
import { aSpec, leaseId, noKeys, specBytes, specName, streamOf, taskOf } from "./builders.ts";

const signal = AbortSignal.timeout(60_000);
let dir = "";
let store: FileBlobStore;
/** What other nodes have. */
let others: Map<string, Uint8Array>;
let asked: BlobName[];
let now: number;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "dekuper-material-"));
});
after(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  now = 1_000_000;
  store = await createBlobStore({
    dir: await mkdtemp(join(dir, "blobs-")),
    clock: { now: () => now * 1000 },
  });
  others = new Map();
  asked = [];
});
afterEach(() => store.close());

const sweepIn = (seconds: number) => {
  now += seconds;
  return store.sweep(now);
};
const put = (name: BlobName, bytes: Uint8Array, owner = "self") =>
  store.put(name, bytes.length, { owner, offset: 0, bytes: streamOf(bytes) });
const fetchBlob = async (name: BlobName, maxBytes: number) => {
  asked.push(name);
  const bytes = others.get(name.digest);
  if (bytes === undefined) throw new DekuperError("BLOB_NOT_FOUND", "Nobody has it.");
  assert.ok(bytes.length <= maxBytes);
  await put(name, bytes);
};
const aMaterial = (maxInputBytes = 1_000, image: ImageAnswer = { kind: "fit" }) =>
  new MaterialStore(store, { fetchBlob }, maxInputBytes, { check: async () => image }, noKeys);

function anInput(text: string, path = "data.bin") {
  const bytes = Buffer.from(text);
  const digest = `0x${createHash("sha256").update(bytes).digest("hex")}` as const;
  return { bytes, name: { kind: "input", digest } as const, entry: { path, digest, size: bytes.length } };
}
const offer = (spec: TaskSpec) => others.set(specName(spec).digest, specBytes(spec));

describe("an order's material", () => {
  it("is unknown before it was asked for, and ready once spec and inputs are here", async () => {
    const input = anInput("hello");
    const spec = aSpec({ inputs: [input.entry] });
    offer(spec);
    others.set(input.name.digest, input.bytes);
    const material = aMaterial();
    assert.deepEqual(material.of(leaseId), { kind: "unknown" });
    await material.fetch(leaseId, taskOf(spec), now, signal);
    assert.deepEqual(material.of(leaseId), { kind: "ready", spec });
    assert.deepEqual(await store.has(input.name), { size: 5 });
    material.forget(leaseId);
    assert.deepEqual(material.of(leaseId), { kind: "unknown" });
  });

  it("is fetched once for leases of one task that come together", async () => {
    const spec = aSpec();
    offer(spec);
    const material = aMaterial();
    const other = `0x${"23".repeat(32)}` as const;
    await Promise.all([leaseId, other].map((lease) => material.fetch(lease, taskOf(spec), now, signal)));
    assert.deepEqual([material.of(leaseId).kind, material.of(other).kind], ["ready", "ready"]);
    assert.equal(asked.length, 1);
  });

  it("is not asked of others where it is here already", async () => {
    const spec = aSpec();
    await put(specName(spec), specBytes(spec));
    const material = aMaterial();
    await material.fetch(leaseId, taskOf(spec), now, signal);
    assert.equal(material.of(leaseId).kind, "ready");
    assert.deepEqual(asked, []);
  });

  it("is missing, for a while, where nobody has it", async () => {
    const material = aMaterial();
    await material.fetch(leaseId, taskOf(aSpec()), 500, signal);
    assert.deepEqual(material.of(leaseId), { kind: "missing", what: "spec", retryAt: 505 });
    const spec = aSpec({ inputs: [anInput("nobody has this").entry] });
    offer(spec);
    await material.fetch(leaseId, taskOf(spec), 500, signal);
    assert.deepEqual(material.of(leaseId), { kind: "missing", what: "spec", retryAt: 505 });
  });

  const differences: [field: string, change: object][] = [
    ["gpus", { gpus: 1 }],
    ["gpuModel", { gpuModel: "NVIDIA-A100" }],
    ["vCpus", { vCpus: 1 }],
    ["memoryMiB", { memoryMiB: 256n }],
    ["storageMiB", { storageMiB: 1n }],
    ["isolation", { isolation: 2 }],
    ["maxDuration", { maxDuration: 60 }],
    ["verification", { verification: 1 }],
  ];
  for (const [field, change] of differences)
    it(`is invalid when spec and order differ in ${field}: what was paid for is what runs`, async () => {
      const spec = aSpec();
      offer(spec);
      const material = aMaterial();
      await material.fetch(leaseId, taskOf(spec, change), now, signal);
      assert.deepEqual(material.of(leaseId), { kind: "invalid", reason: `spec-differs-in-${field}` });
    });

  it("is invalid when the inputs are more than this node takes, before one is fetched", async () => {
    const spec = aSpec({ inputs: [anInput("123456").entry] });
    offer(spec);
    const material = aMaterial(5);
    await material.fetch(leaseId, taskOf(spec), now, signal);
    assert.deepEqual(material.of(leaseId), { kind: "invalid", reason: "inputs-too-large" });
    assert.deepEqual(asked, [specName(spec)]);
  });

  it("is of no use without an image that can run: no input is fetched for it", async () => {
    const spec = aSpec({ inputs: [anInput("hello").entry] });
    offer(spec);
    const unfit = aMaterial(1_000, { kind: "unfit", problem: "image-not-found", retrySeconds: 15 });
    await unfit.fetch(leaseId, taskOf(spec), 500, signal);
    assert.deepEqual(unfit.of(leaseId), {
      kind: "ready",
      spec,
      imageProblem: "image-not-found",
      retryAt: 515,
    });
    const unknown = aMaterial(1_000, { kind: "unknown", retrySeconds: 40 });
    await unknown.fetch(leaseId, taskOf(spec), 500, signal);
    assert.deepEqual(unknown.of(leaseId), { kind: "missing", what: "image-answer", retryAt: 540 });
    assert.deepEqual(asked, [specName(spec)]);
  });

  it("is invalid when an input has another size than the spec says", async () => {
    const input = anInput("hello");
    const spec = aSpec({ inputs: [{ ...input.entry, size: 900 }] });
    offer(spec);
    others.set(input.name.digest, input.bytes);
    const material = aMaterial();
    await material.fetch(leaseId, taskOf(spec), now, signal);
    assert.deepEqual(material.of(leaseId), { kind: "invalid", reason: "input-size-differs" });
  });
});

describe("what a lease needs", () => {
  it("outlives the hour that other data is kept, until it is not needed any more", async () => {
    const input = anInput("hello");
    const spec = aSpec({ inputs: [input.entry] });
    await put(specName(spec), specBytes(spec), "host:10.0.0.1");
    await put(input.name, input.bytes, "host:10.0.0.1");
    await aMaterial().hold(leaseId, taskOf(spec), now + 7_200);
    await sweepIn(7_100);
    assert.ok((await store.has(specName(spec))) !== undefined && (await store.has(input.name)) !== undefined);
    await sweepIn(200);
    assert.equal(await store.has(specName(spec)), undefined);
  });

  it("is fetched again when it was swept between the look at an order and its acceptance", async () => {
    const spec = aSpec();
    offer(spec);
    const material = aMaterial();
    await material.fetch(leaseId, taskOf(spec), now, signal);
    await sweepIn(3_700);
    await assert.rejects(material.hold(leaseId, taskOf(spec), now + 100), { code: "BLOB_NOT_FOUND" });
    assert.deepEqual(material.of(leaseId), { kind: "unknown" });
    await material.fetch(leaseId, taskOf(spec), now, signal);
    await material.hold(leaseId, taskOf(spec), now + 100);
    assert.deepEqual(await material.spec(taskOf(spec)), spec);
  });
});

describe("the material of a lease that is adopted", () => {
  it("is fetched again where the state folder is new: its spec for the result, its inputs for the pod", async () => {
    const input = anInput("hello");
    const spec = aSpec({ inputs: [input.entry] });
    const task = taskOf(spec);
    offer(spec);
    others.set(input.name.digest, input.bytes);
    const material = aMaterial();
    await material.recover(task, "spec", signal);
    assert.deepEqual(asked, [specName(spec)]);
    assert.deepEqual(await material.spec(task), spec);
    await material.recover(task, "all", signal);
    await material.recover(task, "all", signal);
    assert.deepEqual(asked, [specName(spec), input.name], "what is here is not asked for");
  });
});

describe("orders that are over", () => {
  it("are forgotten: anyone may make more of them than memory holds", async () => {
    const material = aMaterial();
    const spec = aSpec();
    offer(spec);
    await material.fetch(leaseId, taskOf(spec), now, signal);
    material.forgetUnless((id) => id === leaseId);
    assert.equal(material.of(leaseId).kind, "ready");
    material.forgetUnless(() => false);
    assert.equal(material.of(leaseId).kind, "unknown");
  });
});
