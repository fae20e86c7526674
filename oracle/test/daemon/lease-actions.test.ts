import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { LeaseActions } from "../../src/daemon/lease-actions.ts";
import { MaterialStore } from "../../src/daemon/material.ts";
import { createBlobStore, type FileBlobStore } from "../../src/peer/blob-store.ts";
import { aRecord, aSpec, deployment, orderOf, specBytes, specName, streamOf, terms } from "./builders.ts";

let dir = "";
let now = 1_000_000;
let blobs: FileBlobStore;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "dekuper-actions-"));
  blobs = await createBlobStore({ dir, clock: { now: () => now * 1000 } });
});
after(async () => {
  blobs.close();
  await rm(dir, { recursive: true, force: true });
});

describe("making an attempt's pod", () => {
  it("keeps the spec for as long as the run may last: without it nothing could be sealed", async () => {
    const spec = aSpec();
    const bytes = specBytes(spec);
    await blobs.put(specName(spec), bytes.length, {
      owner: "host:10.0.0.1",
      offset: 0,
      bytes: streamOf(bytes),
    });
    const made: { deadlineSeconds: number }[] = [];
    const marked: string[] = [];
    const material = new MaterialStore(blobs, { fetchBlob: () => Promise.reject(new Error("not asked")) }, 0);
    const actions = new LeaseActions({
      deployment,
      blobs,
      material,
      reader: { lastReadable: { head: { timestamp: now } } },
      driver: { ensureAttempt: async (order: { deadlineSeconds: number }) => made.push(order) },
      journal: { mark: (_lease: string, _attempt: number, step: string) => marked.push(step) },
    } as never);
    const record = aRecord({ order: orderOf(spec) });
    const view = { terms } as never;
    await actions.take(
      { kind: "ensureAttempt" },
      { record, view, observation: undefined },
      AbortSignal.timeout(10_000),
    );
    assert.deepEqual(marked, ["ensured"]);
    assert.equal(made[0]?.deadlineSeconds, 120 + 7200 + 30 + 5, "start window, run, and both graces");
    now += 120 + 7200 + 35;
    await blobs.sweep(now);
    assert.deepEqual(await material.spec(record.order), spec);
  });
});
