import { chainOf, transportOf } from "@dekuper/client";
import { type Config, createConfig, createStorage } from "wagmi";
import { injected } from "wagmi/connectors";
import { burner } from "../wallet/burner-connector.ts";
import type { SiteNetwork } from "./load-network.ts";

/** wagmi for one network: its RPCs in order, injected wallets, and the burner where the network file holds one. */
export function wagmiConfigOf(network: SiteNetwork): Config {
  const chain = chainOf(network);
  return createConfig({
    chains: [chain],
    connectors: network.burnerKey === undefined ? [injected()] : [injected(), burner(network.burnerKey)],
    transports: { [chain.id]: transportOf(network) },
    pollingInterval: network.local ? 1_000 : 4_000,
    // A task's page asks for the head and for its logs in one go: neither may be older than the other.
    cacheTime: 0,
    storage: createStorage({ key: `dekuper.${chain.id}`, storage: window.localStorage }),
    ssr: false,
  });
}
