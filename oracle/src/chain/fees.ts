import { DekuperError } from "@dekuper/protocol";
import type { PublicClient } from "viem";

/** EIP-1559 fees of one send, wei per gas. */
export interface Fees {
  readonly maxFee: bigint;
  readonly tip: bigint;
}

const DEFAULT_TIP = 1_000_000_000n;

/** Twice the base fee and the RPC's tip, under the cap; `GAS_CAP_REACHED` when even the base fee is above it. */
export function feesFor(baseFee: bigint, suggestedTip: bigint, cap: bigint): Fees {
  if (baseFee + 1n > cap)
    throw new DekuperError("GAS_CAP_REACHED", "The chain's base fee is above gas.maxFeePerGas.", {
      details: { baseFee, cap },
      hint: "Raise gas.maxFeePerGas, or wait until gas is cheaper.",
    });
  const maxFee = min(baseFee * 2n + suggestedTip, cap);
  return { maxFee, tip: min(suggestedTip, maxFee) };
}

/** A replacement's fees: RPCs want at least 10 % more than before; undefined when the cap leaves no room. */
export function bumpedFees(before: Fees, current: Fees, cap: bigint): Fees | undefined {
  const raised = (value: bigint) => (value * 9n) / 8n + 1n;
  const maxFee = max(raised(before.maxFee), current.maxFee);
  if (maxFee > cap) return undefined;
  return { maxFee, tip: min(max(raised(before.tip), current.tip), maxFee) };
}

/** The RPC's suggestion, or 1 gwei where it makes none. */
export async function suggestedTip(client: PublicClient): Promise<bigint> {
  try {
    return await client.estimateMaxPriorityFeePerGas();
  } catch {
    return DEFAULT_TIP;
  }
}

const min = (a: bigint, b: bigint) => (a < b ? a : b);
const max = (a: bigint, b: bigint) => (a > b ? a : b);
