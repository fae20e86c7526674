import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { memorySink, verifyDelivery } from "@dekuper/client";
import { DekuperError, decodeManifest, outputDigest, saltedDigest } from "@dekuper/protocol";
import { type Entry, inPieces, largeTar, tarOf } from "./hand-made-tar.ts";
import { aSpec, decrypted, MemoryBlobs, open, rootOf, salt, seal } from "./sealing.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const MIB = 1024 * 1024;

async function sealEntries(entries: readonly Entry[], limits = {}) {
  const tar = await tarOf(entries);
  const { sealed, ciphertext } = await seal(() => inPieces(tar), { limits });
  return { sealed, delivered: await open(ciphertext) };
}

describe("sealing an output", () => {
  const files: Entry[] = [
    { name: "./", type: "directory" },
    { name: "./b.txt", content: "beta" },
    { name: "./deep/", type: "directory" },
    { name: "./deep/a.txt", content: "alpha" },
    { name: "./empty" },
    { name: `./${"long-name/".repeat(20)}file`, content: "x" },
    { name: "./größe.txt", content: "ß" },
  ];

  it("delivers files, log and manifest, encrypted to the consumer, under the ciphertext's Merkle root", async () => {
    const tar = await tarOf(files);
    const { sealed, ciphertext } = await seal(() => inPieces(tar), { log: "epoch 1\n" });
    assert.equal(rootOf(ciphertext), sealed.ciphertextRoot);
    assert.equal(ciphertext.length, sealed.ciphertextSize);
    assert.ok(!Buffer.from(ciphertext).includes("alpha"));
    const delivered = await open(ciphertext);
    assert.equal(delivered.get("output/deep/a.txt"), "alpha");
    assert.equal(delivered.get("output/größe.txt"), "ß");
    assert.equal(delivered.get("log"), "epoch 1\n");
    assert.equal(delivered.get("skipped.txt"), undefined);
    const manifest = decodeManifest(Buffer.from(delivered.get("manifest") ?? ""));
    assert.deepEqual(manifest.map(({ path }) => path).slice(0, 3), ["b.txt", "deep/a.txt", "empty"]);
    assert.equal(manifest[1]?.digest, `0x${sha256("alpha")}`);
    assert.deepEqual(sealed.skipped, []);
    assert.equal(sealed.outcome, "Success");
  });

  it("attests digests that anyone with the salt can recompute", async () => {
    const { sealed, delivered } = await sealEntries([{ name: "./a", content: "alpha" }]);
    const manifest = `${sha256("alpha")} 5 a\n`;
    assert.equal(delivered.get("manifest"), manifest);
    assert.equal(sealed.outputDigest, outputDigest(salt, Buffer.from(manifest)));
    assert.equal(sealed.logDigest, saltedDigest(salt, Buffer.from("line 1\n")));
  });

  it("passes the consumer's own verification, digest for digest", async () => {
    const tar = await tarOf([...files, { name: "./link", type: "symlink", linkname: "/etc/passwd" }]);
    const { sealed, ciphertext } = await seal(() => inPieces(tar));
    const sink = memorySink();
    const plain = inPieces(await decrypted(ciphertext));
    const verified = await verifyDelivery(plain, { attestation: sealed, salt }, sink);
    assert.equal(verified.files.length, 5);
    assert.deepEqual(verified.skipped, [{ reason: "symlink", path: "link" }]);
    assert.equal(Buffer.from(sink.files.get("b.txt") ?? []).toString(), "beta");
  });

  it("delivers an empty output", async () => {
    const { sealed, delivered } = await sealEntries([{ name: "./", type: "directory" }]);
    assert.deepEqual([...delivered.keys()], ["log", "manifest"]);
    assert.equal(sealed.outputDigest, outputDigest(salt, new Uint8Array()));
  });
});

