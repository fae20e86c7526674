import type { Market, TokenInfo } from "@dekuper/client";
import { DekuperError, parseAmount } from "@dekuper/protocol";
import { type Address, getAddress, isAddress } from "viem";

/** An amount argument in the payment token, above zero. */
export async function readAmount(
  market: Market,
  text: string,
): Promise<{ amount: bigint; token: TokenInfo }> {
  const token = await market.token();
  const amount = parseAmount(text, token);
  if (amount === 0n) {
    throw new DekuperError("UNIT_INVALID", `Got ${JSON.stringify(text)}, expected an amount above zero.`, {
      details: { got: text },
    });
  }
  return { amount, token };
}

/** An address argument. */
export function readAddress(text: string, what = "address"): Address {
  if (isAddress(text, { strict: false })) return getAddress(text);
  throw new DekuperError("USAGE", `Got ${JSON.stringify(text)} as ${what}, expected 0x and 40 hex digits.`, {
    details: { got: text },
  });
}
