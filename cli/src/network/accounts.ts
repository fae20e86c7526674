import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { LocalAccount } from "./state.ts";

/** A fresh dev account. */
export function freshAccount(): LocalAccount {
  const privateKey = generatePrivateKey();
  return { privateKey, address: privateKeyToAccount(privateKey).address };
}
