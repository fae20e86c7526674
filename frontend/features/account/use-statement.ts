"use client";

import { type CheckedStatement, readStatement } from "@dekuper/client";
import { useQuery } from "@tanstack/react-query";
import type { Address } from "viem";
import { useMarket } from "../market/market-provider.tsx";

/** The account's statement, rebuilt from the chain alone, as `dekuper account statement` has it. */
export function useStatement(account: Address) {
  const market = useMarket();
  return useQuery({
    queryKey: ["statement", account],
    queryFn: (): Promise<CheckedStatement> => readStatement(market, account),
    refetchInterval: market.network.local ? 3_000 : 20_000,
  });
}
