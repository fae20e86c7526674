"use client";

import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useMemo, useState } from "react";
import { WagmiProvider } from "wagmi";
import { loadNetwork, type SiteNetwork } from "./load-network.ts";
import { LoadingShell } from "./loading-shell.tsx";
import { wagmiConfigOf } from "./wagmi-config.ts";

const NetworkContext = createContext<SiteNetwork | undefined>(undefined);

/** The network that this site shows. Only below `NetworkProvider`. */
export function useNetwork(): SiteNetwork {
  const network = use(NetworkContext);
  if (network === undefined) throw new Error("useNetwork needs NetworkProvider.");
  return network;
}

/** Loads the network file, then gives everything below a chain, a wallet and a query cache. */
export function NetworkProvider({ children }: { children: ReactNode }) {
  const [queries] = useState(
    () => new QueryClient({ defaultOptions: { queries: { retry: 1, staleTime: 2_000 } } }),
  );
  return (
    <QueryClientProvider client={queries}>
      <WithNetwork>{children}</WithNetwork>
    </QueryClientProvider>
  );
}

function WithNetwork({ children }: { children: ReactNode }) {
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ["network"],
    queryFn: ({ signal }) => loadNetwork(signal),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (data === undefined) {
    return <LoadingShell error={error ?? undefined} busy={isFetching} onRetry={() => void refetch()} />;
  }
  return <Ready network={data}>{children}</Ready>;
}

function Ready({ network, children }: { network: SiteNetwork; children: ReactNode }) {
  const config = useMemo(() => wagmiConfigOf(network), [network]);
  return (
    <NetworkContext value={network}>
      <WagmiProvider config={config}>{children}</WagmiProvider>
    </NetworkContext>
  );
}
