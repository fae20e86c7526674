"use client";

import { paymentEscrowAbi } from "@dekuper/protocol";
import { useQuery } from "@tanstack/react-query";
import type { Address, Hex } from "viem";
import { useMarket } from "../market/market-provider.tsx";

/** One movement of a consumer's account, from the escrow's events. */
export interface Movement {
  readonly kind: "Deposited" | "Withdrawn" | "Reserved" | "Paid" | "Released";
  /** Base units. */
  readonly amount: bigint;
  readonly taskId: Hex | undefined;
  readonly block: bigint;
  readonly hash: Hex;
  readonly key: string;
}

const KINDS = ["Deposited", "Withdrawn", "Reserved", "Paid", "Released"] as const;

/** The account's movements, newest first, rebuilt from the chain alone. */
export function useMovements(account: Address) {
  const market = useMarket();
  const { deployment, local } = market.network;
  return useQuery({
    queryKey: ["movements", account],
    queryFn: async (): Promise<Movement[]> => {
      const pages = await Promise.all(
        KINDS.map((kind) =>
          market.publicClient.getContractEvents({
            address: deployment.paymentEscrow,
            abi: paymentEscrowAbi,
            eventName: kind,
            args: kind === "Deposited" || kind === "Withdrawn" ? { account } : { consumer: account },
            fromBlock: BigInt(deployment.deploymentBlock),
            strict: true,
          }),
        ),
      );
      return pages
        .flat()
        .map((log) => ({ log, at: log.blockNumber * 1_000_000n + BigInt(log.logIndex) }))
        .sort((left, right) => (left.at < right.at ? 1 : -1))
        .map(({ log }) => ({
          kind: log.eventName,
          amount: log.eventName === "Paid" ? log.args.gross : log.args.amount,
          taskId: "taskId" in log.args ? log.args.taskId : undefined,
          block: log.blockNumber,
          hash: log.transactionHash,
          key: `${log.transactionHash}:${log.logIndex}`,
        }));
    },
    refetchInterval: local ? 3_000 : 20_000,
  });
}

/** What was paid for runs, base units. */
export function spentIn(movements: readonly Movement[]): bigint {
  return movements.reduce((sum, { kind, amount }) => (kind === "Paid" ? sum + amount : sum), 0n);
}
