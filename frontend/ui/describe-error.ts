import { DekuperError } from "@dekuper/protocol";
import {
  BaseError,
  ContractFunctionRevertedError,
  HttpRequestError,
  InsufficientFundsError,
  UserRejectedRequestError,
} from "viem";

export interface DescribedError {
  readonly message: string;
  readonly hint: string;
  readonly code: string;
}

/** Whether the person said no in the wallet: nothing went wrong. */
export function isRejectedByUser(error: unknown): boolean {
  return error instanceof BaseError && error.walk((e) => e instanceof UserRejectedRequestError) !== null;
}

/** Anything thrown as sentence, hint and code. Chain errors get the catalogue's codes. */
export function describeError(error: unknown): DescribedError {
  const ours = asDekuperError(error);
  return { message: ours.message, hint: ours.hint, code: ours.code };
}

function asDekuperError(error: unknown): DekuperError {
  if (error instanceof DekuperError) return error;
  if (error instanceof BaseError) return fromViem(error);
  const message = error instanceof Error ? error.message : String(error);
  return new DekuperError("INTERNAL", message, { cause: error });
}

function fromViem(error: BaseError): DekuperError {
  if (isRejectedByUser(error)) {
    return new DekuperError("NOT_ALLOWED", "You declined the request in your wallet.", {
      hint: "Nothing was sent. Start again when you are ready.",
      cause: error,
    });
  }
  const reverted = error.walk((e) => e instanceof ContractFunctionRevertedError);
  if (reverted instanceof ContractFunctionRevertedError) {
    const { errorName, args } = reverted.data ?? {};
    const reason =
      errorName === undefined ? reverted.shortMessage : `${errorName}(${(args ?? []).join(", ")})`;
    return new DekuperError("TRANSACTION_REVERTED", `The contract refuses: ${reason}`, {
      hint: "The reason names the values that decided. Reload the page if it may show an older state.",
      cause: error,
    });
  }
  if (error.walk((e) => e instanceof InsufficientFundsError) !== null) {
    return new DekuperError(
      "INSUFFICIENT_GAS",
      "This account has too little of the chain's own coin for gas.",
      {
        cause: error,
      },
    );
  }
  if (error.walk((e) => e instanceof HttpRequestError) !== null) {
    return new DekuperError("RPC_UNAVAILABLE", "The chain's RPC does not answer.", { cause: error });
  }
  return new DekuperError("INTERNAL", error.shortMessage, { cause: error });
}
