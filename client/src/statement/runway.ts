import type { Hex } from "viem";

const HOUR = 3600n;

/** A live task: what its reservation has left on chain, and the leases of it whose clocks run. */
export interface BurningTask {
  readonly taskId: Hex;
  /** Base units. */
  readonly left: bigint;
  readonly running: readonly { readonly ratePerHour: bigint; readonly since: bigint }[];
}

/** How long an account's money lasts if everything goes on as it does now. Base units and seconds. */
export interface Runway {
  /** Of all running leases together. */
  readonly burnPerHour: bigint;
  readonly runningTasks: number;
  /** Run up by them since they started, to be paid when they end. */
  readonly accrued: bigint;
  /** Reserved for tasks that do not run: not yet, or no more. */
  readonly idle: bigint;
  /** The running task whose reservation is used up first; undefined where nothing runs. */
  readonly first: { readonly taskId: Hex; readonly seconds: bigint } | undefined;
  /** Until the last running task's reservation is used up. */
  readonly reservedSeconds: bigint | undefined;
  /** What the free balance would pay for at this rate; undefined where nothing runs. */
  readonly freeSeconds: bigint | undefined;
}

/** The runway at chain time `now`. Downtime, which is not paid, makes it longer. */
export function runwayOf(from: {
  readonly now: bigint;
  readonly free: bigint;
  readonly tasks: readonly BurningTask[];
}): Runway {
  const { now, free, tasks } = from;
  const burning = tasks
    .filter(({ running }) => running.length > 0)
    .map(({ taskId, left, running }) => {
      const rate = running.reduce((sum, { ratePerHour }) => sum + ratePerHour, 0n);
      const due = running.reduce(
        (sum, { ratePerHour, since }) => sum + (now > since ? (ratePerHour * (now - since)) / HOUR : 0n),
        0n,
      );
      const accrued = due < left ? due : left;
      return { taskId, rate, accrued, seconds: rate === 0n ? undefined : ((left - accrued) * HOUR) / rate };
    });
  const ending = burning
    .flatMap(({ taskId, seconds }) => (seconds === undefined ? [] : { taskId, seconds }))
    .sort((one, other) => Number(one.seconds - other.seconds));
  const burnPerHour = burning.reduce((sum, { rate }) => sum + rate, 0n);
  return {
    burnPerHour,
    runningTasks: burning.length,
    accrued: burning.reduce((sum, { accrued }) => sum + accrued, 0n),
    idle: tasks.reduce((sum, { left, running }) => (running.length === 0 ? sum + left : sum), 0n),
    first: ending[0],
    reservedSeconds: ending.at(-1)?.seconds,
    freeSeconds: burnPerHour === 0n ? undefined : (free * HOUR) / burnPerHour,
  };
}
