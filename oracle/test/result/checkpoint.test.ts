import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { encodeManifest } from "@dekuper/protocol";
import fc from "fast-check";
import { pack } from "tar-stream";
import {
  type CheckpointCipher,
  checkpointFiles,
  digestOf,
  packCheckpoint,
  plainCipher,
} from "../../src/result/checkpoint.ts";

const signal = () => AbortSignal.timeout(10_000);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A pod's tar of its CHECKPOINT_DIR. */
async function* tarOf(
  files: Readonly<Record<string, string>>,
  extra?: (tar: ReturnType<typeof pack>) => void,
) {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name: `./${name}` }, content);
  extra?.(tar);
  tar.finalize();
  yield* tar as unknown as AsyncIterable<Uint8Array>;
}

async function packed(
  source: AsyncIterable<Uint8Array>,
  options: { cipher?: CheckpointCipher; maxBytes?: number } = {},
) {
  const parts: Uint8Array[] = [];
  const checkpoint = await packCheckpoint(
    source,
    { write: async (bytes) => void parts.push(Uint8Array.from(bytes)) },
    { cipher: options.cipher ?? plainCipher, maxBytes: options.maxBytes ?? 1_000_000, signal: signal() },
  );
  return { ...checkpoint, blob: Buffer.concat(parts) };
}

async function* inOne(bytes: Uint8Array) {
  yield bytes;
}

async function contents(blob: Uint8Array, cipher = plainCipher) {
  const { files, manifestDigest } = await checkpointFiles(() => inOne(blob), cipher);
  const read: Record<string, string> = {};
  for (const { path, open } of files) {
    const parts: Uint8Array[] = [];
    for await (const part of open()) parts.push(part);
    read[path] = Buffer.concat(parts).toString();
  }
  return { files, manifestDigest, read };
}

describe("a checkpoint as a blob", () => {
  it("is named by its own bytes, and holds what the manifest says", async () => {
    const { digest, size, blob, manifestDigest } = await packed(tarOf({ "step-1/w": "weights", meta: "{}" }));
    assert.equal(digest, `0x${sha256(blob)}`);
    assert.equal(size, blob.length);
    const entry = (path: string, content: string) => ({
      path,
      size: content.length,
      digest: `0x${sha256(Buffer.from(content))}` as const,
    });
    const manifest = encodeManifest([entry("step-1/w", "weights"), entry("meta", "{}")]);
    assert.equal(manifestDigest, digestOf(manifest));
  });

  it("gives back every file, as often as a pod has to be filled", async () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,8}$/).map((text) => `d/${text}`);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, fc.string({ maxLength: 2_000 }), { maxKeys: 6 }),
        async (files) => {
          const { blob, manifestDigest } = await packed(tarOf(files));
          for (let tries = 0; tries < 2; tries++) {
            const found = await contents(blob);
            assert.deepEqual(found.read, { ...files });
            assert.equal(found.manifestDigest, manifestDigest);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("can be sent again where a try broke off in the middle of it", async () => {
    const { blob } = await packed(tarOf({ a: "first", b: "second" }));
    const { files } = await checkpointFiles(() => inOne(blob), plainCipher);
    for await (const _ of files[0]?.open() ?? []) break;
    const again: string[] = [];
    for (const file of files) for await (const part of file.open()) again.push(Buffer.from(part).toString());
    assert.deepEqual(again, ["first", "second"]);
  });

  it("leaves out links and bad names: another node puts it into a pod of its own", async () => {
    const { blob } = await packed(
      tarOf({ good: "1" }, (tar) => {
        tar.entry({ name: "link", type: "symlink", linkname: "/etc/passwd" });
        tar.entry({ name: "../up" }, "2");
      }),
    );
    assert.deepEqual((await contents(blob)).read, { good: "1" });
  });

  it("is given up as soon as it holds more than is kept", async () => {
    await assert.rejects(packed(tarOf({ a: "x".repeat(600), b: "x".repeat(600) }), { maxBytes: 1_000 }), {
      code: "BLOB_QUOTA",
    });
  });

  it("is no checkpoint where the pod's tar is cut off", async () => {
    async function* cut() {
      for await (const part of tarOf({ a: "x".repeat(5_000) })) yield part.subarray(0, 700);
    }
    await assert.rejects(packed(cut()), { code: "OUTPUT_UNREADABLE" });
  });

  it("rests as its cipher has it", async () => {
    const flip = async function* (bytes: AsyncIterable<Uint8Array>) {
      for await (const part of bytes) yield part.map((byte) => byte ^ 0xff);
    };
    const cipher = { seal: flip, open: flip };
    const { blob, digest } = await packed(tarOf({ secret: "weights" }), { cipher });
    assert.equal(digest, `0x${sha256(blob)}`);
    assert.ok(!blob.includes("weights"));
    assert.deepEqual((await contents(blob, cipher)).read, { secret: "weights" });
  });
});
