import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type BlobName, chunkRoot } from "@dekuper/protocol";
import { type BlobQuotas, createBlobStore, type FileBlobStore } from "../../src/peer/blob-store.ts";
import { createLogStore } from "../../src/peer/log-store.ts";
import { anInput, aSpecBlob, collect, inParts, leaseIdOf } from "./market.ts";

let root = "";
let now = 1_000_000;
const stores: FileBlobStore[] = [];
before(async () => {
  root = await mkdtemp(join(tmpdir(), "dekuper-blobs-"));
});
after(async () => {
  for (const store of stores) store.close();
  await rm(root, { recursive: true, force: true });
});

let folders = 0;
const aFolder = () => join(root, String(++folders));
async function aStore(quotas: Partial<BlobQuotas> = {}, dir = aFolder()): Promise<FileBlobStore> {
  await mkdir(dir, { recursive: true });
  const store = await createBlobStore({
    dir,
    clock: { now: () => now * 1000 },
    quotas: { minFreeBytes: 0, ...quotas },
  });
  stores.push(store);
  return store;
}
async function restarted(store: FileBlobStore, dir: string): Promise<FileBlobStore> {
  stores.splice(stores.indexOf(store), 1);
  store.close();
  return aStore({}, dir);
}
const put = (
  store: FileBlobStore,
  { name, bytes }: { name: BlobName; bytes: Uint8Array },
  owner = "host:10.0.0.1",
) => store.put(name, bytes.length, { owner, offset: 0, bytes: inParts(bytes) });
/** Puts only the first part; the rest never comes. */
const putPart = (
  store: FileBlobStore,
  { name, bytes }: ReturnType<typeof anInput>,
  length: number,
  owner: string,
) =>
  assert.rejects(
    store.put(name, bytes.length, { owner, offset: 0, bytes: inParts(bytes.subarray(0, length)) }),
    {
      code: "PEER_UNREACHABLE",
    },
  );
const here = async (store: FileBlobStore, { name }: { name: BlobName }) =>
  (await store.has(name)) !== undefined;

describe("quotas", () => {
  it("are each owner's own, in bytes and in number, and of all together", async () => {
    const store = await aStore({ ownerBytes: 1_000, ownerBlobs: 2, totalBytes: 2_500 });
    await put(store, anInput("a".repeat(600)), "host:1");
    await assert.rejects(put(store, anInput("b".repeat(401)), "host:1"), { code: "BLOB_QUOTA" });
    await put(store, anInput("c".repeat(400)), "host:1");
    await assert.rejects(put(store, anInput(""), "host:1"), { code: "BLOB_QUOTA" });
    await put(store, anInput("d".repeat(1_000)), "host:2");
    await assert.rejects(put(store, anInput("e".repeat(501)), "host:3"), { code: "BLOB_QUOTA" });
    await put(store, anInput("f".repeat(500)), "host:3");
  });

  it("count an unfinished put by its whole size", async () => {
    const store = await aStore({ ownerBytes: 1_000 });
    await putPart(store, anInput("a".repeat(900)), 10, "host:1");
    await assert.rejects(put(store, anInput("b".repeat(200)), "host:1"), { code: "BLOB_QUOTA" });
    await put(store, anInput("a".repeat(900)), "host:1");
  });

  it("hold for puts that come at once", async () => {
    const store = await aStore({ ownerBytes: 1_000 });
    const puts = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => put(store, anInput(String(index).repeat(400)), "host:1")),
    );
    assert.equal(puts.filter(({ status }) => status === "fulfilled").length, 2);
  });

  it("do not count what a lease retains, nor what the node makes or fetches itself", async () => {
    const store = await aStore({ ownerBytes: 1_000 });
    const input = anInput("a".repeat(900));
    await put(store, input, "host:1");
    await store.retain(input.name, now + 10);
    await put(store, anInput("b".repeat(900)), "host:1");
    await put(store, anInput("c".repeat(5_000)), "self");
  });

  it("make room first by what has expired", async () => {
    const store = await aStore({ ownerBytes: 1_000, unretainedSeconds: 100 });
    const old = anInput("a".repeat(900));
    await put(store, old, "host:1");
    now += 101;
    await put(store, anInput("b".repeat(900)), "host:1");
    assert.equal(await here(store, old), false);
  });

  it("bound a spec to its own size", async () => {
    const store = await aStore();
    const { name } = aSpecBlob();
    await assert.rejects(put(store, { name, bytes: Buffer.alloc(256 * 1024 + 1) }), {
      code: "BLOB_QUOTA",
      retryable: false,
    });
  });
});