describe("hostile entries", () => {
  const hostile: [what: string, entry: Entry, reason: string, path?: string][] = [
    ["a symbolic link", { name: "./link", type: "symlink", linkname: "/etc/shadow" }, "symlink", "link"],
    ["a hard link", { name: "./hard", type: "link", linkname: "../../key" }, "link", "hard"],
    ["a character device", { name: "./null", type: "character-device" }, "character-device", "null"],
    ["a block device", { name: "./disk", type: "block-device" }, "block-device", "disk"],
    ["a pipe", { name: "./pipe", type: "fifo" }, "fifo", "pipe"],
    ["an absolute name", { name: "/etc/cron.d/x", content: "x" }, "bad-name"],
    ["a name that climbs", { name: "a/../../x", content: "x" }, "bad-name"],
    ["a name that climbs after ./", { name: "./../x", content: "x" }, "bad-name", "../x"],
    ["an empty part", { name: "a//b", content: "x" }, "bad-name"],
    ["a name with a newline", { name: "a\nb", content: "x" }, "bad-name"],
    ["a name with an escape sequence", { name: "a\u001b[2Jb", content: "x" }, "bad-name"],
    ["a name that is too long", { name: "n/".repeat(600).slice(0, -1), content: "x" }, "bad-name"],
  ];
  for (const [what, entry, reason, path = entry.name] of hostile)
    it(`leaves out ${what}, lists it, and delivers the rest`, async () => {
      const { sealed, delivered } = await sealEntries([
        { name: "./a", content: "1" },
        entry,
        { name: "./b" },
      ]);
      assert.deepEqual(sealed.skipped, [{ kind: "skipped", path, reason }]);
      assert.deepEqual(
        [...delivered.keys()].filter((name) => name.startsWith("output/")),
        ["output/a", "output/b"],
      );
      const listed = delivered.get("skipped.txt") ?? "";
      assert.equal(listed.split("\n").length, 2, "one line an entry, whatever its name holds");
      assert.ok(listed.startsWith(`${reason} `));
    });

  it("leaves out names that are no UTF-8", async () => {
    const tar = await tarOf([{ name: "./aXb", content: "x" }]);
    const at = tar.indexOf("X");
    tar[at] = 0xff;
    tar.write(checksum(tar.subarray(0, 512)), 148, "latin1");
    const { sealed } = await seal(() => inPieces(tar));
    assert.equal(sealed.skipped[0]?.reason, "bad-name");
  });

  it("leaves out kinds of entries that it does not know", async () => {
    const tar = await tarOf([{ name: "./sparse", content: "x" }]);
    tar[156] = "S".charCodeAt(0);
    tar.write(checksum(tar.subarray(0, 512)), 148, "latin1");
    const { sealed } = await seal(() => inPieces(tar));
    assert.deepEqual(sealed.skipped, [{ kind: "skipped", path: "sparse", reason: "unknown-type" }]);
  });

  it("keeps the first of two files of one name", async () => {
    const { sealed, delivered } = await sealEntries([
      { name: "./a", content: "first" },
      { name: "a", content: "second" },
    ]);
    assert.equal(delivered.get("output/a"), "first");
    assert.deepEqual(sealed.skipped, [{ kind: "skipped", path: "a", reason: "doubled-name" }]);
  });

  it("leaves out what is too deep and what is too many", async () => {
    const entries = ["a", "1/2/3/deep", "b", "c"].map((name) => ({ name, content: name }));
    const { sealed } = await sealEntries(entries, { maxDepth: 3, maxEntries: 2 });
    assert.deepEqual(
      sealed.skipped.map(({ path, reason }) => [path, reason]),
      [
        ["1/2/3/deep", "too-deep"],
        ["c", "too-many"],
      ],
    );
  });

  it("names a thousand of them and only counts the rest", async () => {
    const links = Array.from({ length: 1200 }, (_, index) => ({
      name: `l${index}`,
      type: "symlink" as const,
      linkname: "x",
    }));
    const { sealed } = await sealEntries(links);
    assert.equal(sealed.skipped.length, 1001);
    assert.deepEqual(sealed.skipped.at(-1), { kind: "skipped", reason: "more", path: "200 others" });
  });
});

describe("an output over output.maxBytes", () => {
  it("is OutputTooLarge: the log is delivered, the files are not", async () => {
    const tar = await tarOf([
      { name: "a", content: "x".repeat(600) },
      { name: "b", content: "x".repeat(600) },
    ]);
    const { sealed, blobs, ciphertext } = await seal(() => inPieces(tar), {
      spec: aSpec(1000),
      log: "why\n",
    });
    assert.equal(sealed.outcome, "OutputTooLarge");
    const delivered = await open(ciphertext);
    assert.deepEqual([...delivered.keys()], ["log", "manifest"]);
    assert.equal(delivered.get("log"), "why\n");
    assert.equal(sealed.outputDigest, outputDigest(salt, new Uint8Array()));
    assert.equal(blobs.committed.size, 1);
    assert.equal(blobs.aborted, 1);
  });

  it("begins one byte beyond", async () => {
    const tar = await tarOf([{ name: "a", content: "x".repeat(600) }]);
    const at = (maxBytes: number) => seal(() => inPieces(tar), { spec: aSpec(maxBytes) });
    assert.equal((await at(600)).sealed.outcome, "Success");
    assert.equal((await at(599)).sealed.outcome, "OutputTooLarge");
  });

  it("is known before a byte of the too large file is read", async () => {
    let read = 0;
    async function* counted() {
      for await (const part of largeTar("big", 10_000 * MIB)) {
        read += part.length;
        yield part;
      }
    }
    const { sealed } = await seal(counted, { spec: aSpec(MIB) });
    assert.equal(sealed.outcome, "OutputTooLarge");
    assert.ok(read < 2 * MIB, `${read} bytes were read`);
  });
});

