"use client";

import { demoDollarAbi } from "@dekuper/protocol";
import { useReadContracts } from "wagmi";
import { useNetwork } from "@/features/network/network-provider.tsx";
import type { Token } from "@/ui/money.ts";

/** The payment token's symbol and decimals; undefined until they are read. */
export function useToken(): Token | undefined {
  const address = useNetwork().deployment.token;
  const { data } = useReadContracts({
    contracts: [
      { address, abi: demoDollarAbi, functionName: "symbol" },
      { address, abi: demoDollarAbi, functionName: "decimals" },
    ],
    allowFailure: false,
    query: { staleTime: Number.POSITIVE_INFINITY },
  });
  return data === undefined ? undefined : { symbol: data[0], decimals: data[1] };
}