describe("expiry", () => {
  it("keeps what is put again for as long as what is put anew: who was told that it is here relies on it", async () => {
    const store = await aStore({ unretainedSeconds: 100 });
    const input = anInput("again");
    await put(store, input);
    now += 90;
    await put(store, input, "host:10.0.0.2");
    now += 90;
    assert.equal(await store.sweep(now), 0);
    assert.notEqual(await store.has(input.name), undefined);
    now += 90;
    assert.equal(await store.sweep(now), 1);
    assert.equal(await store.renew(input.name), undefined);
  });

  it("takes what nobody retains after a while, and what is retained after its time; the later of two counts", async () => {
    const store = await aStore({ unretainedSeconds: 100 });
    const [loose, kept] = [anInput("loose"), anInput("kept")];
    await put(store, loose);
    await put(store, kept);
    await store.retain(kept.name, now + 1_000);
    await store.retain(kept.name, now + 500);
    assert.equal(await store.sweep(now + 99), 0);
    assert.equal(await store.sweep(now + 101), 1);
    assert.deepEqual([await here(store, loose), await here(store, kept)], [false, true]);
    await assert.rejects(collect(store.read(loose.name)), { code: "BLOB_NOT_FOUND" });
    await assert.rejects(store.retain(loose.name, now), { code: "BLOB_NOT_FOUND" });
    assert.equal(await store.sweep(now + 999), 0);
    assert.equal(await store.sweep(now + 1_001), 1);
  });

  it("takes unfinished puts with which nobody went on", async () => {
    const store = await aStore({ unretainedSeconds: 100, ownerBytes: 1_000 });
    const input = anInput("a".repeat(900));
    await putPart(store, input, 10, "host:1");
    await store.sweep(now + 99);
    assert.equal(await store.partialSize(input.name, "host:1"), 10);
    await store.sweep(now + 101);
    assert.equal(await store.partialSize(input.name, "host:1"), 0);
  });

  it("does not disturb who is reading", async () => {
    const store = await aStore({ unretainedSeconds: 0 });
    const input = anInput("a".repeat(1_000_000));
    await put(store, input);
    let size = 0;
    for await (const part of store.read(input.name)) {
      if (size === 0) assert.equal(await store.sweep(now + 10), 1);
      size += part.length;
    }
    assert.equal(size, 1_000_000);
  });
});

