import { type Deployment, type RelayTerms, relayTermsSchema } from "@dekuper/protocol";
import type { Address } from "viem";

/** A relay, at the terms that were agreed to. */
export interface RelayChoice {
  readonly url: string;
  readonly terms: RelayTerms;
}

/** Holds as long as the page is open, where the browser's storage is blocked. */
const chosen = new Map<string, string>();

const slotOf = ({ chainId, forwarder }: Deployment, account: Address) =>
  `dekuper.relay.${chainId}.${forwarder}.${account}`;

/** The relay that an account has chosen in this browser; undefined: it pays its gas itself. */
export function readRelay(deployment: Deployment, account: Address): RelayChoice | undefined {
  const slot = slotOf(deployment, account);
  try {
    const { url, terms } = JSON.parse(chosen.get(slot) ?? localStorage.getItem(slot) ?? "null") ?? {};
    const known = relayTermsSchema.safeParse(terms);
    return typeof url === "string" && known.success ? { url, terms: known.data } : undefined;
  } catch {
    return undefined;
  }
}

export function keepRelay(deployment: Deployment, account: Address, choice: RelayChoice | undefined): void {
  const slot = slotOf(deployment, account);
  const text = JSON.stringify(choice ?? null, (_, value) => (typeof value === "bigint" ? `${value}` : value));
  chosen.set(slot, text);
  try {
    localStorage.setItem(slot, text);
  } catch {
    // Storage is blocked: it is chosen again the next time.
  }
}

/**
 * What is to be deposited for an order that reserves so much, base units; 0: what is free is enough. By a relay, both transactions
 * pay it, and the fee of one more stays free: nobody should have to deposit anew to cancel what was ordered.
 */
export function toDeposit(reserved: bigint, free: bigint, relayFee: bigint): bigint {
  const missing = reserved + 2n * relayFee - free;
  return missing > 0n ? missing + relayFee : 0n;
}
