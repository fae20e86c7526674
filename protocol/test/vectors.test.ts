import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { hashTypedData } from "viem";
import {
  ChunkTree,
  chunkRoot,
  decodeManifest,
  encodeManifest,
  encodeSpec,
  leaseId,
  nodeDomain,
  orderHash,
  outputAttestationTypes,
  outputDigest,
  registerTypes,
  specDigest,
  taskDomain,
  taskId,
  ticket,
} from "../src/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: vectors are plain JSON, read by Solidity tests too
const vectors = (name: string): any =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"), (_, value) =>
    typeof value === "string" && /^\d+$/.test(value) && name !== "digests" ? BigInt(value) : value,
  );

describe("vectors shared with the contracts' tests", () => {
  for (const { name, input, expected } of vectors("ids").cases) {
    it(`derives ids: ${name}`, () => {
      assert.equal(orderHash(input.order), expected.orderHash);
      assert.equal(taskId({ ...input, orderHash: expected.orderHash }), expected.taskId);
      assert.equal(leaseId(expected.taskId, 0), expected.leaseId);
      assert.equal(ticket(input.seed, input.node), expected.ticket);
    });
  }
  for (const { name, input, expected } of vectors("attestation").cases) {
    it(`hashes an output attestation: ${name}`, () => {
      const domain = taskDomain(input.chainId, input.registry);
      const got = hashTypedData({
        domain,
        types: outputAttestationTypes,
        primaryType: "OutputAttestation",
        message: input.attestation,
      });
      assert.equal(got, expected);
    });
  }
  for (const { input, expected } of vectors("register").cases) {
    it("hashes a registration", () => {
      const domain = nodeDomain(input.chainId, input.registry);
      assert.equal(
        hashTypedData({ domain, types: registerTypes, primaryType: "Register", message: input.register }),
        expected,
      );
    });
  }
  const digests = vectors("digests");
  for (const { name, input, expected } of digests.cases) {
    it(`digests a manifest: ${name}`, () => {
      const manifest = encodeManifest(input.files);
      assert.equal(new TextDecoder().decode(manifest), expected.manifest);
      assert.equal(outputDigest(input.salt, manifest), expected.outputDigest);
      assert.deepEqual(new Set(decodeManifest(manifest)), new Set(input.files));
    });
  }
  for (const { size, fill, expected } of digests.merkle) {
    it(`finds the Merkle root of ${size} bytes, in whatever pieces they come`, () => {
      const bytes = new Uint8Array(size).fill(fill);
      assert.equal(chunkRoot(bytes), expected);
      const tree = new ChunkTree();
      for (let at = 0; at < size; at += 700_001) tree.update(bytes.subarray(at, at + 700_001));
      assert.equal(tree.root(), expected);
      assert.equal(tree.size, size);
    });
  }
  it("writes a spec canonically", () => {
    assert.equal(new TextDecoder().decode(encodeSpec(digests.spec.input)), digests.spec.canonical);
    assert.equal(specDigest(digests.spec.input), digests.spec.expected);
  });
});
