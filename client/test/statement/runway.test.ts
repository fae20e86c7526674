import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BurningLease, runwayOf } from "@dekuper/client";
import fc from "fast-check";
import { taskId } from "./escrow-model.ts";

const lease = (index: number, reserved: bigint, ratePerHour: bigint, ranSeconds = 0n): BurningLease => ({
  taskId: taskId(index),
  reserved,
  ratePerHour,
  ranSeconds,
});

describe("a runway", () => {
  it("is without end where nothing runs, whatever is reserved", () => {
    assert.deepEqual(runwayOf({ free: 5n, reserved: 9n, leases: [] }), {
      burnPerHour: 0n,
      runningLeases: 0,
      accrued: 0n,
      idle: 9n,
      first: undefined,
      reservedSeconds: undefined,
      freeSeconds: undefined,
    });
  });

  it("counts a reservation down by what the run has cost", () => {
    const runway = runwayOf({ free: 12_000n, reserved: 6_000n, leases: [lease(0, 6_000n, 6_000n, 1_800n)] });
    assert.equal(runway.accrued, 3_000n);
    assert.equal(runway.reservedSeconds, 1_800n);
    assert.equal(runway.freeSeconds, 7_200n);
  });

  it("burns at the sum of all rates", () => {
    const leases = [lease(0, 4_000n, 1_000n), lease(0, 4_000n, 2_000n), lease(1, 4_000n, 3_000n)];
    const { burnPerHour, freeSeconds } = runwayOf({ free: 3_000n, reserved: 12_000n, leases });
    assert.equal(burnPerHour, 6_000n);
    assert.equal(freeSeconds, 1_800n);
  });

  it("names the task that runs out first, and when the last does", () => {
    const leases = [lease(0, 9_000n, 3_000n), lease(1, 1_000n, 1_000n)];
    const { first, reservedSeconds, idle } = runwayOf({ free: 0n, reserved: 10_500n, leases });
    assert.deepEqual(first, { taskId: taskId(1), seconds: 3_600n });
    assert.equal(reservedSeconds, 10_800n);
    assert.equal(idle, 500n);
  });

  it("never owes more than is reserved, and never promises more than is left", () => {
    const amounts = fc.bigInt(0n, 10n ** 12n);
    fc.assert(
      fc.property(amounts, amounts, amounts, fc.bigInt(0n, 10n ** 7n), (reserved, rate, free, ran) => {
        const runway = runwayOf({ free, reserved, leases: [lease(0, reserved, rate, ran)] });
        assert.ok(runway.accrued >= 0n && runway.accrued <= reserved);
        const { reservedSeconds = 0n, freeSeconds = 0n } = runway;
        assert.ok((rate * reservedSeconds) / 3600n <= reserved - runway.accrued);
        assert.ok((rate * freeSeconds) / 3600n <= free);
      }),
    );
  });
});
