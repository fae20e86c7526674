import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BurningTask, runwayOf } from "@dekuper/client";
import fc from "fast-check";
import { taskId } from "./escrow-model.ts";

const running = (index: number, left: bigint, ...rates: readonly bigint[]): BurningTask => ({
  taskId: taskId(index),
  left,
  running: rates.map((ratePerHour) => ({ ratePerHour, since: 1_000n })),
});

describe("a runway", () => {
  it("is without end where nothing runs, whatever is reserved", () => {
    const runway = runwayOf({ now: 1_000n, free: 5n, tasks: [running(0, 7n), running(1, 2n)] });
    assert.deepEqual(runway, {
      burnPerHour: 0n,
      runningTasks: 0,
      accrued: 0n,
      idle: 9n,
      first: undefined,
      reservedSeconds: undefined,
      freeSeconds: undefined,
    });
  });

  it("counts a reservation down by what the run has cost since it started", () => {
    const runway = runwayOf({ now: 2_800n, free: 12_000n, tasks: [running(0, 6_000n, 6_000n)] });
    assert.equal(runway.accrued, 3_000n);
    assert.equal(runway.reservedSeconds, 1_800n);
    assert.equal(runway.freeSeconds, 7_200n);
  });

  it("adds the rates of a gang's leases", () => {
    const { burnPerHour, reservedSeconds } = runwayOf({
      now: 1_000n,
      free: 0n,
      tasks: [running(0, 6_000n, 1_000n, 2_000n, 3_000n)],
    });
    assert.equal(burnPerHour, 6_000n);
    assert.equal(reservedSeconds, 3_600n);
  });

  it("names the task that runs out first, and when the last does", () => {
    const tasks = [running(0, 9_000n, 3_000n), running(1, 1_000n, 1_000n), running(2, 500n)];
    const { first, reservedSeconds, idle } = runwayOf({ now: 1_000n, free: 0n, tasks });
    assert.deepEqual(first, { taskId: taskId(1), seconds: 3_600n });
    assert.equal(reservedSeconds, 10_800n);
    assert.equal(idle, 500n);
  });

  it("never owes more than is reserved, and never lasts below zero", () => {
    const amounts = fc.bigInt(0n, 10n ** 12n);
    fc.assert(
      fc.property(amounts, amounts, amounts, fc.bigInt(0n, 10n ** 7n), (left, rate, free, now) => {
        const runway = runwayOf({ now, free, tasks: [running(0, left, rate)] });
        assert.ok(runway.accrued >= 0n && runway.accrued <= left);
        for (const seconds of [runway.first?.seconds, runway.reservedSeconds, runway.freeSeconds]) {
          assert.ok(seconds === undefined || seconds >= 0n);
        }
        if (runway.reservedSeconds !== undefined) {
          assert.ok((rate * runway.reservedSeconds) / 3600n <= left - runway.accrued);
        }
      }),
    );
  });
});
