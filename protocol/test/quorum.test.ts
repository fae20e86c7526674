import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { type OutputAttestation, resultCommitment } from "../src/index.ts";

const hex = (byte: string): Hex => `0x${byte.repeat(32)}`;
const attestation: OutputAttestation = {
  taskId: hex("01"),
  leaseId: hex("02"),
  attempt: 1,
  specDigest: hex("03"),
  outputDigest: hex("04"),
  logDigest: hex("05"),
  ciphertextRoot: hex("06"),
  ciphertextSize: 7n,
  imageDigest: hex("08"),
  outcome: 0,
  exitCode: -1,
  started: 10n,
  ended: 20n,
  cpuSeconds: 5n,
  gpuSeconds: 0n,
  retainUntil: 1_000n,
};
const from = {
  chainId: 31_337,
  registry: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
  node: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  attestation,
  salt: hex("09"),
} as const;

describe("a replica's commitment (rule 21)", () => {
  it("is another one for every other chain, registry, node, salt and field of the attestation", () => {
    const others = [
      { chainId: 1 },
      { registry: from.node },
      { node: from.registry },
      { salt: hex("0a") },
      ...Object.entries(attestation).map(([field, value]) => ({
        attestation: { ...attestation, [field]: typeof value === "string" ? hex("ff") : ++(value as number) },
      })),
    ].map((change) => resultCommitment({ ...from, ...change }));
    const all = new Set([resultCommitment(from), ...others]);
    assert.equal(all.size, 1 + 4 + 16);
  });

  it("is the same each time: a node that restarts reveals what it has committed to", () => {
    assert.equal(resultCommitment({ ...from, attestation: { ...attestation } }), resultCommitment(from));
  });
});
