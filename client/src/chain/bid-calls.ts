import { livenessAbi, type Network } from "@dekuper/protocol";
import { type Address, type PublicClient, zeroAddress } from "viem";
import { chainError } from "./errors.ts";
import { plain, type Sender, type SentTransaction, send } from "./send.ts";

const livenessOf = ({ deployment }: Network) => ({ address: deployment.liveness, abi: livenessAbi }) as const;

/** A node's bid for a seat among the attesters (rule 24). Base units; times in Unix seconds. */
export interface SeatBid {
  /** What of the node's stake it locks; 0: no bid. */
  readonly amount: bigint;
  readonly isSeated: boolean;
  readonly isLeaving: boolean;
  /** When anyone may end the epoch and install the highest bids. */
  readonly epochEndsAt: bigint;
  /** What a bid must lock at least. */
  readonly minSeatStake: bigint;
}

/** How the node's bid stands. */
export async function readSeatBid(client: PublicClient, network: Network, node: Address): Promise<SeatBid> {
  const contract = livenessOf(network);
  try {
    const [candidate, bids, [, , epochEndsAt], { minSeatStake }] = await Promise.all([
      client.readContract({ ...contract, functionName: "candidateOf", args: [node] }),
      client.readContract({ ...contract, functionName: "bids" }),
      client.readContract({ ...contract, functionName: "committee" }),
      client.readContract({ ...contract, functionName: "parameters" }),
    ]);
    const bid = candidate.owner === zeroAddress ? undefined : bids[candidate.position];
    return {
      amount: bid?.amount ?? 0n,
      isSeated: candidate.isSeated,
      isLeaving: candidate.isLeaving,
      epochEndsAt,
      minSeatStake,
    };
  } catch (cause) {
    throw chainError(cause, "read the bid", network);
  }
}

/** Bids for a seat, or raises a bid: `amount` of the node's stake is locked in all. The owner's key only (rule 24). */
export async function bid(sender: Sender, node: Address, amount: bigint): Promise<SentTransaction> {
  const call = { ...livenessOf(sender.network), functionName: "bid", args: [node, amount] } as const;
  return plain(await send(sender, "bid for a seat", call));
}

/** Takes a bid back; a seat stays until the epoch ends. The owner's key only (rule 24). */
export async function withdrawBid(sender: Sender, node: Address): Promise<SentTransaction> {
  const call = { ...livenessOf(sender.network), functionName: "withdrawBid", args: [node] } as const;
  return plain(await send(sender, "take the bid back", call));
}
