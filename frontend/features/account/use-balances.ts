"use client";

import { demoDollarAbi, paymentEscrowAbi } from "@dekuper/protocol";
import type { Address } from "viem";
import { useReadContracts } from "wagmi";
import { useNetwork } from "@/features/network/network-provider.tsx";

/** Base units. */
export interface Balances {
  /** In the wallet, not deposited. */
  readonly wallet: bigint;
  readonly free: bigint;
  readonly reserved: bigint;
}

/** What an account has in its wallet and in the market's escrow, followed as blocks come. */
export function useBalances(account: Address | undefined) {
  const { local, deployment } = useNetwork();
  const owner = account ?? "0x0000000000000000000000000000000000000000";
  return useReadContracts({
    contracts: [
      { address: deployment.token, abi: demoDollarAbi, functionName: "balanceOf", args: [owner] },
      { address: deployment.paymentEscrow, abi: paymentEscrowAbi, functionName: "freeOf", args: [owner] },
      { address: deployment.paymentEscrow, abi: paymentEscrowAbi, functionName: "reservedOf", args: [owner] },
    ],
    allowFailure: false,
    query: {
      enabled: account !== undefined,
      refetchInterval: local ? 2_000 : 8_000,
      select: ([wallet, free, reserved]): Balances => ({ wallet, free, reserved }),
    },
  });
}
