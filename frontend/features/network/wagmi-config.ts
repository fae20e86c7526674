import { type Chain, defineChain, fallback, http } from "viem";
import { type Config, createConfig, createStorage } from "wagmi";
import { injected } from "wagmi/connectors";
import { burner } from "../wallet/burner-connector.ts";
import type { SiteNetwork } from "./load-network.ts";

/** The network's chain as wallets and viem know it. */
export function chainOf(network: SiteNetwork): Chain {
  return defineChain({
    id: network.deployment.chainId,
    name: network.name,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: network.rpcUrls } },
    testnet: network.local,
  });
}

/** wagmi for one network: its RPCs in order, injected wallets, and the burner where the network file holds one. */
export function wagmiConfigOf(network: SiteNetwork): Config {
  const chain = chainOf(network);
  return createConfig({
    chains: [chain],
    connectors: network.burnerKey === undefined ? [injected()] : [injected(), burner(network.burnerKey)],
    transports: { [chain.id]: fallback(network.rpcUrls.map((url) => http(url, { batch: { wait: 8 } }))) },
    pollingInterval: network.local ? 1_000 : 4_000,
    storage: createStorage({ key: `dekuper.${chain.id}`, storage: window.localStorage }),
    ssr: false,
  });
}
