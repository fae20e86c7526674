import assert from "node:assert/strict";
import { it } from "node:test";
import { toDeposit } from "../features/market/relay-choice.ts";

it("deposits what an order lacks, and by a relay what leaves the fee of one more transaction free (rule 29)", () => {
  const without = (free: bigint) => toDeposit(100n, free, 0n);
  assert.deepEqual([without(0n), without(99n), without(100n), without(500n)], [100n, 1n, 0n, 0n]);
  const byRelay = (free: bigint) => toDeposit(100n, free, 5n);
  assert.deepEqual([byRelay(110n), byRelay(500n)], [0n, 0n]);
  for (const free of [0n, 50n, 100n, 109n]) {
    const [deposit, order] = [5n, 5n];
    assert.equal(free + byRelay(free) - deposit - order - 100n, 5n, `${free} free before`);
  }
});
