import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, hkdfSync, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import {
  ageIdentity,
  ageRecipient,
  ageSecret,
  type BlobSource,
  decodeWrap,
  encodeWrap,
  nodeEncryptionKey,
  nodeEncryptionSecret,
  readWrapPayload,
  sealedSalt,
  sealedSize,
  TaskKey,
  wrapPayload,
} from "@dekuper/protocol";
import { getAddress, type Hex } from "viem";

const CHUNK = 64 * 1024;
const salt: Hex = `0x${"5a".repeat(32)}`;
const seed = randomBytes(32);
const key = new TaskKey(seed, salt);
const sha256 = (bytes: Uint8Array): Hex => `0x${createHash("sha256").update(bytes).digest("hex")}`;

async function* partsOf(bytes: Uint8Array, step = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}
const sourceOf = (bytes: Uint8Array): BlobSource => ({
  size: bytes.length,
  open: (offset) => partsOf(bytes.subarray(offset)),
});
async function collect(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}
const sealedOf = async (bytes: Uint8Array, by = key) =>
  collect((await by.sealSource(sourceOf(bytes), sha256(bytes))).open(0));
const opened = (sealed: Uint8Array, by = key) => collect(by.open(partsOf(sealed, 7_777)));

describe("data sealed under a task's key", () => {
  for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_001])
    it(`opens again, of ${size} bytes, and has the size that was foretold`, async () => {
      const plain = randomBytes(size);
      const sealed = await sealedOf(plain);
      assert.equal(sealed.length, sealedSize(size));
      assert.deepEqual(await opened(sealed), plain);
      assert.equal(sealedSalt(sealed), salt);
      assert.deepEqual(await opened(await collect(key.seal(partsOf(plain)))), plain);
    });

  it("is the same blob each time, and can be sent on from any byte", async () => {
    const plain = randomBytes(2 * CHUNK);
    const source = await key.sealSource(sourceOf(plain), sha256(plain));
    const whole = await collect(source.open(0));
    assert.equal(source.size, whole.length);
    for (const offset of [
      1,
      64,
      65,
      66,
      65 + 28 + CHUNK - 1,
      65 + 28 + CHUNK,
      65 + 28 + CHUNK + 1,
      whole.length - 1,
      whole.length,
    ])
      assert.deepEqual(await collect(source.open(offset)), whole.subarray(offset), `from byte ${offset}`);
    const again = new TaskKey(seed, salt);
    assert.deepEqual(await sealedOf(plain, again), whole);
  });

  it("never meets a nonce twice where a file changes after it was hashed", async () => {
    const before = randomBytes(CHUNK);
    const after = Buffer.from(before);
    after[0] = (after[0] ?? 0) ^ 1;
    const nonceOf = async (bytes: Uint8Array) =>
      (await collect((await key.sealSource(sourceOf(bytes), sha256(before))).open(0))).subarray(65, 77);
    assert.notDeepEqual(await nonceOf(before), await nonceOf(after));
    assert.deepEqual(await nonceOf(before), await nonceOf(before));
  });

  it("shows nothing of equal data at other places, or of other files", async () => {
    const plain = Buffer.concat([Buffer.alloc(CHUNK, 7), Buffer.alloc(CHUNK, 7)]);
    const sealed = (await sealedOf(plain)).subarray(65);
    const length = CHUNK + 28;
    assert.notDeepEqual(sealed.subarray(12, length), sealed.subarray(length + 12));
    const longer = (await sealedOf(Buffer.concat([plain, Buffer.from("x")]))).subarray(65);
    assert.notDeepEqual(longer.subarray(0, length), sealed.subarray(0, length));
  });

  it("does not open when it was cut, changed, put in another order, or sealed under another key", async () => {
    const plain = randomBytes(2 * CHUNK + 5);
    const sealed = await sealedOf(plain);
    const chunk = CHUNK + 28;
    const swapped = Buffer.concat([
      sealed.subarray(0, 65),
      sealed.subarray(65 + chunk, 65 + 2 * chunk),
      sealed.subarray(65, 65 + chunk),
      sealed.subarray(65 + 2 * chunk),
    ]);
    const bad: [string, Uint8Array][] = [
      ["nothing", new Uint8Array()],
      ["a head alone", sealed.subarray(0, 65)],
      ["half a head", sealed.subarray(0, 40)],
      ["without its last chunk", sealed.subarray(0, 65 + 2 * chunk)],
      ["cut inside a chunk", sealed.subarray(0, sealed.length - 1)],
      ["swapped chunks", swapped],
    ];
    for (const at of [0, 1, 40, 66, 100, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      bad.push([`byte ${at} changed`, changed]);
    }
    for (const [what, bytes] of bad) await assert.rejects(opened(bytes), { code: "BLOB_CORRUPT" }, what);
    for (const other of [new TaskKey(randomBytes(32), salt), new TaskKey(seed, `0x${"5b".repeat(32)}`)])
      await assert.rejects(opened(sealed, other), { code: "BLOB_CORRUPT" });
  });

  it("is under a secret that neither a log nor JSON shows", () => {
    const hex = seed.toString("hex");
    for (const shown of [
      JSON.stringify(key),
      inspect(key, { showHidden: true }),
      String(key),
      JSON.stringify({ ...key }),
    ])
      assert.ok(!shown.includes(hex) && !shown.includes(seed.toJSON().data.join(",")), shown);
    assert.deepEqual(Buffer.from(key.reveal()), seed);
    assert.throws(() => new TaskKey(randomBytes(31), salt), { code: "KEY_WRAP_INVALID" });
  });
});

