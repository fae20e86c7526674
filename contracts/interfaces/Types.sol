// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Where a node stands. `Retired` is final: an operator address is registered at most once, ever.
enum NodeStatus {
    None,
    Active,
    Draining,
    Retired
}

/// @dev What keeps a pod apart from the host, as the node's `doctor` has probed it; a higher value is a stronger wall.
enum Isolation {
    Container,
    UserNamespace,
    Sandbox,
    Tee
}

/// @dev Posted or floor rates, in payment-token base units per hour of one unit.
struct Rates {
    uint128 perGpuHour;
    uint128 perVCpuHour;
}

/// @dev What a node declares of itself. Everything here is *declared* until a task's own probe has seen it.
struct Profile {
    bytes32 encryptionKey; // X25519 public key
    uint32 gpus;
    string gpuModel; // NVIDIA's product label, empty without GPUs
    uint32 gpuMemoryMiB; // of one GPU
    uint32 vCpus;
    uint64 memoryMiB;
    uint64 storageMiB;
    Isolation isolation;
    string region;
    Rates posted;
    string[] multiaddrs;
}

/// @dev A share of a node: what one lease holds of it.
struct Capacity {
    uint32 gpus;
    uint32 vCpus;
    uint64 memoryMiB;
}

/// @dev What TaskRegistry asks of a node before it may take a lease.
struct LeaseRequest {
    Capacity capacity;
    uint64 storageMiB;
    Isolation isolation;
    bytes32 gpuModelHash; // keccak256 of the model asked for, or of the empty string
    uint128 ratePerHour; // base units, whole lease
    uint128 lock; // base units
}

/// @dev How much a result must prove. Only `Signed` is built; the others revert as unsupported.
enum Verification {
    Signed,
    Quorum,
    Checkpointed,
    Attested
}

/// @dev What a consumer asks for. `orderHash = keccak256(abi.encode(order))` covers every field.
struct Order {
    bytes32 specDigest; // sha256(salt || canonical spec)
    uint32 gpus;
    string gpuModel; // empty: any
    uint32 vCpus;
    uint64 memoryMiB;
    uint64 storageMiB;
    Isolation isolation; // the least that will do
    uint32 maxDuration; // seconds
    uint128 ratePerHour; // payment-token base units for the whole lease
    uint32 startWindow; // seconds from accept to start
    uint64 openUntil; // timestamp: nobody may accept after it
    Verification verification;
}

/// @dev Where a lease stands. `Stopping` is a running lease whose consumer has cancelled and whose last claim is awaited.
enum LeaseStatus {
    None,
    Open,
    Assigned,
    Running,
    Stopping,
    Completed,
    Settled,
    Cancelled,
    Failed,
    Expired
}

/// @dev How a run ended, as the operator attests. No outcome moves money by itself (rule 16).
enum Outcome {
    Success,
    NonZeroExit,
    OutOfMemory,
    TimeLimit,
    OutputTooLarge,
    Cancelled
}

/// @dev The operator's end-of-run claim, signed as EIP-712 in the TaskRegistry's domain. Digests are salted sha-256.
struct OutputAttestation {
    bytes32 taskId;
    bytes32 leaseId;
    uint32 attempt;
    bytes32 specDigest;
    bytes32 outputDigest;
    bytes32 logDigest;
    bytes32 ciphertextRoot; // Merkle root over 1 MiB chunks of the delivered ciphertext
    uint64 ciphertextSize; // bytes
    bytes32 imageDigest; // as the runtime resolved it
    uint8 outcome; // Outcome
    int32 exitCode;
    uint64 started; // Unix seconds, operator's clock
    uint64 ended;
    uint64 cpuSeconds;
    uint64 gpuSeconds;
    uint64 retainUntil; // Unix seconds: the node serves the ciphertext until then
}

/// @dev What an order keeps from the day it was created: governance cannot change a live task (rule 10).
struct Terms {
    uint32 challengeWindow; // seconds
    uint32 completionGrace; // seconds
    uint32 outageGrace; // seconds
    uint32 drift; // seconds
    uint32 minBilled; // seconds
    uint32 minCheckpointInterval; // seconds
    uint32 minRetention; // seconds after the challenge window for which the node must serve the result
    uint16 feeBps; // of the gross pay
    uint16 lockBps; // of the reservation, locked of the node's stake
    uint128 minLock; // base units
    uint32 ticketAge; // seconds for which a node must have been active before the order's creation
    uint32 widenTime; // seconds until every ticket is admitted, 0: all at once
    uint16 firstShareBps; // share of the tickets admitted at creation
}

/// @dev One task on chain.
struct Task {
    address consumer;
    uint64 createdAt;
    uint32 maxDuration;
    uint64 openUntil;
    uint32 startWindow;
    uint128 ratePerHour;
    Isolation isolation;
    Verification verification;
    uint8 leaseCount;
    Capacity capacity;
    uint64 storageMiB;
    bytes32 orderHash;
    bytes32 specDigest;
    bytes32 seed; // of the admission tickets
    bytes32 gpuModelHash; // keccak256 of the order's gpuModel
    Terms terms;
}

/// @dev One provider's share of one task.
struct Lease {
    bytes32 taskId;
    uint32 index;
    uint32 attempt; // counts up from 1 at accept
    LeaseStatus status;
    address node;
    uint64 acceptedAt;
    uint64 startDeadline;
    uint64 startedAt; // block time of startLease
    uint64 lastClaimAt; // block time of the last accepted signed claim
    uint64 lastStep; // of the last checkpoint, strictly rising
    bytes32 checkpointDigest;
    uint64 stoppedAt; // block time of the consumer's cancel while running
    uint64 endedAt; // block time of the end, however it ended
    uint64 challengeEndsAt;
    uint64 billedSeconds; // fixed when the run's claim is accepted, or at the end
    uint128 reserved; // base units that escrow held for it from creation to its end
    uint128 lock; // base units of the node's stake that it holds until Settled; less what was slashed of it
    bytes32 attestationDigest; // EIP-712 struct hash of the accepted attestation
    bytes32 outputDigest;
}

/// @dev What governance may set in NodeRegistry, within bounds fixed at deployment.
struct NodeParameters {
    uint128 minStake; // base units that every accepting node holds
    uint128 stakePerGpu; // base units per declared GPU
}

/// @dev What governance may set in TaskRegistry, within bounds fixed at deployment. Only later orders see a change.
struct TaskParameters {
    Terms terms;
    uint32 maxStartWindow; // seconds
    uint32 maxDuration; // seconds
    uint32 maxOpenTime; // seconds that an order may stay open
}
