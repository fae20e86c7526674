import { type Address, type Hex, hashStruct } from "viem";

/** EIP-712 domain of the TaskRegistry: attestations, read tokens and output keys are signed in it. */
export function taskDomain(chainId: number, taskRegistry: Address) {
  return { name: "Dekuper TaskRegistry", version: "1", chainId, verifyingContract: taskRegistry } as const;
}

/** EIP-712 domain of the NodeRegistry: registrations are signed in it. */
export function nodeDomain(chainId: number, nodeRegistry: Address) {
  return { name: "Dekuper NodeRegistry", version: "1", chainId, verifyingContract: nodeRegistry } as const;
}

export const registerTypes = {
  Register: [
    { name: "owner", type: "address" },
    { name: "operator", type: "address" },
    { name: "encryptionKey", type: "bytes32" },
    { name: "profileDigest", type: "bytes32" },
    { name: "deadline", type: "uint256" },
  ],
} as const;

export const outputAttestationTypes = {
  OutputAttestation: [
    { name: "taskId", type: "bytes32" },
    { name: "leaseId", type: "bytes32" },
    { name: "attempt", type: "uint32" },
    { name: "specDigest", type: "bytes32" },
    { name: "outputDigest", type: "bytes32" },
    { name: "logDigest", type: "bytes32" },
    { name: "ciphertextRoot", type: "bytes32" },
    { name: "ciphertextSize", type: "uint64" },
    { name: "imageDigest", type: "bytes32" },
    { name: "outcome", type: "uint8" },
    { name: "exitCode", type: "int32" },
    { name: "started", type: "uint64" },
    { name: "ended", type: "uint64" },
    { name: "cpuSeconds", type: "uint64" },
    { name: "gpuSeconds", type: "uint64" },
    { name: "retainUntil", type: "uint64" },
  ],
} as const;

/** A read token: the consumer lets the bearer read one scope of one lease attempt until `expiry`. */
export const readTypes = {
  Read: [
    { name: "chainId", type: "uint256" },
    { name: "registry", type: "address" },
    { name: "leaseId", type: "bytes32" },
    { name: "attempt", type: "uint32" },
    { name: "scope", type: "string" },
    { name: "expiry", type: "uint64" },
    { name: "nonce", type: "bytes32" },
  ],
} as const;

/** The consumer has the ciphertext of a lease attempt, whole and as attested. */
export const receiptTypes = {
  Receipt: [
    { name: "leaseId", type: "bytes32" },
    { name: "attempt", type: "uint32" },
    { name: "attestationDigest", type: "bytes32" },
  ],
} as const;

/** What an attester found of a delivery claim: it fetched the chunks that the claim's block draws, or could not. */
export const deliveryVerdictTypes = {
  DeliveryVerdict: [
    { name: "leaseId", type: "bytes32" },
    { name: "attempt", type: "uint32" },
    { name: "attestationDigest", type: "bytes32" },
    { name: "claimedAt", type: "uint64" },
    { name: "fetched", type: "bool" },
  ],
} as const;

/** What the wallet signs so that the client can derive the age key of its outputs. */
export const outputKeyTypes = {
  OutputKey: [
    { name: "consumer", type: "address" },
    { name: "version", type: "uint32" },
  ],
} as const;

/** The operator's end-of-run claim. Times in Unix seconds, sizes in bytes. */
export interface OutputAttestation {
  readonly taskId: Hex;
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly specDigest: Hex;
  readonly outputDigest: Hex;
  readonly logDigest: Hex;
  readonly ciphertextRoot: Hex;
  readonly ciphertextSize: bigint;
  readonly imageDigest: Hex;
  readonly outcome: number;
  readonly exitCode: number;
  readonly started: bigint;
  readonly ended: bigint;
  readonly cpuSeconds: bigint;
  readonly gpuSeconds: bigint;
  readonly retainUntil: bigint;
}

/** EIP-712 struct hash: the `attestationDigest` that the contract keeps of an accepted attestation. */
export function attestationDigest(attestation: OutputAttestation): Hex {
  return hashStruct({
    data: { ...attestation },
    primaryType: "OutputAttestation",
    types: outputAttestationTypes,
  });
}

/** The contract's `Outcome`, by number. */
export const outcomes = [
  "Success",
  "NonZeroExit",
  "OutOfMemory",
  "TimeLimit",
  "OutputTooLarge",
  "Cancelled",
  "PeerLost",
] as const;
export type Outcome = (typeof outcomes)[number];

/** The contract's `LeaseStatus`, by number. */
export const leaseStatuses = [
  "None",
  "Open",
  "Assigned",
  "Running",
  "Stopping",
  "Completed",
  "Settled",
  "Cancelled",
  "Failed",
  "Expired",
  "Committed",
  "Revealed",
  "Disputed",
] as const;
export type LeaseStatus = (typeof leaseStatuses)[number];

/** The contract's `NodeStatus`, by number. */
export const nodeStatuses = ["None", "Active", "Draining", "Retired"] as const;
export type NodeStatus = (typeof nodeStatuses)[number];
