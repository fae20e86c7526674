import { createMarket, walletClientOf } from "@dekuper/client";
import { livenessAbi, type Network } from "@dekuper/protocol";
import type { Address } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { LocalProvider } from "./state.ts";

/** From so many seats on, a committee outlives one of them: of two or three, all have to sign a report. */
export const LEAST_SEATS = 4;

/** The committee that reports who is offline (rule 24), as the chain has it. */
export interface CommitteeStatus {
  readonly seats: readonly Address[];
  /** Nodes whose owners bid for a seat; the highest get one when the epoch ends. */
  readonly bidders: readonly Address[];
  /** Signatures that a report needs. */
  readonly quorum: number;
  /** Unix seconds of the chain's clock. */
  readonly epochEndsAt: number;
}

/**
 * Bids for a seat with each provider's node, by its owner, as little as a bid may be; a bid that stands is left. Fewer than
 * `LEAST_SEATS` providers bid for none. Returns how many bids stand now.
 */
export async function placeSeatBids(
  network: Network,
  providers: readonly Pick<LocalProvider, "owner" | "operator">[],
): Promise<number> {
  if (providers.length < LEAST_SEATS) return 0;
  await Promise.all(
    providers.map(async ({ owner, operator }) => {
      const account = privateKeyToAccount(owner.privateKey);
      const market = createMarket({ network, walletClient: walletClientOf(network, account) });
      const { amount, minSeatStake } = await market.seatBid(operator.address);
      if (amount === 0n) await market.bid(operator.address, minSeatStake);
    }),
  );
  return providers.length;
}

export async function readCommittee(network: Network): Promise<CommitteeStatus> {
  const { publicClient } = createMarket({ network });
  const at = { address: network.deployment.liveness, abi: livenessAbi } as const;
  const [[, , epochEndsAt, seats], bids, quorum] = await Promise.all([
    publicClient.readContract({ ...at, functionName: "committee" }),
    publicClient.readContract({ ...at, functionName: "bids" }),
    publicClient.readContract({ ...at, functionName: "quorumOf" }),
  ]);
  return {
    seats,
    bidders: bids.map(({ node }) => node),
    quorum: Number(quorum),
    epochEndsAt: Number(epochEndsAt),
  };
}

/** How many seats there are and what that means, or why there are none: one line. */
export function committeeWords({ seats, bidders, quorum }: CommitteeStatus, providers: number): string {
  if (seats.length > 0) {
    const silenced = seats.length < LEAST_SEATS ? "; the death of one silences it" : "";
    const count = `${seats.length} ${seats.length === 1 ? "seat" : "seats"}`;
    return `${count}, of which ${quorum} must sign a report of who is offline${silenced}`;
  }
  if (bidders.length > 0)
    return `no seats yet: ${bidders.length} ${bidders.length === 1 ? "node bids" : "nodes bid"} for them and the epoch has to end`;
  if (providers >= LEAST_SEATS) return "no seats: no node bids for one (dekuper node bid)";
  return noCommitteeWords(providers);
}

/** Why `up` bids for no seats. */
export function noCommitteeWords(providers: number): string {
  const has = providers === 1 ? "1 provider is" : `${providers} providers are`;
  return `no committee, so nobody reports a dead node: ${has} too few, since of two or three seats all must sign (--providers ${LEAST_SEATS})`;
}