describe("a key wrap", () => {
  const wrap = { salt, specBlob: `0x${"77".repeat(32)}` as const, file: new Uint8Array(randomBytes(230)) };
  const consumer = getAddress(`0x${"a1".repeat(20)}`);
  const other = getAddress(`0x${"a2".repeat(20)}`);

  it("carries version, salt, the sealed spec's name and an age file, in at most 512 bytes (rule 11)", () => {
    const encoded = encodeWrap(wrap);
    assert.deepEqual(decodeWrap(encoded), wrap);
    assert.equal((encoded.length - 2) / 2, 1 + 32 + 32 + 230);
    const longest = { ...wrap, file: new Uint8Array(512 - 65) };
    assert.deepEqual(decodeWrap(encodeWrap(longest)), longest);
    assert.throws(() => encodeWrap({ ...wrap, file: new Uint8Array(512 - 64) }), {
      code: "KEY_WRAP_INVALID",
      message: /513 bytes, at most 512/,
    });
  });

  it("of another length or version is refused", () => {
    const encoded = encodeWrap(wrap);
    for (const bad of [
      "0x",
      `0x01${"00".repeat(64)}`,
      `0x01${"00".repeat(512)}`,
      `0x02${encoded.slice(4)}`,
    ] as Hex[])
      assert.throws(() => decodeWrap(bad), { code: "KEY_WRAP_INVALID" });
  });

  it("opens for the consumer that made it only: copied into another's task it is useless (rule 11)", () => {
    const payload = wrapPayload(seed, consumer);
    assert.equal(payload.length, 52);
    assert.deepEqual(Buffer.from(readWrapPayload(payload, consumer)), seed);
    assert.throws(() => readWrapPayload(payload, other), {
      code: "KEY_WRAP_INVALID",
      message: new RegExp(`made by ${consumer.toLowerCase()}, not by ${other}`),
    });
    assert.throws(() => readWrapPayload(payload.subarray(1), consumer), { code: "KEY_WRAP_INVALID" });
  });
});

describe("a node's encryption key", () => {
  const operator: Hex = `0x${"4f".repeat(32)}`;

  it("is X25519, by HKDF-SHA256 of the operator's key", () => {
    const secret = Buffer.from(
      hkdfSync("sha256", Buffer.from("4f".repeat(32), "hex"), "", "dekuper node encryption key 1", 32),
    );
    assert.deepEqual(Buffer.from(nodeEncryptionSecret(operator)), secret);
    const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), secret]);
    const pair = createPublicKey(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));
    const expected = pair.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
    assert.equal(nodeEncryptionKey(operator), `0x${expected}`);
  });

  it("has generations that are different keys", () => {
    assert.notEqual(nodeEncryptionKey(operator, 2), nodeEncryptionKey(operator, 1));
  });

  it("is written as age writes keys", () => {
    const identity = ageIdentity(nodeEncryptionSecret(operator));
    assert.match(identity, /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/);
    assert.deepEqual(ageSecret(identity), nodeEncryptionSecret(operator));
    assert.match(ageRecipient(nodeEncryptionKey(operator)), /^age1[0-9a-z]{58}$/);
  });
});