describe("a put", () => {
  it("belongs to its owner: nobody goes on with another's part, nor spoils it", async () => {
    const store = await aStore();
    const input = anInput("a".repeat(1_000));
    await putPart(store, input, 600, "host:1");
    assert.equal(await store.partialSize(input.name, "host:2"), 0);
    const wrong = { name: input.name, bytes: Buffer.alloc(1_000, "b") };
    await assert.rejects(put(store, wrong, "host:2"), { code: "BLOB_CORRUPT" });
    assert.equal(await store.partialSize(input.name, "host:1"), 600);
    const rest = { owner: "host:1", offset: 600, bytes: inParts(input.bytes.subarray(600)) };
    await store.put(input.name, 1_000, rest);
    assert.deepEqual(await collect(store.read(input.name)), Buffer.from(input.bytes));
  });

  it("is verified from its first byte, also what was there before the cut", async () => {
    const store = await aStore();
    const input = anInput("a".repeat(1_000));
    const other = anInput("b".repeat(1_000));
    await putPart(store, { ...input, bytes: other.bytes }, 600, "host:1");
    const rest = { owner: "host:1", offset: 600, bytes: inParts(input.bytes.subarray(600)) };
    await assert.rejects(store.put(input.name, 1_000, rest), { code: "BLOB_CORRUPT" });
    assert.equal(await store.partialSize(input.name, "host:1"), 0, "it starts anew");
  });

  it("takes no byte more than was declared, and no gap", async () => {
    const store = await aStore();
    const input = anInput("a".repeat(1_000));
    const from = (offset: number, bytes: Uint8Array) => ({ owner: "host:1", offset, bytes: inParts(bytes) });
    await assert.rejects(store.put(input.name, 500, from(0, input.bytes)), { code: "BLOB_CORRUPT" });
    await assert.rejects(store.put(input.name, 1_000, from(100, input.bytes)), { code: "MESSAGE_INVALID" });
  });

  it("is ended by a newer one of the same owner, which goes on from what is there", async () => {
    const store = await aStore();
    const input = anInput("a".repeat(1_000));
    const stuck = Promise.withResolvers<void>();
    async function* stalled() {
      yield input.bytes.subarray(0, 600);
      stuck.resolve();
      await new Promise(() => undefined);
    }
    const first = store.put(input.name, 1_000, { owner: "host:1", offset: 0, bytes: stalled() });
    const ended = assert.rejects(first, { code: "PEER_UNREACHABLE" });
    await stuck.promise;
    const rest = { owner: "host:1", offset: 600, bytes: inParts(input.bytes.subarray(600)) };
    await store.put(input.name, 1_000, rest);
    await ended;
    assert.ok(await here(store, input));
  });

  it("by two owners at once ends well for both", async () => {
    const store = await aStore();
    const input = anInput("a".repeat(500_000));
    await Promise.all(["host:1", "host:2", "self"].map((owner) => put(store, input, owner)));
    assert.deepEqual(await collect(store.read(input.name)), Buffer.from(input.bytes));
  });

  it("is read into memory only up to a bound", async () => {
    const store = await aStore();
    const input = anInput("a".repeat(1_000));
    await put(store, input);
    assert.equal((await store.readAll(input.name, 1_000)).length, 1_000);
    await assert.rejects(store.readAll(input.name, 999), { code: "MESSAGE_INVALID" });
    await assert.rejects(store.readAll(anInput("none").name, 999), { code: "BLOB_NOT_FOUND" });
  });
});

describe("what the node makes itself", () => {
  it("has its name only when it is committed, and leaves nothing when it is given up", async () => {
    const dir = aFolder();
    const store = await aStore({}, dir);
    const bytes = Buffer.alloc(100_000, "o");
    const name = { kind: "output", digest: chunkRoot(bytes) } as const;
    const [made, dropped] = [await store.create(), await store.create()];
    await made.write(bytes);
    await dropped.write(bytes);
    assert.equal(await store.has(name), undefined);
    await made.commit(name);
    await dropped.abort();
    assert.deepEqual(await store.has(name), { size: 100_000 });
    assert.deepEqual(await readdir(join(dir, "new")), []);
  });
});

