import { DekuperError } from "@dekuper/protocol";
import { BaseError, type Hex } from "viem";
import type { ChainReader } from "./reader.ts";

const KNOWN = /already known|already imported|known transaction|already exists|nonce too low.*same/i;
const NONCE_LOW = /nonce (?:is )?too low|nonce has already been used/i;
const NO_FUNDS = /insufficient funds|doesn't have enough funds|sender.*balance/i;

/**
 * Sends signed bytes to every RPC. Fine when one takes them or has them. `RPC_UNAVAILABLE` when it cannot be told whether
 * they arrived; anything else means that all have refused them, and the nonce is free.
 */
export async function broadcast(reader: ChainReader, raw: Hex): Promise<void> {
  const rpcs = reader.healthy.length > 0 ? reader.healthy : reader.rpcs;
  const results = await Promise.allSettled(
    rpcs.map(({ client }) => client.sendRawTransaction({ serializedTransaction: raw })),
  );
  const reasons = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
  if (reasons.length < results.length || reasons.some((reason) => KNOWN.test(textOf(reason)))) return;
  const cause = reasons[0];
  if (!reasons.every(isRefusal))
    throw new DekuperError("RPC_UNAVAILABLE", "No RPC has taken the transaction.", { cause });
  const text = textOf(cause);
  if (NO_FUNDS.test(text))
    throw new DekuperError("INSUFFICIENT_GAS", "The RPC says that the account cannot pay the gas.", {
      cause,
    });
  throw new DekuperError("TRANSACTION_STUCK", `The RPC refuses the transaction: ${text.split("\n")[0]}`, {
    cause,
    details: { nonceTooLow: NONCE_LOW.test(text) },
  });
}

/** The RPC has answered with an error of its own, so it did not keep the bytes. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof BaseError &&
    error.walk((item) => "code" in (item as object)) !== null &&
    !isTransport(error)
  );
}

function isTransport(error: BaseError): boolean {
  return (
    error.walk((item) => ["HttpRequestError", "TimeoutError"].includes((item as Error).name ?? "")) !== null
  );
}

function textOf(error: unknown): string {
  return error instanceof BaseError ? `${error.details} ${error.message}` : String(error);
}
