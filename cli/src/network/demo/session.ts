import type { ClientPeer } from "@dekuper/client";
import {
  createMarket,
  deriveOutputKey,
  type Market,
  type OutputKey,
  signerOf,
  type TypedDataSigner,
  walletClientOf,
} from "@dekuper/client";
import { startNodePeer } from "@dekuper/client/node";
import type { Network } from "@dekuper/protocol";
import { privateKeyToAccount } from "viem/accounts";
import type { LocalAccount } from "../state.ts";

/** Everything that a consumer holds while it works: the market, its own peer, its key. */
export interface ConsumerSession {
  readonly market: Market;
  readonly peer: ClientPeer;
  readonly signer: TypedDataSigner;
  readonly key: OutputKey;
  readonly account: LocalAccount;
}

/** Opens a session of a dev account; `stop` the peer when done. */
export async function openSession(network: Network, account: LocalAccount): Promise<ConsumerSession> {
  const wallet = walletClientOf(network, privateKeyToAccount(account.privateKey));
  const market = createMarket({ network, walletClient: wallet });
  await market.check();
  const signer = signerOf(wallet);
  const [peer, key] = await Promise.all([startNodePeer(market), deriveOutputKey(signer, network.deployment)]);
  return { market, peer, signer, key, account };
}
