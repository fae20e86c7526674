import {
  attestationDigest,
  DekuperError,
  type Deployment,
  drawnChunks,
  leaseStatuses,
  livenessAbi,
  type OutputAttestation,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, getAddress, type Hex, type PublicClient, parseEventLogs } from "viem";
import type { DeliveryClaim } from "../journal/facts.ts";
import { blockOf } from "./reader.ts";

/** Who may say now what became of a delivery, and how many of them must say the same. */
export interface Seats {
  readonly seats: ReadonlySet<Address>;
  readonly quorum: number;
}

/** A claim that waits for its answer, with what it is about. Times in Unix seconds. */
export interface OpenClaim {
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly node: Address;
  readonly claimedAt: number;
  readonly answerUntil: number;
  /** Of the claim. */
  readonly block: number;
  readonly attestation: OutputAttestation;
  readonly attestationDigest: Hex;
  /** Chunks that an attester must have fetched, ascending; none: there is nothing that could be. */
  readonly drawn: readonly number[];
}

export async function readSeats(client: PublicClient, deployment: Deployment): Promise<Seats> {
  const at = { address: deployment.liveness, abi: livenessAbi } as const;
  const [seats, quorum] = await Promise.all([
    client.readContract({ ...at, functionName: "seats" }),
    client.readContract({ ...at, functionName: "quorumOf" }),
  ]);
  return { seats: new Set(seats.map((seat) => getAddress(seat))), quorum: Number(quorum) };
}

/**
 * Reads what a claim's events announced, as it stands at `head`; undefined where it is answered already, or the chain has
 * taken its block back. The attestation is the one that the contract keeps the digest of, whoever gave its log.
 */
export async function readClaim(
  client: PublicClient,
  deployment: Deployment,
  claim: DeliveryClaim,
  head: number,
): Promise<OpenClaim | undefined> {
  const { leaseId, attempt, block } = claim;
  const at = { address: deployment.taskRegistry, abi: taskRegistryAbi, blockNumber: BigInt(head) } as const;
  const [lease, raised, raisedIn] = await Promise.all([
    client.readContract({ ...at, functionName: "getLease", args: [leaseId] }),
    client.readContract({ ...at, functionName: "getClaim", args: [leaseId] }),
    blockOf(client, { blockNumber: BigInt(block) }),
  ]);
  const isOpen = leaseStatuses[lease.status] === "Disputed" && lease.attempt === attempt;
  if (!isOpen || BigInt(raisedIn.timestamp) !== raised.claimedAt) return undefined;
  const attestation = await readAttestation(client, deployment, claim, lease.attestationDigest);
  return {
    leaseId,
    attempt,
    node: getAddress(lease.node),
    claimedAt: Number(raised.claimedAt),
    answerUntil: Number(raised.answerUntil),
    block,
    attestation,
    attestationDigest: lease.attestationDigest,
    drawn: drawnChunks(raisedIn.hash, leaseId, attestation.ciphertextSize),
  };
}

async function readAttestation(
  client: PublicClient,
  deployment: Deployment,
  { leaseId, attestedIn }: DeliveryClaim,
  digest: Hex,
): Promise<OutputAttestation> {
  const block = BigInt(attestedIn);
  const logs = await client.getLogs({ address: deployment.taskRegistry, fromBlock: block, toBlock: block });
  const attested = parseEventLogs({
    abi: taskRegistryAbi,
    logs,
    eventName: ["LeaseCompleted", "ResultRevealed"],
  });
  const found = attested.find(
    ({ args }) => args.leaseId === leaseId && attestationDigest(args.attestation) === digest,
  );
  if (found === undefined)
    throw new DekuperError("NOT_FOUND", "The chain shows no attestation of the disputed lease.", {
      details: { leaseId, block: attestedIn },
    });
  return found.args.attestation;
}
