import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type DekuperError,
  decodeSpec,
  encodeSpec,
  type Order,
  parseImage,
  pathProblem,
  specDigest,
  specOrderDifference,
  type TaskSpec,
} from "../src/index.ts";

const spec: TaskSpec = {
  version: 1,
  salt: `0x${"11".repeat(32)}`,
  public: true,
  name: "sum",
  image: `registry.example.org/torch@sha256:${"ab".repeat(32)}`,
  command: ["python3", "/input/train.py"],
  env: { A: "1" },
  resources: {
    gpus: 1,
    gpuModel: "",
    vCpus: 2,
    memoryMiB: 512,
    storageMiB: 1024,
    isolation: "container",
    maxDuration: 60,
  },
  inputs: [{ path: "train.py", digest: `0x${"22".repeat(32)}`, size: 10 }],
  output: { maxBytes: 1000, recipient: `age1${"q".repeat(58)}` },
  verification: "signed",
};
const order: Order = {
  specDigest: specDigest(spec),
  leases: 1,
  threshold: 0,
  maxAttempts: 1,
  isPrivate: false,
  gpus: 1,
  gpuModel: "",
  vCpus: 2,
  memoryMiB: 512n,
  storageMiB: 1024n,
  isolation: 0,
  maxDuration: 60,
  fundedSeconds: 60,
  ratePerHour: 1n,
  startWindow: 60,
  failoverAfter: 120,
  openUntil: 1n,
  verification: 0,
};
const code = (code: string) => (error: unknown) => (error as DekuperError).code === code;

describe("a task's spec", () => {
  it("is read back from its canonical bytes and nothing else", () => {
    const bytes = encodeSpec(spec);
    assert.deepEqual(decodeSpec(bytes, specDigest(spec)), spec);
    const spaced = new TextEncoder().encode(JSON.stringify(spec, null, 1));
    assert.throws(() => decodeSpec(spaced, specDigest(spec)), code("MESSAGE_INVALID"));
    assert.throws(() => decodeSpec(bytes, `0x${"00".repeat(32)}`), code("BLOB_CORRUPT"));
  });

  it("refuses reserved variables, unsealed private inputs and inputs outside of /input", () => {
    for (const change of [
      { env: { PET_NNODES: "2" } },
      { env: { NVIDIA_VISIBLE_DEVICES: "all" } },
      { public: false },
      { inputs: [{ ...spec.inputs[0], sealed: `0x${"33".repeat(32)}` }] },
      { inputs: [{ ...spec.inputs[0], path: "../x" }] },
      { inputs: [spec.inputs[0], spec.inputs[0]] },
      { image: "torch:latest" },
    ]) {
      const changed = { ...spec, ...change } as TaskSpec;
      assert.throws(() => decodeSpec(encodeSpec(changed), specDigest(changed)), code("MESSAGE_INVALID"));
    }
  });

  it("names the first field in which spec and order differ", () => {
    assert.equal(specOrderDifference(spec, order), undefined);
    assert.equal(specOrderDifference(spec, { ...order, memoryMiB: 513n }), "memoryMiB");
    assert.equal(specOrderDifference(spec, { ...order, isolation: 1 }), "isolation");
    assert.equal(specOrderDifference({ ...spec, name: "other" }, order), "specDigest");
    assert.equal(specOrderDifference(spec, { ...order, isPrivate: true }), "public");
    const inputs = spec.inputs.map((input) => ({ ...input, sealed: `0x${"33".repeat(32)}` as const }));
    const secret = { ...spec, public: false, inputs };
    assert.deepEqual(decodeSpec(encodeSpec(secret), specDigest(secret)), secret);
    assert.equal(specOrderDifference(secret, { ...order, specDigest: specDigest(secret) }), "public");
  });
});

describe("an image reference", () => {
  it("is by digest, with a host name", () => {
    const digest = `sha256:${"0f".repeat(32)}`;
    assert.deepEqual(parseImage(`localhost/busybox@${digest}`), {
      host: "localhost",
      name: "busybox",
      digest,
    });
    assert.equal(parseImage(`ghcr.io/a/b-c@${digest}`).name, "a/b-c");
    for (const bad of [
      "busybox",
      "busybox:1",
      `busybox@${digest}`,
      `10.0.0.1/x@${digest}`,
      `ghcr.io/X@${digest}`,
      "a.b/c@sha256:12",
    ]) {
      assert.throws(() => parseImage(bad), code("IMAGE_INVALID"), bad);
    }
  });
});

describe("a path", () => {
  it("is relative, plain UTF-8", () => {
    for (const good of ["a", "a/b.txt", "..a", "é/ü"]) assert.equal(pathProblem(good), undefined);
    for (const bad of ["", "/a", "a//b", "./a", "a/..", "a\nb", "a\u0000", "\ud800", "x".repeat(1025)]) {
      assert.notEqual(pathProblem(bad), undefined, JSON.stringify(bad));
    }
  });
});
