import { chainError } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { BaseError, UserRejectedRequestError } from "viem";

export interface DescribedError {
  readonly message: string;
  readonly hint: string;
  readonly code: string;
}

/** Whether the person said no in the wallet: nothing went wrong. */
export function isRejectedByUser(error: unknown): boolean {
  const cause = error instanceof DekuperError ? error.cause : error;
  return cause instanceof BaseError && cause.walk((e) => e instanceof UserRejectedRequestError) !== null;
}

/** Anything thrown as sentence, hint and code. `what` completes "Could not ...". */
export function describeError(error: unknown, what = "do this"): DescribedError {
  const { message, hint, code } = chainError(error, what);
  return { message, hint, code };
}
