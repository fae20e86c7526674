import { type Address, encodeAbiParameters, type Hex, keccak256 } from "viem";
import type { Order } from "./order.ts";
import { attestationDigest, type OutputAttestation } from "./typed-data.ts";

/** Index into `verificationLevels`. */
export const QUORUM = 1;

/** Whether the leases of an order are replicas that must agree, rather than members of a gang. */
export function isQuorum({ verification }: Pick<Order, "verification">): boolean {
  return verification === QUORUM;
}

/**
 * What a replica commits to before any result is open (rule 21). It binds chain, registry, lease, attempt, node, output and
 * attestation: nobody can open another's. `salt` is 32 random bytes that only the node knows until it reveals.
 */
export function resultCommitment(from: {
  readonly chainId: number;
  readonly registry: Address;
  readonly node: Address;
  readonly attestation: OutputAttestation;
  readonly salt: Hex;
}): Hex {
  const { chainId, registry, node, attestation, salt } = from;
  const { leaseId, attempt, outputDigest } = attestation;
  return keccak256(
    encodeAbiParameters(
      [
        { type: "uint256" },
        { type: "address" },
        { type: "bytes32" },
        { type: "uint32" },
        { type: "address" },
        { type: "bytes32" },
        { type: "bytes32" },
        { type: "bytes32" },
      ],
      [BigInt(chainId), registry, leaseId, attempt, node, outputDigest, attestationDigest(attestation), salt],
    ),
  );
}
