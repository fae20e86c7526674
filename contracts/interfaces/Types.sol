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
    bytes32 gpuModelHash; // keccak256 of the model asked for, 0: any
    uint128 ratePerHour; // base units, whole lease
    uint128 lock; // base units
}

/// @dev How much a result must prove. `Signed` and `Quorum` are built; the others revert as unsupported.
enum Verification {
    Signed,
    Quorum,
    Checkpointed,
    Attested
}

/// @dev What a consumer asks for: `leases` equal shares. `orderHash = keccak256(abi.encode(order))` covers every field.
struct Order {
    bytes32 specDigest; // sha256(salt || canonical spec)
    uint8 leases; // 1 to 64: members of a gang, or replicas of a quorum
    uint8 threshold; // k of a Quorum, else 0
    uint8 maxAttempts; // 1 to 3 of each lease; 1: no failover
    bool isPrivate; // spec and inputs are encrypted: a node needs a key wrap before it can start
    uint32 gpus; // of one lease, as are all resources
    string gpuModel; // empty: any
    uint32 vCpus;
    uint64 memoryMiB;
    uint64 storageMiB;
    Isolation isolation; // the least that will do
    uint32 maxDuration; // seconds
    uint32 fundedSeconds; // reserved for at creation, at most maxDuration; top-ups reserve more
    uint128 ratePerHour; // base units of one lease: what is paid on the open path, the most a quote may ask on the quoted
    uint32 startWindow; // seconds from the assignment, or from the key, to the start
    uint32 failoverAfter; // seconds offline after which another node may have the lease
    uint64 openUntil; // timestamp: nobody may accept after it
    Verification verification;
}

/// @dev A node's offer for one lease of one order, signed as EIP-712 in the TaskRegistry's domain.
struct Quote {
    address node;
    address consumer; // the only one who may use it
    bytes32 orderHash;
    uint32 memberIndex; // the lease's index
    uint128 ratePerHour; // base units, whole lease
    uint32 startWindow; // seconds that the node takes to start
    uint64 expiry; // timestamp
    uint256 nonce; // unordered, used once
    Verification verification; // the order's: so that a node opts in to more than Signed
}

/// @dev The task's data key, encrypted to a node's encryption key.
struct KeyWrap {
    address node;
    uint32 keyVersion; // the node's encryption key that it is for
    bytes wrap;
}

/// @dev Where a lease stands. `Stopping` is a lease whose run was ended early and whose last claim is awaited; `Committed` and
/// `Revealed` are a replica's of a quorum; `Disputed` waits for the answer to a delivery claim.
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
    Expired,
    Committed,
    Revealed,
    Disputed
}

/// @dev How a run ended, as the operator attests. No outcome moves money by itself (rule 16).
enum Outcome {
    Success,
    NonZeroExit,
    OutOfMemory,
    TimeLimit,
    OutputTooLarge,
    Cancelled,
    PeerLost
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
    uint32 grantWindow; // seconds that a consumer has to hand a node the key
    uint32 replaceWindow; // seconds that a gang waits for a replacement
    uint32 gangFaultWindow; // seconds around a gang's stop in which an exit is recorded as PeerLost
    uint32 minRun; // seconds: a lost lease with less left is not given to another node
    uint16 standbyBps; // of the rate: what waiting for another member of a gang earns, out of that member's lock
    uint32 revealWindow; // seconds that the replicas of a quorum have to reveal
    uint16 noQuorumBps; // of its pay: what each that revealed gets where no k are alike
    uint32 answerWindow; // seconds that a node has to answer a delivery claim
    uint128 claimBond; // base units that a delivery claim puts at risk
}

