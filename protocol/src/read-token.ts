import { type Hex, hashTypedData } from "viem";
import type { ReadToken } from "./channels.ts";
import { readTypes, taskDomain } from "./typed-data.ts";

/** EIP-712 hash that the consumer signed: domain and fields are the token's own, so they must be checked against the deployment. */
export function readTokenDigest(token: Omit<ReadToken, "signature">): Hex {
  return hashTypedData({
    domain: taskDomain(token.chainId, token.registry),
    types: readTypes,
    primaryType: "Read",
    message: { ...token, chainId: BigInt(token.chainId), expiry: BigInt(token.expiry) },
  });
}
