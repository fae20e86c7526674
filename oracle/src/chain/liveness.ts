import { type Deployment, livenessAbi } from "@dekuper/protocol";
import { type Address, getAddress, type PublicClient } from "viem";

/** What the chain holds of a node's presence. Unix seconds of the chain's clock, 0 for never. */
export interface DowntimeRecord {
  /** Since when a report stands, pending or final. */
  readonly since: number;
  readonly pendingUntil: number;
  readonly reportedAt: number;
  /** Evidence up to then is stale: the node has acted itself, or a later report was taken. */
  readonly knownAt: number;
}

/** The committee as the chain has it (rule 24). */
export interface Committee {
  readonly epoch: number;
  readonly version: number;
  /** Unix seconds of the chain's clock. */
  readonly epochEndsAt: number;
  /** Ascending. */
  readonly seats: readonly Address[];
}

/** Parameters of Liveness. Seconds, epochs and seats. */
export interface LivenessRules {
  readonly epochLength: number;
  readonly reportGrace: number;
  readonly reportCooldown: number;
  readonly reportLife: number;
  readonly maxMissed: number;
  readonly minSeats: number;
}

/** How a node's bid stands. */
export interface Candidacy {
  readonly isSeated: boolean;
  /** The last epoch in which its seat has shown itself. */
  readonly seenIn: number;
}

/** How a node stands with the committee, at one moment. */
export interface Standing {
  readonly committee: Committee;
  readonly rules: LivenessRules;
  /** Undefined: its owner bids for no seat with it. */
  readonly candidacy: Candidacy | undefined;
  readonly record: DowntimeRecord;
}

export async function readStanding(
  client: PublicClient,
  deployment: Deployment,
  node: Address,
): Promise<Standing> {
  const at = { address: deployment.liveness, abi: livenessAbi } as const;
  const [[epoch, version, epochEndsAt, seats], rules, candidate, record] = await Promise.all([
    client.readContract({ ...at, functionName: "committee" }),
    client.readContract({ ...at, functionName: "parameters" }),
    client.readContract({ ...at, functionName: "candidateOf", args: [node] }),
    readRecord(client, deployment, node),
  ]);
  return {
    committee: {
      epoch: Number(epoch),
      version,
      epochEndsAt: Number(epochEndsAt),
      seats: seats.map((seat) => getAddress(seat)),
    },
    rules,
    candidacy:
      BigInt(candidate.owner) === 0n ? undefined : { isSeated: candidate.isSeated, seenIn: candidate.seenIn },
    record,
  };
}

/** The nodes that bid for seats, seated or not; at most 32. */
export async function readBidders(client: PublicClient, deployment: Deployment): Promise<Address[]> {
  const bids = await client.readContract({
    address: deployment.liveness,
    abi: livenessAbi,
    functionName: "bids",
  });
  return bids.map(({ node }) => getAddress(node));
}

export async function readRecord(
  client: PublicClient,
  deployment: Deployment,
  node: Address,
): Promise<DowntimeRecord> {
  const [, since, pendingUntil, reportedAt, knownAt] = await client.readContract({
    address: deployment.liveness,
    abi: livenessAbi,
    functionName: "recordOf",
    args: [node],
  });
  return {
    since: Number(since),
    pendingUntil: Number(pendingUntil),
    reportedAt: Number(reportedAt),
    knownAt: Number(knownAt),
  };
}