/// @dev One task on chain. The order itself is in the event only; `taskId` commits to it.
struct Task {
    address consumer;
    uint64 createdAt;
    uint32 termsVersion; // of the terms that the order keeps
    uint32 maxDuration;
    uint32 fundedSeconds; // reserved for so far
    uint32 startWindow;
    uint32 failoverAfter;
    uint128 ratePerHour; // of one lease: paid on the open path, the cap on the quoted
    Capacity capacity; // of one lease
    uint64 storageMiB;
    Isolation isolation;
    Verification verification;
    uint8 leaseCount;
    uint8 threshold;
    uint8 maxAttempts;
    bool isPrivate;
    uint64 openUntil;
    bytes32 specDigest;
    bytes32 seed; // of the admission tickets, 0 on the quoted path
    bytes32 gpuModelHash; // keccak256 of the order's gpuModel, 0: any
}

/// @dev One provider's share of one task, in its current attempt.
struct Lease {
    bytes32 taskId;
    address node;
    uint32 attempt; // counts up from 1 at each assignment
    uint32 maxSeconds; // that this attempt may bill
    uint8 index;
    LeaseStatus status;
    bool hasKey; // the node holds the data key, or needs none
    bool isProven; // this attempt's equivocation has been proven
    uint64 acceptedAt; // block time of the assignment; while Open again, of the loss
    uint64 deadline; // of the current state; while Running it is computed, see `deadlineOf`
    uint64 startedAt; // block time of startLease
    uint64 lastClaimAt; // block time of the last accepted signed claim
    uint128 ratePerHour; // base units
    uint128 reserved; // base units that escrow holds for it
    uint128 lock; // base units of the node's stake that it holds until Settled; less what was slashed of it
    uint64 stoppedAt; // block time at which its run was ended early, by the consumer or with its gang
    uint64 endedAt; // block time of the end, however it ended
    uint64 billedSeconds; // of this attempt: fixed when the run's claim is accepted, or at the end; less the downtime
    uint64 downSeconds; // of this attempt, taken off the run's seconds
    uint64 offlineAtStart; // the node's cumulative offline seconds at the start
    uint64 offlineAtClaim; // and at the last accepted claim
    uint64 lastStep; // of the last checkpoint, strictly rising over all attempts
    bytes32 checkpointDigest;
    bytes32 attestationDigest; // EIP-712 struct hash of the accepted attestation
}

/// @dev What stays of an attempt that was lost and given to another node.
struct PastAttempt {
    address node;
    uint64 endedAt;
    bool isLocked; // its lock is still held, to pay its gang's standby
    bool isProven;
    uint128 lock;
}

/// @dev The common clock of a gang. It runs while every member is Running, once before and once after a replacement.
struct Gang {
    uint64 firstFrom;
    uint64 firstTo;
    uint64 secondFrom;
    uint64 secondTo;
    uint64 replaceUntil; // timestamp until which the survivors wait for a replacement, 0: none is looked for
    uint64 stoppedAt; // since when they wait
    uint8 live; // members whose run has not ended
    uint8 running; // of them, those that are Running
    bool isOver; // it will not run again
    bool isCancelled; // by the consumer
    uint32 lostAttempt;
    bytes32 lostLease; // whose lost attempt's lock pays the standby
}

/// @dev The vote of a quorum's replicas.
struct Ballot {
    uint8 pending; // replicas that have neither committed nor been lost
    uint8 committed;
    uint8 revealed;
    bool isTallied;
    uint64 revealUntil; // timestamp, 0 while any replica is pending
    bytes32 winner; // what k or more revealed alike, 0: nothing yet
}

/// @dev A consumer's claim that it cannot fetch a result.
struct DeliveryClaim {
    uint64 claimedAt;
    uint64 answerUntil; // timestamp
    uint128 bond; // base units
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
    uint32 maxQuoteLife; // seconds from the award to a quote's expiry, at most
}

/// @dev One payment of one attempt, as TaskRegistry orders it from the escrow.
struct Payment {
    bytes32 taskId;
    bytes32 leaseId;
    uint32 attempt;
    address owner; // who earns
    uint64 ranSeconds;
    uint64 downSeconds;
    uint128 ratePerHour;
    uint256 reserved; // base units: the lease's part of the task's reservation, and so the most that it is paid
    bool isFinal; // frees what is left of that part; else the part stays reserved for the next attempt
    uint16 feeBps;
}
