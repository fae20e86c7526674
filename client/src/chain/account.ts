import { demoDollarAbi, type Network, paymentEscrowAbi } from "@dekuper/protocol";
import type { Address, PublicClient } from "viem";
import { chainError } from "./errors.ts";

/** The payment token as people write it. */
export interface TokenInfo {
  readonly address: Address;
  readonly symbol: string;
  readonly decimals: number;
}

/** What an address has in the market. Base units of the token, except `gasBalance` (wei). */
export interface AccountInfo {
  readonly address: Address;
  /** In escrow and not reserved: withdrawn at any time. */
  readonly free: bigint;
  /** In escrow for live tasks. */
  readonly reserved: bigint;
  /** Earned as a node's owner, not yet withdrawn. */
  readonly earnings: bigint;
  /** In the wallet. */
  readonly walletBalance: bigint;
  /** What escrow may take from the wallet. */
  readonly allowance: bigint;
  readonly gasBalance: bigint;
}

export async function readToken(client: PublicClient, network: Network): Promise<TokenInfo> {
  const contract = { address: network.deployment.token, abi: demoDollarAbi } as const;
  try {
    const [symbol, decimals] = await Promise.all([
      client.readContract({ ...contract, functionName: "symbol" }),
      client.readContract({ ...contract, functionName: "decimals" }),
    ]);
    return { address: network.deployment.token, symbol, decimals };
  } catch (cause) {
    throw chainError(cause, "read the payment token", network);
  }
}

export async function readAccount(
  client: PublicClient,
  network: Network,
  address: Address,
): Promise<AccountInfo> {
  const escrow = { address: network.deployment.paymentEscrow, abi: paymentEscrowAbi } as const;
  const token = { address: network.deployment.token, abi: demoDollarAbi } as const;
  try {
    const [free, reserved, earnings, walletBalance, allowance, gasBalance] = await Promise.all([
      client.readContract({ ...escrow, functionName: "freeOf", args: [address] }),
      client.readContract({ ...escrow, functionName: "reservedOf", args: [address] }),
      client.readContract({ ...escrow, functionName: "earningsOf", args: [address] }),
      client.readContract({ ...token, functionName: "balanceOf", args: [address] }),
      client.readContract({ ...token, functionName: "allowance", args: [address, escrow.address] }),
      client.getBalance({ address }),
    ]);
    return { address, free, reserved, earnings, walletBalance, allowance, gasBalance };
  } catch (cause) {
    throw chainError(cause, "read the account", network);
  }
}
