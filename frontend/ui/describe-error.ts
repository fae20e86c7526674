import { chainError } from "@dekuper/client";
import { DekuperError, type ErrorCode } from "@dekuper/protocol";
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

/** Some of the SDK's hints speak to the command line or to operators; these say what to do on this page. */
const PAGE_HINTS: Partial<Record<ErrorCode, string>> = {
  RPC_UNAVAILABLE: "Nothing is lost. This page goes on by itself as soon as the chain answers.",
  NETWORK_MISMATCH:
    "This site's network file and its RPC do not belong together. Nothing here should be signed.",
  CONTRACT_MISSING:
    "This site's network file is older than the chain, or wrong. Nothing here should be signed.",
  CHAIN_CHANGED:
    "This site's network file was written for another history of the chain. Nothing here should be signed.",
  NO_NODE_FITS: "Ask for less, pay more, or wait.",
  INSUFFICIENT_FUNDS: "Deposit more under Account.",
  NOT_ALLOWED: "Connect the wallet that owns the task, on this market's chain.",
  NOT_FOUND: "Check the address of this page; your own tasks are under My tasks.",
  WRONG_STATE: "The state on this page follows the chain; look again in a moment.",
  WALLET_NOT_DETERMINISTIC: "Use another wallet, or the command line with an age key file.",
  READ_DENIED: "Connect the wallet that paid for the task.",
  BLOB_NOT_FOUND: "Open this page in the browser that submitted the task: it keeps the spec.",
};

/** Anything thrown as sentence, hint and code. `what` completes "Could not ...". */
export function describeError(error: unknown, what = "do this"): DescribedError {
  const { message, hint, code } = chainError(error, what);
  return { message, hint: PAGE_HINTS[code] ?? hint, code };
}
