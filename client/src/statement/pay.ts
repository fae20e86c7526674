import { fee as feeOn, gross as grossOf } from "@dekuper/protocol";
import type { PaidMovement } from "./movement.ts";

/** The contracts let no parameter file set more, in 1/10000 of the gross. */
export const MAX_FEE_BPS = 500;

const BPS = 10_000n;

/** Why a payment does not follow from its own seconds and rate. */
export type PayFault =
  | { readonly kind: "downtime"; readonly ranSeconds: bigint; readonly downSeconds: bigint }
  | { readonly kind: "gross"; readonly stated: bigint; readonly computed: bigint }
  | { readonly kind: "fee"; readonly stated: bigint; readonly most: bigint };

/** Seconds that are paid: those it ran less those it was offline. */
export function paidSeconds({ ranSeconds, downSeconds }: PaidMovement): bigint {
  return downSeconds < ranSeconds ? ranSeconds - downSeconds : 0n;
}

/** Recomputes a payment; empty where every figure follows from the others. */
export function faultsOfPay(paid: PaidMovement): PayFault[] {
  const { ranSeconds, downSeconds, ratePerHour, gross, fee } = paid;
  const faults: PayFault[] = [];
  if (downSeconds > ranSeconds) faults.push({ kind: "downtime", ranSeconds, downSeconds });
  const computed = grossOf(ratePerHour, paidSeconds(paid));
  if (gross !== computed) faults.push({ kind: "gross", stated: gross, computed });
  if (!isFeeOn(gross, fee)) faults.push({ kind: "fee", stated: fee, most: feeOn(gross, MAX_FEE_BPS) });
  return faults;
}

/** The fee's rate in 1/10000 of the gross, where the two amounts leave no choice. */
export function feeBpsOf({ gross, fee }: PaidMovement): number | undefined {
  if (gross === 0n || !isFeeOn(gross, fee)) return undefined;
  const least = leastBps(gross, fee);
  return feeOn(gross, Number(least) + 1) === fee ? undefined : Number(least);
}

/** Is there a fee rate, up to the most allowed, that makes this fee of this gross? */
function isFeeOn(gross: bigint, fee: bigint): boolean {
  if (gross <= 0n) return fee === 0n;
  if (fee < 0n) return false;
  const bps = leastBps(gross, fee);
  return bps <= MAX_FEE_BPS && feeOn(gross, Number(bps)) === fee;
}

/** The lowest rate at which the fee, rounded down, is not below this one. */
function leastBps(gross: bigint, fee: bigint): bigint {
  return (fee * BPS + gross - 1n) / gross;
}
