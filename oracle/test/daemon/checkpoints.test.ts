import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { DekuperError, encodeManifest } from "@dekuper/protocol";
import { pack } from "tar-stream";
import type { Hex } from "viem";
import { Checkpoints } from "../../src/daemon/checkpoints.ts";
import { AttemptJournal, type AttemptRecord } from "../../src/journal/attempts.ts";
import { createBlobStore } from "../../src/peer/blob-store.ts";
import { openDatabase } from "../journal/crash.ts";
import { aRecord, aSpec, deployment, hex, orderOf } from "./builders.ts";

type Files = Readonly<Record<string, string>>;
const WAIT_MS = 20_000;
const NOW = 1_000_000;

const manifestOf = (files: Files) =>
  encodeManifest(
    Object.entries(files).map(([path, content]) => ({
      path,
      size: content.length,
      digest: `0x${createHash("sha256").update(content).digest("hex")}`,
    })),
  );

async function* tarOf(files: Files) {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  yield* tar as unknown as AsyncIterable<Uint8Array>;
}

/** A node with a real blob store, beside others that take copies or refuse them, and a task that writes files. */
async function aNode(
  t: TestContext,
  options: { others?: number; maxBytes?: number; refuse?: () => boolean; isPrivate?: boolean } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), "dekuper-checkpoints-"));
  const blobs = await createBlobStore({ dir, clock: { now: () => NOW * 1000 }, quotas: { minFreeBytes: 0 } });
  t.after(async () => {
    blobs.close();
    await rm(dir, { recursive: true, force: true });
  });
  const journal = new AttemptJournal(openDatabase(t).db, () => 0);
  const record = aRecord({ order: orderOf(aSpec(), { isPrivate: options.isPrivate ?? false }) });
  journal.open(record);
  const task: {
    files: Files;
    read: Files | undefined;
    reads: number;
    blocked: Promise<unknown> | undefined;
  } = {
    files: {},
    read: undefined,
    reads: 0,
    blocked: undefined,
  };
  const puts: Hex[] = [];
  const events: string[] = [];
  const elsewhere = new Map<Hex, Uint8Array>();
  const stop = new AbortController();
  const checkpoints = new Checkpoints({
    driver: {
      checkpointManifest: async () => manifestOf(task.files),
      readCheckpoint: async function* (_, signal) {
        task.reads += 1;
        await Promise.race([
          task.blocked,
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        ]);
        yield* tarOf(task.read ?? task.files);
      },
    },
    blobs,
    journal,
    peer: {
      putBlob: async (_, { digest }) => {
        if (options.refuse?.()) throw new DekuperError("BLOB_QUOTA", "Full.");
        puts.push(digest);
      },
      fetchBlob: async (name, maxBytes) => {
        const bytes = elsewhere.get(name.digest);
        if (bytes === undefined) throw new DekuperError("BLOB_NOT_FOUND", "Nobody has it.");
        if (bytes.length > maxBytes) throw new DekuperError("MESSAGE_INVALID", "Too large.");
        await blobs.put(name, bytes.length, {
          owner: "self",
          offset: 0,
          bytes: (async function* () {
            yield bytes;
          })(),
        });
      },
    },
    others: () => Array.from({ length: options.others ?? 3 }, (_, index) => hex(`e${index}`, 20)),
    clock: { now: () => NOW * 1000 },
    log: { info: (_, event) => events.push(event), warn: (_, event) => events.push(event) },
    signal: stop.signal,
    settings: { maxBytes: options.maxBytes ?? 10_000, copies: 2 },
  });
  t.after(() => {
    stop.abort(new DekuperError("TIMED_OUT", "The test is over."));
    return checkpoints.settled();
  });
  const ref = { chainId: 31_337, registry: deployment.taskRegistry, leaseId: record.leaseId, attempt: 1 };
  const fresh = (): AttemptRecord => journal.find(record.leaseId, 1) ?? record;
  const newest = (waitMs = WAIT_MS) => checkpoints.newest(fresh(), ref, waitMs);
  const limit = { maxBytes: 1_000_000, signal: AbortSignal.timeout(WAIT_MS) };
  return { checkpoints, blobs, journal, ref, task, puts, events, elsewhere, fresh, newest, limit };
}

