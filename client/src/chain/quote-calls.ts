import { taskRegistryAbi } from "@dekuper/protocol";
import { plain, type Sender, type SentTransaction, send } from "./send.ts";

const registryOf = (sender: Sender) =>
  ({ address: sender.network.deployment.taskRegistry, abi: taskRegistryAbi }) as const;

/** Nonces that a second has room for: a node's nonces follow the clock, `seconds x 2^20` and counting (rule 8). */
const NONCES_PER_SECOND = 2n ** 20n;

/** Voids one of the wallet's own quotes. The operator's key only (rule 8). */
export async function cancelQuote(sender: Sender, nonce: bigint): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "cancelQuote", args: [nonce] } as const;
  return plain(await send(sender, "cancel the quote", call));
}

/** Voids all of the wallet's own quotes with a nonce below `below`. The operator's key only (rule 8). */
export async function cancelQuotes(sender: Sender, below: bigint): Promise<SentTransaction> {
  const call = { ...registryOf(sender), functionName: "cancelQuotes", args: [below] } as const;
  return plain(await send(sender, "cancel the quotes", call));
}

/** The lowest nonce that a daemon started after `now` (Unix seconds) can give out: all signed before lie below. */
export function quoteNonceAfter(now: bigint): bigint {
  return (now + 1n) * NONCES_PER_SECOND;
}
