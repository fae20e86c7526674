import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { privateKeyToAccount } from "viem/accounts";
import {
  addressOfPublicKey,
  compressedPublicKey,
  formatAmount,
  formatMiB,
  formatSeconds,
  gross,
  parseAmount,
  parseBytes,
  parseGpu,
  parseMiB,
  parseSeconds,
  registryPublicKey,
  reservation,
} from "../src/index.ts";

const usdc = { symbol: "USDC", decimals: 6 };

describe("units", () => {
  it("reads what people write", () => {
    assert.equal(parseMiB("64Gi"), 65_536);
    assert.equal(parseMiB("1.5Gi"), 1536);
    assert.equal(parseBytes("2Ki"), 2048);
    assert.equal(parseBytes("17"), 17);
    assert.equal(parseSeconds("1h30m"), 5400);
    assert.deepEqual(parseGpu("8x NVIDIA-H100-80GB-HBM3"), { count: 8, model: "NVIDIA-H100-80GB-HBM3" });
    assert.deepEqual(parseGpu(2), { count: 2, model: "" });
    assert.equal(parseAmount("40.25 usdc", usdc), 40_250_000n);
  });

  it("refuses what it would have to guess", () => {
    for (const bad of [
      () => parseMiB("64GB"),
      () => parseMiB("64"),
      () => parseSeconds("6"),
      () => parseSeconds("0s"),
      () => parseGpu("eight"),
      () => parseAmount("40 ETH", usdc),
      () => parseAmount("0.0000001", usdc),
      () => parseAmount("-1", usdc),
      () => parseBytes("1e3"),
    ]) {
      assert.throws(bad, { code: "UNIT_INVALID" });
    }
  });

  it("formats for people", () => {
    assert.equal(formatAmount(40_250_000n, usdc), "40.25 USDC");
    assert.equal(formatSeconds(5400), "1h 30m");
    assert.equal(formatSeconds(0), "0s");
    assert.equal(formatMiB(65_536), "64Gi");
  });
});

describe("money", () => {
  it("never costs more than was reserved, and reserves less than one unit too much", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 100n), fc.nat(2_592_000), fc.nat(2_592_000), (rate, duration, ran) => {
        const held = reservation(rate, duration);
        const paid = gross(rate, BigInt(Math.min(ran, duration)));
        assert.ok(paid <= held);
        assert.ok(held * 3600n < rate * BigInt(duration) + 3600n);
      }),
    );
  });
});

describe("a node's key", () => {
  it("is its chain address, whichever form it comes in", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        bytes[0] = 1;
        const account = privateKeyToAccount(`0x${Buffer.from(bytes).toString("hex")}`);
        assert.equal(addressOfPublicKey(account.publicKey), account.address);
        assert.equal(addressOfPublicKey(registryPublicKey(account.publicKey)), account.address);
        assert.equal(addressOfPublicKey(compressedPublicKey(account.publicKey)), account.address);
      }),
      { numRuns: 20 },
    );
  });
});
