import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memorySink, readTar, verifyDelivery } from "@dekuper/client";
import fc from "fast-check";
import { stringToBytes } from "viem";
import { aDelivery, chunked, concat, type Part, paxRecord, salt, tar, tarEntry } from "./delivery-builder.ts";

const files = { "model/weights.bin": "w".repeat(5000), "metrics.json": "{}" };

async function verify(parts: readonly Part[], attestation = aDelivery(files).attestation, chunk = 333) {
  const sink = memorySink();
  const verified = await verifyDelivery(chunked(tar(parts), chunk), { attestation, salt }, sink);
  return { verified, sink };
}

/** The parts of an honest delivery with one of them changed, left out, or something added. */
function tampered(change: (parts: Part[]) => Part[]): readonly Part[] {
  return change(aDelivery(files).parts.slice());
}

describe("verifyDelivery", () => {
  it("hands out exactly the files and the log that were attested", async () => {
    const { parts } = aDelivery(files);
    const { verified, sink } = await verify(parts);
    assert.deepEqual(
      verified.files.map(({ path, size }) => [path, size]),
      [
        ["metrics.json", 2],
        ["model/weights.bin", 5000],
      ],
    );
    assert.equal(Buffer.from(sink.files.get("metrics.json") ?? []).toString(), "{}");
    assert.equal(Buffer.from(sink.logBytes()).toString(), "epoch 1\n");
  });

  it("takes an empty output: a failed run still delivers its log", async () => {
    const { parts, attestation } = aDelivery({}, "boom\n");
    assert.deepEqual((await verify(parts, attestation)).verified.files, []);
  });

  it("takes the entries in any order and the bytes in any pieces", async () => {
    const { parts } = aDelivery(files);
    for (const size of [1, 511, 512, 513, 1 << 20]) await verify(parts.slice().reverse(), undefined, size);
  });

  it("lists what the node left out", async () => {
    const skipped = { path: "skipped.txt", bytes: stringToBytes("link a/link\ndevice dev/null\n") };
    const { verified } = await verify([...aDelivery(files).parts, skipped]);
    assert.deepEqual(verified.skipped, [
      { reason: "link", path: "a/link" },
      { reason: "device", path: "dev/null" },
    ]);
  });

  const lies: [string, readonly Part[], string?][] = [
    [
      "a changed byte in a file",
      tampered((p) => [...p.slice(0, 3), { path: "output/metrics.json", bytes: stringToBytes("[]") }]),
    ],
    [
      "a longer file",
      tampered((p) => [...p.slice(0, 3), { path: "output/metrics.json", bytes: stringToBytes("{} ") }]),
    ],
    ["a file too many", tampered((p) => [...p, { path: "output/extra", bytes: stringToBytes("x") }])],
    ["a file too many before the manifest", tampered((p) => [{ path: "output/extra" }, ...p])],
    ["a missing file", tampered((p) => p.slice(0, 3))],
    [
      "a changed log",
      tampered((p) => [p[0] as Part, { path: "log", bytes: stringToBytes("epoch 2\n") }, ...p.slice(2)]),
    ],
    ["no log", tampered((p) => p.filter(({ path }) => path !== "log"))],
    ["no manifest", tampered((p) => p.slice(1))],
    ["another manifest", tampered((p) => [aDelivery({ a: "b" }).parts[0] as Part, ...p.slice(1)])],
    ["a file twice", tampered((p) => [...p, p[3] as Part])],
    ["a file beside the output folder", tampered((p) => [...p, { path: "readme" }])],
    [
      "a path out of the folder",
      tampered((p) => [...p, { path: "output/../../etc/passwd" }]),
      "PATH_INVALID",
    ],
    ["an absolute path", tampered((p) => [...p, { path: "output//etc/passwd" }]), "PATH_INVALID"],
    [
      "a path with a control character",
      tampered((p) => [...p, { path: "output/a\u001b[2J" }]),
      "PATH_INVALID",
    ],
    ["a symbolic link", tampered((p) => [...p, { path: "output/link", type: "2" }])],
    ["a hard link", tampered((p) => [...p, { path: "output/link", type: "1" }])],
    ["a device", tampered((p) => [...p, { path: "output/null", type: "3" }])],
    ["a GNU long name", tampered((p) => [...p, { path: "././@LongLink", type: "L" }])],
    ["a global pax header", tampered((p) => [...p, { path: "pax", type: "g" }])],
    ["an entry longer than the stream", tampered((p) => [...p, { path: "output/x", size: 1 << 20 }])],
  ];
  for (const [what, parts, code = "ATTESTATION_INVALID"] of lies) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(verify(parts), { code });
    });
  }

  it("refuses a path that hides in a pax header", async () => {
    const path = `output/${"a/".repeat(80)}../${"b".repeat(40)}`;
    await assert.rejects(verify([...aDelivery(files).parts, { path }]), { code: "PATH_INVALID" });
  });

  it("refuses a header whose checksum is wrong, and a stream that is cut", async () => {
    const whole = tar(aDelivery(files).parts);
    const broken = whole.slice();
    broken[0] = (broken[0] ?? 0) ^ 1;
    const { attestation } = aDelivery(files);
    for (const bytes of [broken, whole.subarray(0, 700), whole.subarray(0, 100)]) {
      await assert.rejects(verifyDelivery(chunked(bytes), { attestation, salt }, memorySink()), {
        code: "ATTESTATION_INVALID",
      });
    }
  });

  it("never accepts what differs from the attested delivery in any byte that counts", async () => {
    const whole = tar(aDelivery(files).parts);
    const { attestation } = aDelivery(files);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = whole.slice();
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const sink = memorySink();
        try {
          await verifyDelivery(chunked(bytes), { attestation, salt }, sink);
        } catch {
          return; // refused
        }
        // Accepted: the change was in padding or in a header's unused field.
        assert.deepEqual(
          Object.fromEntries(
            [...sink.files].map(([path, content]) => [path, Buffer.from(content).toString()]),
          ),
          files,
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe("readTar", () => {
  async function entriesOf(bytes: Uint8Array) {
    const found: [string, number][] = [];
    for await (const { path, size } of readTar(chunked(bytes, 100))) found.push([path, size]);
    return found;
  }

  it("reads long and non-ASCII paths from pax headers", async () => {
    const path = `${"ä".repeat(60)}/${"b".repeat(90)}`;
    assert.deepEqual(await entriesOf(tar([{ path, bytes: stringToBytes("x") }])), [[path, 1]]);
  });

  it("skips folders, and entries that nobody reads", async () => {
    const parts = [{ path: "d/", type: "5" }, { path: "a", bytes: new Uint8Array(700) }, { path: "b" }];
    assert.deepEqual(await entriesOf(tar(parts)), [
      ["a", 700],
      ["b", 0],
    ]);
  });

  it("refuses pax records that are none", async () => {
    for (const text of ["5 a=b\n", "x path=b\n", "999 path=b\n", `${paxRecord("", "x")}`]) {
      const bytes = concat([
        tarEntry({ path: "pax", bytes: stringToBytes(text), type: "x" }),
        tar([{ path: "a" }]),
      ]);
      await assert.rejects(entriesOf(bytes), { code: "ATTESTATION_INVALID" });
    }
  });
});
