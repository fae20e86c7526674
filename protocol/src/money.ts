/** Seconds of an hour: rates are per hour, time is in seconds. */
const HOUR = 3600n;

/** What a task reserves, base units: `ceil(ratePerHour x maxDuration / 3600)`. */
export function reservation(ratePerHour: bigint, maxDurationSeconds: number): bigint {
  return (ratePerHour * BigInt(maxDurationSeconds) + HOUR - 1n) / HOUR;
}

/** What billed seconds cost, base units: `floor(ratePerHour x seconds / 3600)`. */
export function gross(ratePerHour: bigint, billedSeconds: bigint): bigint {
  return (ratePerHour * billedSeconds) / HOUR;
}

/** The market's fee on it, base units, rounded down. */
export function fee(grossAmount: bigint, feeBps: number): bigint {
  return (grossAmount * BigInt(feeBps)) / 10_000n;
}

/** A lease's hourly rate at a node's unit rates, base units per hour. */
export function leaseRate(
  rates: { perGpuHour: bigint; perVCpuHour: bigint },
  need: { gpus: number; vCpus: number },
): bigint {
  return rates.perGpuHour * BigInt(need.gpus) + rates.perVCpuHour * BigInt(need.vCpus);
}
