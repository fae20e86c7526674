import {
  DekuperError,
  livenessAbi,
  nodeRegistryAbi,
  paymentEscrowAbi,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { BaseError, ContractFunctionRevertedError, decodeErrorResult, type Hex, isHex } from "viem";

/** A contract's reason by its name, with the values that decided. */
export interface Revert {
  readonly name: string;
  readonly args: readonly unknown[];
}

const errors = [...taskRegistryAbi, ...nodeRegistryAbi, ...paymentEscrowAbi, ...livenessAbi].filter(
  (item) => item.type === "error",
);

/** The contract's reason in an error of viem's, or undefined where it is no revert. */
export function revertOf(error: unknown): Revert | undefined {
  if (!(error instanceof BaseError)) return undefined;
  const reverted = error.walk((item) => item instanceof ContractFunctionRevertedError);
  if (reverted instanceof ContractFunctionRevertedError) {
    if (reverted.data !== undefined) return { name: reverted.data.errorName, args: reverted.data.args ?? [] };
    if (reverted.raw !== undefined) return decoded(reverted.raw);
    return { name: reverted.reason ?? "unknown", args: [] };
  }
  const raw = error.walk((item) => isHex((item as { data?: unknown }).data));
  return raw === null ? undefined : decoded((raw as unknown as { data: Hex }).data);
}

function decoded(data: Hex): Revert {
  try {
    const { errorName, args } = decodeErrorResult({ abi: errors, data });
    return { name: errorName, args: args ?? [] };
  } catch {
    return { name: data.slice(0, 10), args: [] };
  }
}

/** `TRANSACTION_REVERTED` with the contract's reason. */
export function revertedError(call: string, revert: Revert): DekuperError {
  const values = revert.args.map((value) =>
    typeof value === "object" ? JSON.stringify(value, (_, item) => String(item)) : String(value),
  );
  return new DekuperError("TRANSACTION_REVERTED", `${call}: ${revert.name}(${values.join(", ")}).`, {
    details: { call, reason: revert.name, values: values.join(", ") },
  });
}
