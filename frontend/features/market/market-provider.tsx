"use client";

import { createMarket, type Market, type MarketWallet } from "@dekuper/client";
import { createContext, type ReactNode, use, useMemo } from "react";
import type { PublicClient } from "viem";
import { usePublicClient, useWalletClient } from "wagmi";
import { useNetwork } from "../network/network-provider.tsx";

const MarketContext = createContext<Market | undefined>(undefined);

/** The SDK on this page's RPC and, once connected and on the right chain, on the person's wallet. */
export function useMarket(): Market {
  const market = use(MarketContext);
  if (market === undefined) throw new Error("useMarket needs MarketProvider.");
  return market;
}

export function MarketProvider({ children }: { children: ReactNode }) {
  const network = useNetwork();
  const publicClient = usePublicClient() as PublicClient | undefined;
  const { data: walletClient } = useWalletClient();
  const market = useMemo(
    () => createMarket({ network, publicClient, walletClient: walletClient as MarketWallet | undefined }),
    [network, publicClient, walletClient],
  );
  return <MarketContext value={market}>{children}</MarketContext>;
}