describe("an output that cannot be read", () => {
  async function rejected(output: () => AsyncIterable<Uint8Array>, blobs = new MemoryBlobs()) {
    const error = await seal(output, { blobs }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof DekuperError, `${error}`);
    assert.equal(blobs.committed.size, 0, "nothing is committed");
    assert.equal(blobs.aborted, 1, "what was written is given up");
    return error;
  }

  it("is OUTPUT_UNREADABLE when the tar ends early", async () => {
    const tar = await tarOf([{ name: "a", content: "x".repeat(5000) }]);
    for (const length of [100, 512, 3000]) {
      const error = await rejected(() => inPieces(tar.subarray(0, length)));
      assert.equal(error.code, "OUTPUT_UNREADABLE");
    }
  });

  it("is OUTPUT_UNREADABLE when it is no tar", async () => {
    const error = await rejected(() => inPieces(Buffer.alloc(4096, "not a tar ")));
    assert.equal(error.code, "OUTPUT_UNREADABLE");
    assert.ok(error.retryable);
  });

  it("is what the driver says when length, digest or exit status disagree after the last byte", async () => {
    const tar = await tarOf([{ name: "a", content: "alpha" }]);
    async function* wrongTrailer() {
      yield* inPieces(tar);
      throw new DekuperError("OUTPUT_UNREADABLE", "What arrived is not what the helper sent.");
    }
    const error = await rejected(wrongTrailer);
    assert.match(error.message, /not what the helper sent/);
  });

  it("is DISK_FULL when the disk takes no more, however large the output is", async () => {
    const full = new DekuperError("DISK_FULL", "The disk is full.");
    const blobs = new MemoryBlobs({ failure: { after: MIB, error: full } });
    const spec = aSpec(100 * MIB);
    await assert.rejects(
      seal(() => largeTar("big", 64 * MIB), { blobs, spec }),
      { code: "DISK_FULL" },
    );
    assert.equal(blobs.committed.size, 0);
    assert.equal(blobs.aborted, 1);
  });

  it("ends at once when the daemon stops, also while nothing comes", async () => {
    const stop = new AbortController();
    async function* silent(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(0);
      await new Promise(() => undefined);
    }
    const blobs = new MemoryBlobs();
    const sealing = seal(silent, { blobs, signal: stop.signal });
    setTimeout(() => stop.abort(new Error("stopping")), 50);
    await assert.rejects(sealing, /stopping/);
    assert.equal(blobs.aborted, 1);
  });

  it("fails, and does not wait for ever, when the recipient is no key", async () => {
    const spec = aSpec();
    const wrong = { ...spec, output: { ...spec.output, recipient: `age1${"q".repeat(58)}` } };
    const blobs = new MemoryBlobs();
    await assert.rejects(seal(() => largeTar("big", 900_000), { spec: wrong, blobs }));
    assert.equal(blobs.committed.size, 0);
  });
});

describe("memory", () => {
  it("stays bounded while 200 MB are sealed", async () => {
    const blobs = new MemoryBlobs({ keep: false });
    const before = process.memoryUsage();
    let peak = 0;
    const watch = setInterval(() => {
      const { heapUsed, external } = process.memoryUsage();
      peak = Math.max(peak, heapUsed + external - before.heapUsed - before.external);
    }, 20);
    try {
      const { sealed } = await seal(() => largeTar("weights.bin", 200 * MIB), {
        blobs,
        spec: aSpec(300 * MIB),
      });
      assert.ok(sealed.ciphertextSize > 200 * MIB);
    } finally {
      clearInterval(watch);
    }
    assert.ok(peak > 0, "memory was measured");
    assert.ok(peak < 100 * MIB, `grew by ${Math.round(peak / MIB)} MiB`);
  });
});

/** A tar header's own checksum, computed anew after a change. */
function checksum(header: Uint8Array): string {
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  return `${sum.toString(8).padStart(6, "0")}\0 `;
}