describe("after a crash", () => {
  it("in the middle of a put, the part is there to go on with, half an output is not, and nothing else is left", async () => {
    const dir = aFolder();
    await mkdir(dir, { recursive: true });
    const bytes = Buffer.alloc(200_000, "x");
    const { name } = anInput(bytes);
    const program = fileURLToPath(new URL("./put-until-killed.ts", import.meta.url));
    const child = spawn(process.execPath, [program, dir, name.digest, String(bytes.length)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    for await (const line of createInterface({ input: child.stdout })) if (Number(line) >= 20_000) break;
    child.kill("SIGKILL");
    await exited;
    assert.equal((await readdir(join(dir, "new"))).length, 1, "the half output of before");

    const store = await aStore({}, dir);
    const there = await store.partialSize(name, "host:10.0.0.1");
    assert.ok(there >= 20_000 && there < bytes.length, `${there} bytes are there`);
    assert.equal(await store.has(name), undefined);
    assert.deepEqual(await readdir(join(dir, "new")), []);
    const rest = { owner: "host:10.0.0.1", offset: there, bytes: inParts(bytes.subarray(there)) };
    await store.put(name, bytes.length, rest);
    assert.deepEqual(await collect(store.read(name)), bytes);
    assert.deepEqual(await readdir(join(dir, "partial")), []);
  });

  it("between a blob's name and its row, the blob counts; a row without its blob does not", async () => {
    const dir = aFolder();
    const store = await aStore({}, dir);
    const [lost, found] = [anInput("lost"), anInput("found")];
    await put(store, lost);
    const at = (digest: string) => join(dir, "input", digest.slice(2, 4), digest.slice(2));
    await mkdir(join(dir, "input", found.name.digest.slice(2, 4)), { recursive: true });
    await writeFile(at(found.name.digest), found.bytes);
    await rm(at(lost.name.digest));
    await writeFile(join(dir, "partial", "input-of-nobody"), "x");
    const again = await restarted(store, dir);
    assert.deepEqual(await again.has(found.name), { size: 5 });
    assert.equal(await again.has(lost.name), undefined);
    assert.deepEqual(await readdir(join(dir, "partial")), []);
  });

  it("what a lease retains is still retained", async () => {
    const dir = aFolder();
    const store = await aStore({}, dir);
    const input = anInput("kept");
    await put(store, input);
    await store.retain(input.name, now + 10_000);
    const again = await restarted(store, dir);
    await again.sweep(now + 9_000);
    assert.ok(await here(again, input));
  });
});

// A small disk is a mount: that takes root, as the embedded cluster does.
if (process.getuid?.() === 0)
  describe("a full disk", () => {
    const disk = () => join(root, "small-disk");
    before(async () => {
      await mkdir(disk());
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,nr_inodes=1000", "tmpfs", disk()]);
    });
    after(() => {
      for (const store of stores.splice(0)) store.close();
      execFileSync("umount", [disk()]);
    });

    it("is DISK_FULL for a put, an own blob and a log, and all goes on when there is room again", async () => {
      const store = await aStore({}, join(disk(), "blobs"));
      const logs = createLogStore({ dir: join(disk(), "logs") });
      const small = anInput("small");
      await put(store, small);
      await writeFile(join(disk(), "ballast"), Buffer.alloc(1_300_000));

      const large = anInput(Buffer.alloc(1_500_000, "l"));
      await assert.rejects(put(store, large), { code: "DISK_FULL" });
      const own = await store.create();
      await assert.rejects(writeAll(own, large.bytes), { code: "DISK_FULL" });
      await own.abort();
      const lease = leaseIdOf(1);
      await assert.rejects(logs.append(lease, 1, large.bytes), { code: "DISK_FULL" });
      await assert.rejects(logs.replace(lease, 1, large.bytes), { code: "DISK_FULL" });
      assert.deepEqual(await collect(store.read(small.name)), Buffer.from("small"));

      await truncate(join(disk(), "ballast"), 0);
      await rm(join(disk(), "logs"), { recursive: true });
      await put(store, anInput(Buffer.alloc(500_000, "m")));
      await logs.append(lease, 1, Buffer.from("line\n"));
      assert.deepEqual(await logs.size(lease, 1), { bytes: 5, ended: false });
    });

    it("is DISK_FULL before the last bytes are taken that the node needs for itself", async () => {
      const store = await aStore({ minFreeBytes: 1_900_000 }, join(disk(), "careful"));
      await assert.rejects(put(store, anInput("a".repeat(200_000))), {
        code: "DISK_FULL",
        message: /nearly full/,
      });
    });

    it("is DISK_FULL when the index itself cannot grow", async () => {
      const store = await aStore({}, join(disk(), "index"));
      await writeFile(join(disk(), "ballast"), Buffer.alloc(4_000_000)).catch(() => undefined);
      let refused: unknown;
      for (let index = 0; index < 500 && refused === undefined; index++)
        await put(store, anInput(`${index}`)).catch((error: unknown) => {
          refused = error;
        });
      assert.equal((refused as { code?: string } | undefined)?.code, "DISK_FULL");
      await rm(join(disk(), "ballast"));
      assert.ok(!existsSync(join(disk(), "ballast")));
      await put(store, anInput("room again"));
    });
  });

async function writeAll(to: { write(bytes: Uint8Array): Promise<void> }, bytes: Uint8Array): Promise<void> {
  for await (const part of inParts(bytes)) await to.write(part);
}
