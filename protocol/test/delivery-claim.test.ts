import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bytesToHex, type Hex, hexToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import {
  BranchTree,
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  chunkRequestSchema,
  chunkRoot,
  DRAWN_CHUNKS,
  drawnChunks,
  leafHash,
  MAX_BRANCH_HASHES,
  receiptSchema,
  verdictSigner,
  verdictTypedData,
  verifyBranch,
} from "../src/index.ts";

/** Bytes whose chunks all differ. */
function bytesOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += CHUNK_BYTES) bytes.set([at / CHUNK_BYTES + 1], at);
  return bytes;
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const count = chunkCount(BigInt(bytes.length));
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

const sizes = fc
  .tuple(fc.nat(33), fc.integer({ min: 1, max: CHUNK_BYTES }))
  .map(([whole, rest]) => whole * CHUNK_BYTES + rest);

describe("the branches of a ciphertext's tree", () => {
  it("lead from every chunk to the root that the attestation names, whatever the size", () => {
    fc.assert(
      fc.property(sizes, (length) => {
        const bytes = bytesOf(length);
        const chunks = chunksOf(bytes);
        const tree = new BranchTree(chunks.map(leafHash));
        const root = chunkRoot(bytes);
        assert.equal(tree.root(), root);
        for (const [index, chunk] of chunks.entries()) {
          assert.equal(chunk.length, chunkLength(BigInt(length), index));
          const proof = { root, size: BigInt(length), index, chunk, branch: tree.branch(index) };
          assert.ok(verifyBranch(proof), `chunk ${index} of ${chunks.length}`);
        }
      }),
      { numRuns: 12 },
    );
  });

  it("lead there from no other bytes, place, branch, size or root", () => {
    const bytes = bytesOf(4 * CHUNK_BYTES + 7);
    const chunks = chunksOf(bytes);
    const tree = new BranchTree(chunks.map(leafHash));
    const size = BigInt(bytes.length);
    for (const [index, chunk] of chunks.entries()) {
      const branch = tree.branch(index);
      const good = { root: tree.root(), size, index, chunk, branch };
      assert.ok(verifyBranch(good));
      const changed = chunk.slice();
      changed[3] = 1;
      const wrong = branch.map((hash) => {
        const flipped = hexToBytes(hash);
        flipped[0] = (flipped[0] ?? 0) ^ 1;
        return bytesToHex(flipped);
      });
      const lies: Partial<typeof good>[] = [
        { chunk: changed },
        { chunk: chunk.subarray(1) },
        { chunk: new Uint8Array() },
        { index: (index + 1) % chunks.length },
        { index: -1 },
        { index: chunks.length },
        { branch: branch.slice(1) },
        { branch: [...branch, tree.root()] },
        { branch: wrong },
        { branch: [...branch].reverse().concat(tree.root()) },
        { size: size + BigInt(4 * CHUNK_BYTES) },
        { size: 0n },
        { root: `0x${"00".repeat(32)}` },
      ];
      if (index === chunks.length - 1) lies.push({ size: size + 1n }, { size: size - 1n });
      for (const lie of lies) assert.equal(verifyBranch({ ...good, ...lie }), false, JSON.stringify(index));
    }
  });

  it("of the largest size that an attestation can name still fits into an answer", () => {
    const levels = Math.ceil(Math.log2(chunkCount(2n ** 64n - 1n)));
    assert.ok(levels <= MAX_BRANCH_HASHES);
  });
});

describe("the chunks that a claim's block draws", () => {
  const block: Hex = `0x${"b1".repeat(32)}`;
  const lease: Hex = `0x${"1e".repeat(32)}`;
  const mebibytes = (count: number) => BigInt(count) * BigInt(CHUNK_BYTES);

  it("are all of a small ciphertext, and none of an empty one", () => {
    assert.deepEqual(drawnChunks(block, lease, 0n), []);
    assert.deepEqual(drawnChunks(block, lease, 1n), [0]);
    assert.equal(drawnChunks(block, lease, mebibytes(DRAWN_CHUNKS)).length, DRAWN_CHUNKS);
  });

  it("are as many different ones of a large ciphertext, ascending, and the last is always among them", () => {
    fc.assert(
      fc.property(fc.integer({ min: DRAWN_CHUNKS + 1, max: 2 ** 40 }), (count) => {
        const drawn = drawnChunks(block, lease, mebibytes(count));
        assert.equal(new Set(drawn).size, DRAWN_CHUNKS);
        assert.equal(drawn.at(-1), count - 1);
        assert.ok(drawn.every((index, at) => index < count && index > (drawn[at - 1] ?? -1)));
      }),
    );
  });

  it("are others for each block and each lease, and the same for everybody who draws", () => {
    const size = mebibytes(1 << 20);
    const drawn = drawnChunks(block, lease, size);
    assert.deepEqual(drawnChunks(block, lease, size), drawn);
    assert.notDeepEqual(drawnChunks(lease, lease, size), drawn);
    assert.notDeepEqual(drawnChunks(block, block, size), drawn);
  });
});

describe("a verdict on a delivery claim", () => {
  const signer = privateKeyToAccount(`0x${"07".repeat(32)}`);
  const market = { chainId: 31337, taskRegistry: `0x${"a2".repeat(20)}` } as const;
  const verdict = {
    leaseId: `0x${"1e".repeat(32)}`,
    attempt: 1,
    attestationDigest: `0x${"ad".repeat(32)}`,
    claimedAt: 1_800_000_000,
    fetched: false,
  } as const;

  it("is its signer's for this claim, registry and finding alone", async () => {
    const signature = await signer.signTypedData(verdictTypedData(market, verdict));
    assert.equal(await verdictSigner(market, verdict, signature), signer.address);
    const others = [
      { ...verdict, fetched: true },
      { ...verdict, claimedAt: verdict.claimedAt + 1 },
      { ...verdict, attempt: 2 },
    ];
    for (const other of others)
      assert.notEqual(await verdictSigner(market, other, signature), signer.address);
    assert.notEqual(await verdictSigner({ ...market, chainId: 1 }, verdict, signature), signer.address);
    assert.equal(await verdictSigner(market, verdict, "0x00"), undefined);
  });
});

describe("the messages about a delivery", () => {
  it("take what is meant and nothing else", () => {
    const lease = { leaseId: `0x${"1e".repeat(32)}`, attempt: 1 };
    assert.ok(chunkRequestSchema.safeParse({ ...lease, index: 0 }).success);
    const receipt = {
      ...lease,
      attestationDigest: `0x${"ad".repeat(32)}`,
      signature: `0x${"00".repeat(65)}`,
    };
    assert.ok(receiptSchema.safeParse(receipt).success);
    for (const wrong of [
      { ...lease, index: -1 },
      { ...lease, index: 0.5 },
      { ...lease, index: 0, more: 1 },
      { ...lease, attempt: 0, index: 0 },
      { leaseId: "0x", attempt: 1, index: 0 },
    ])
      assert.equal(chunkRequestSchema.safeParse(wrong).success, false);
    for (const signature of ["0x", "0x0", `0x${"00".repeat(1025)}`, `0x${"AB".repeat(65)}`])
      assert.equal(receiptSchema.safeParse({ ...receipt, signature }).success, false);
  });
});
