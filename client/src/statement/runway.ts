import type { Hex } from "viem";

const HOUR = 3600n;

/** A lease whose clock runs. */
export interface BurningLease {
  readonly taskId: Hex;
  /** What escrow holds for it. Base units. */
  readonly reserved: bigint;
  /** Base units. */
  readonly ratePerHour: bigint;
  /** Seconds for which its clock has run and that are not paid yet. */
  readonly ranSeconds: bigint;
}

/** How long an account's money lasts if everything goes on as it does now. Base units and seconds. */
export interface Runway {
  /** Of all running leases together. */
  readonly burnPerHour: bigint;
  readonly runningLeases: number;
  /** What they have run up, to be paid when they end. */
  readonly accrued: bigint;
  /** Reserved for leases that do not run: not yet, or no more. */
  readonly idle: bigint;
  /** The task whose reservation is used up first; undefined where nothing runs. */
  readonly first: { readonly taskId: Hex; readonly seconds: bigint } | undefined;
  /** Until the last running lease's reservation is used up. */
  readonly reservedSeconds: bigint | undefined;
  /** What the free balance would pay for at this rate; undefined where nothing runs. */
  readonly freeSeconds: bigint | undefined;
}

/** Downtime, which is not paid, makes it longer than this says. Pure. */
export function runwayOf(from: {
  readonly free: bigint;
  /** Of all live tasks. */
  readonly reserved: bigint;
  readonly leases: readonly BurningLease[];
}): Runway {
  const burning = from.leases.map(({ taskId, reserved, ratePerHour, ranSeconds }) => {
    const due = (ratePerHour * ranSeconds) / HOUR;
    const accrued = due < reserved ? due : reserved;
    const seconds = ratePerHour === 0n ? undefined : ((reserved - accrued) * HOUR) / ratePerHour;
    return { taskId, reserved, ratePerHour, accrued, seconds };
  });
  const ending = burning
    .flatMap(({ taskId, seconds }) => (seconds === undefined ? [] : { taskId, seconds }))
    .sort((one, other) => Number(one.seconds - other.seconds));
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
  const burnPerHour = sum(burning.map(({ ratePerHour }) => ratePerHour));
  return {
    burnPerHour,
    runningLeases: burning.length,
    accrued: sum(burning.map(({ accrued }) => accrued)),
    idle: from.reserved - sum(burning.map(({ reserved }) => reserved)),
    first: ending[0],
    reservedSeconds: ending.at(-1)?.seconds,
    freeSeconds: burnPerHour === 0n ? undefined : (from.free * HOUR) / burnPerHour,
  };
}