describe("a checkpoint", () => {
  it("is in the store and with two others before it is claimed", async (t) => {
    const { newest, task, puts, blobs } = await aNode(t);
    task.files = { weights: "step 1" };
    const checkpoint = await newest();
    assert.ok(checkpoint);
    assert.deepEqual(await blobs.has({ kind: "checkpoint", digest: checkpoint.digest }), {
      size: checkpoint.size,
    });
    assert.deepEqual(puts, [checkpoint.digest, checkpoint.digest]);
  });

  it("is none where the task writes none, keeps none, or its key is not here", async (t) => {
    const empty = await aNode(t);
    assert.equal(await empty.newest(), undefined);
    for (const options of [{ maxBytes: 0 }, { maxBytes: 3 }, { isPrivate: true }]) {
      const node = await aNode(t, options);
      node.task.files = { weights: "step 1" };
      assert.equal(await node.newest(), undefined);
      assert.equal(node.task.reads, 0);
    }
  });

  it("is not read again while nothing has changed, but others are reminded of it", async (t) => {
    const { newest, task, puts } = await aNode(t);
    task.files = { weights: "step 1" };
    const first = await newest();
    const second = await newest();
    assert.deepEqual(second, first);
    assert.equal(task.reads, 1);
    assert.equal(puts.length, 4);
  });

  it("that is being written while it is read is no checkpoint: the one before stands", async (t) => {
    const { newest, task, events } = await aNode(t);
    task.files = { weights: "step 1" };
    const first = await newest();
    task.files = { weights: "step 2" };
    task.read = { weights: "step 2, half" };
    assert.deepEqual(await newest(), first);
    assert.ok(events.includes("checkpoint-changed-while-read"));
    task.read = undefined;
    assert.notDeepEqual(await newest(), first);
  });

  it("that grows too large, or that nobody else takes, does not displace one that others have", async (t) => {
    let isFull = false;
    const { newest, task } = await aNode(t, { maxBytes: 100, refuse: () => isFull });
    task.files = { weights: "step 1" };
    const first = await newest();
    task.files = { weights: "x".repeat(200) };
    assert.deepEqual(await newest(), first);
    task.files = { weights: "step 2" };
    isFull = true;
    assert.deepEqual(await newest(), first);
    isFull = false;
    assert.notDeepEqual(await newest(), first);
  });

  it("is kept by a node that is alone, and by one that nobody helps: its pod may come back to it", async (t) => {
    for (const options of [{ others: 0 }, { refuse: () => true }]) {
      const { newest, task } = await aNode(t, options);
      task.files = { weights: "step 1" };
      assert.ok(await newest());
    }
  });

  it("that takes long does not hold up the claim: an older one is claimed, and it is there for the next", async (t) => {
    const { newest, task, checkpoints } = await aNode(t);
    task.files = { weights: "step 1" };
    const first = await newest();
    const gate = Promise.withResolvers<void>();
    task.blocked = gate.promise;
    task.files = { weights: "step 2" };
    assert.deepEqual(await newest(1), first);
    gate.resolve();
    await checkpoints.settled();
    assert.notDeepEqual(await newest(1), first);
  });

  it("is given up when the run has ended", async (t) => {
    const { newest, task, checkpoints, ref, events } = await aNode(t);
    task.files = { weights: "step 1" };
    task.blocked = new Promise(() => undefined);
    assert.equal(await newest(1), undefined);
    await checkpoints.stop(ref);
    assert.deepEqual(events, [], "it is no failure");
  });
});

describe("going on from a checkpoint", () => {
  async function lost(t: TestContext) {
    const { newest, task, blobs } = await aNode(t);
    task.files = { "step/weights": "step 7", meta: "{}" };
    const checkpoint = await newest();
    assert.ok(checkpoint);
    const name = { kind: "checkpoint", digest: checkpoint.digest } as const;
    return { checkpoint, bytes: await blobs.readAll(name, 1_000_000) };
  }

  it("gets what the chain names from others, and its files into the pod", async (t) => {
    const { checkpoint, bytes } = await lost(t);
    const { checkpoints, elsewhere, fresh, journal, limit } = await aNode(t);
    elsewhere.set(checkpoint.digest, bytes);
    const resume = await checkpoints.fetch(fresh(), checkpoint.digest, limit);
    assert.deepEqual(resume, checkpoint);
    journal.recordResume(fresh().leaseId, 1, resume);
    const files = await checkpoints.files(fresh());
    assert.deepEqual(files.map(({ path }) => path).toSorted(), ["meta", "step/weights"]);
  });

  it("claims it until it has a newer one, and does not read it back while the pod has just that", async (t) => {
    const { checkpoint, bytes } = await lost(t);
    const { checkpoints, elsewhere, fresh, journal, limit, newest, task } = await aNode(t);
    elsewhere.set(checkpoint.digest, bytes);
    journal.recordResume(fresh().leaseId, 1, await checkpoints.fetch(fresh(), checkpoint.digest, limit));
    assert.deepEqual(await newest(), checkpoint);
    task.files = { "step/weights": "step 7", meta: "{}" };
    assert.deepEqual(await newest(), checkpoint);
    assert.equal(task.reads, 0);
  });

  it("begins anew where nobody has it, it is too large, or it is no tar: never a reason to fail", async (t) => {
    const { checkpoint, bytes } = await lost(t);
    const { checkpoints, elsewhere, fresh, limit } = await aNode(t);
    assert.equal(await checkpoints.fetch(fresh(), checkpoint.digest, limit), null);
    elsewhere.set(checkpoint.digest, bytes);
    assert.equal(await checkpoints.fetch(fresh(), checkpoint.digest, { ...limit, maxBytes: 10 }), null);
    const log = Buffer.from("epoch 1\n");
    const digest = `0x${createHash("sha256").update(log).digest("hex")}` as const;
    elsewhere.set(digest, log);
    assert.equal(await checkpoints.fetch(fresh(), digest, limit), null);
  });

  it("begins anew where it has gone since it was decided on", async (t) => {
    const { checkpoints, fresh, journal } = await aNode(t);
    journal.recordResume(fresh().leaseId, 1, { digest: hex("c1"), size: 1, manifestDigest: hex("c2") });
    assert.deepEqual(await checkpoints.files(fresh()), []);
  });
});
