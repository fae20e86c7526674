"use client";

import { createMarket, type Market, type MarketWallet, relayAt } from "@dekuper/client";
import { createContext, type ReactNode, use, useMemo, useState } from "react";
import type { PublicClient } from "viem";
import { usePublicClient, useWalletClient } from "wagmi";
import { useNetwork } from "../network/network-provider.tsx";
import { keepRelay, type RelayChoice, readRelay } from "./relay-choice.ts";

interface MarketOfPage {
  readonly market: Market;
  /** Who sends the connected account's transactions; undefined: its wallet does. */
  readonly relay: RelayChoice | undefined;
  chooseRelay(choice: RelayChoice | undefined): void;
}

const MarketContext = createContext<MarketOfPage | undefined>(undefined);

function useMarketOfPage(): MarketOfPage {
  const market = use(MarketContext);
  if (market === undefined) throw new Error("useMarket needs MarketProvider.");
  return market;
}

/** The SDK on this page's RPC and, once connected and on the right chain, on the person's wallet. */
export function useMarket(): Market {
  return useMarketOfPage().market;
}

/** Who pays the gas of the connected account. */
export function useRelay(): Pick<MarketOfPage, "relay" | "chooseRelay"> {
  return useMarketOfPage();
}

export function MarketProvider({ children }: { children: ReactNode }) {
  const network = useNetwork();
  const publicClient = usePublicClient() as PublicClient | undefined;
  const { data } = useWalletClient();
  const walletClient = data as MarketWallet | undefined;
  const [choices, setChoices] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each choice is read again where it is kept
  const value = useMemo((): MarketOfPage => {
    const { deployment } = network;
    const account = walletClient?.account.address;
    const relay = account === undefined ? undefined : readRelay(deployment, account);
    return {
      market: createMarket({
        network,
        publicClient,
        walletClient,
        relay: relay === undefined ? undefined : relayAt(relay.url, relay.terms),
      }),
      relay,
      chooseRelay: (choice) => {
        if (account === undefined) return;
        keepRelay(deployment, account, choice);
        setChoices((count) => count + 1);
      },
    };
  }, [network, publicClient, walletClient, choices]);
  return <MarketContext value={value}>{children}</MarketContext>;
}
