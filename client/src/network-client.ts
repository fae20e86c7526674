import { DekuperError, type Network, networkSchema } from "@dekuper/protocol";
import {
  type Account,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  fallback,
  http,
  type PublicClient,
  type Transport,
  type WalletClient,
} from "viem";

/** A wallet that can sign and send for one account. */
export type MarketWallet = WalletClient<Transport, Chain | undefined, Account>;

/** A chain of a network file as viem wants it. */
export function chainOf(network: Network): Chain {
  return defineChain({
    id: network.deployment.chainId,
    name: network.name,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: network.rpcUrls } },
  });
}

/** All RPCs of the network, in order; reads of the same tick share one request. */
export function transportOf(network: Network): Transport {
  const each = network.rpcUrls.map((url) =>
    http(url, { batch: { batchSize: 100 }, retryCount: 1, retryDelay: 200, timeout: 15_000 }),
  );
  const [only] = each;
  return each.length === 1 && only !== undefined ? only : fallback(each);
}

export function publicClientOf(network: Network): PublicClient {
  return createPublicClient({
    chain: chainOf(network),
    transport: transportOf(network),
    pollingInterval: network.local ? 250 : 2_000,
    cacheTime: 0,
  });
}

export function walletClientOf(network: Network, account: Account): MarketWallet {
  return createWalletClient({ account, chain: chainOf(network), transport: transportOf(network) });
}

/** Checks the content of a network file; `CONFIG_INVALID` names the key. */
export function parseNetwork(content: unknown, name = "network file"): Network {
  const parsed = networkSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.join(".") || "(whole file)";
  throw new DekuperError(
    "CONFIG_INVALID",
    `${name}: ${key}: ${issue?.message.replace(/^Invalid input: /, "") ?? "not valid"}.`,
    {
      details: { file: name, key },
      hint: "A network file holds name, local, rpcUrls, deployment and images; `dekuper up` writes one.",
    },
  );
}
