// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Lease, LeaseStatus, Order, OutputAttestation, Task, TaskParameters, Terms, Verification
} from "./Types.sol";

/// @title The life of a task
/// @notice `Open -> Assigned -> Running -> Completed -> Settled`, and the ways out. Every state has a deadline that
/// anyone may enforce. The actor acts while `t <= deadline`; anyone enforces when `t > deadline + outageGrace`.
interface ITaskRegistry {
    event TaskCreated(
        bytes32 indexed taskId, address indexed consumer, bytes32 indexed leaseId, Order order, uint256 nonce, uint256 reserved
    );
    event LeaseAssigned(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, uint32 attempt, uint64 startDeadline);
    event LeaseStarted(bytes32 indexed leaseId, address indexed node, uint32 attempt, uint64 startedAt);
    event CheckpointClaimed(bytes32 indexed leaseId, address indexed node, uint32 attempt, uint64 step, bytes32 digest);
    event LeaseStopping(bytes32 indexed leaseId, address indexed node, uint64 stoppedAt);
    event LeaseCompleted(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        OutputAttestation attestation,
        bytes signature,
        uint64 billedSeconds,
        uint64 challengeEndsAt
    );
    event LeaseSettled(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, uint64 billedSeconds, uint256 gross);
    event LeaseCancelled(bytes32 indexed leaseId, bytes32 indexed taskId, uint64 billedSeconds, uint256 gross);
    event LeaseFailed(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, bytes32 reason, uint64 billedSeconds, uint256 gross);
    event LeaseExpired(bytes32 indexed leaseId, bytes32 indexed taskId, LeaseStatus from, uint64 billedSeconds, uint256 gross);
    event EquivocationProven(bytes32 indexed leaseId, address indexed node, address indexed reporter, uint256 slashed);

    event ParametersChanged(TaskParameters parameters);

    error UnsupportedVerification(Verification verification);
    error SpecDigestMissing();
    error NothingOrdered(uint32 vCpus, uint64 memoryMiB, uint128 ratePerHour);
    error GpuModelWithoutGpus(string gpuModel);
    error TextTooLong(uint256 length, uint256 max);
    error DurationOutOfRange(uint32 duration, uint32 max);
    error StartWindowOutOfRange(uint32 startWindow, uint32 max);
    error OpenUntilOutOfRange(uint64 openUntil, uint64 earliest, uint64 latest);
    error WrongStatus(bytes32 leaseId, LeaseStatus status);
    error NotAdmitted(bytes32 taskId, address node, uint64 admittedAt);
    error NotOperator(bytes32 leaseId, address node, address caller);
    error OperatorIsRevoked(address node);
    error NotConsumer(bytes32 taskId, address consumer, address caller);
    error WrongAttempt(bytes32 leaseId, uint32 given, uint32 current);
    error DeadlinePassed(bytes32 leaseId, uint64 deadline, uint64 timestamp);
    error DeadlineNotPassed(bytes32 leaseId, uint64 enforceableAfter, uint64 timestamp);
    error StepNotRising(bytes32 leaseId, uint64 step, uint64 lastStep);
    error CheckpointTooSoon(bytes32 leaseId, uint64 allowedFrom, uint64 timestamp);
    error WrongTask(bytes32 leaseId, bytes32 given, bytes32 expected);
    error WrongSpecDigest(bytes32 leaseId, bytes32 given, bytes32 expected);
    error UnknownOutcome(uint8 outcome);
    error EndsBeforeStart(uint64 started, uint64 ended);
    error EndsInFuture(uint64 ended, uint64 latest);
    error RetentionTooShort(uint64 retainUntil, uint64 earliest);
    error WrongSigner(bytes32 leaseId, address recovered, address node);
    error DifferentLeases(bytes32 first, bytes32 second);
    error SameAttestation(bytes32 digest);
    error AlreadyProven(bytes32 leaseId);

    /// @notice Orders one task at a posted rate and reserves `ratePerHour x maxDuration`, rounded up, from the caller's free balance.
    function createTask(Order calldata order) external returns (bytes32 taskId);

    /// @notice Takes the task's lease. The caller is the node (its operator key), admitted by its ticket.
    function acceptTask(bytes32 taskId) external returns (bytes32 leaseId);

    /// @notice The main container runs: the billing clock starts. Operator only, while `t <= startDeadline`.
    function startLease(bytes32 leaseId, uint32 attempt) external;

    /// @notice A signed claim that the lease still runs. Operator only; `step` strictly rising, claims at least minCheckpointInterval apart.
    function checkpoint(bytes32 leaseId, uint32 attempt, uint64 step, bytes32 digest) external;

    /// @notice The one end-of-run claim, sent by anyone with the operator's EIP-712 signature.
    function completeLease(OutputAttestation calldata attestation, bytes calldata signature) external;

    /// @notice The operator gives the lease up: nothing before the start, else pay to the last checkpoint.
    function failLease(bytes32 leaseId, uint32 attempt, bytes32 reason) external;

    /// @notice Free while Open or Assigned; stops the clock while Running. Consumer only.
    function cancelTask(bytes32 taskId) external;

    /// @notice The consumer is content: settles at once.
    function approve(bytes32 leaseId) external;

    /// @notice Pays a completed lease once its window is over. Anyone.
    function settle(bytes32 leaseId) external;

    /// @notice Enforces whichever deadline has passed (never accepted, never started, never completed, never attested after a cancel). Anyone.
    function expire(bytes32 leaseId) external;

    /// @notice Slashes a node that signed two different attestations of one lease attempt. Anyone. All proofs of a lease
    /// together take its lock: what other leases hold when the first proof comes stays owed, without a deadline.
    function proveEquivocation(
        OutputAttestation calldata first,
        bytes calldata firstSignature,
        OutputAttestation calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice Sets the terms of later orders within their bounds. Authority only (AccessManager).
    function setParameters(TaskParameters calldata parameters) external;

    function getTask(bytes32 taskId) external view returns (Task memory);
    function getLease(bytes32 leaseId) external view returns (Lease memory);
    function leaseIdOf(bytes32 taskId, uint32 index) external pure returns (bytes32);
    function taskIdOf(address consumer, uint256 nonce, bytes32 orderHash) external view returns (bytes32);
    /// @notice The nonce that the consumer's next task will carry.
    function nonces(address consumer) external view returns (uint256);
    /// @notice Whether the node's ticket is admitted at `timestamp`.
    function isAdmitted(bytes32 taskId, address node, uint64 timestamp) external view returns (bool);
    /// @notice When the node's ticket is admitted (timestamp), type(uint64).max if never.
    function admittedAt(bytes32 taskId, address node) external view returns (uint64);
    function terms() external view returns (Terms memory);
    function attestationHash(OutputAttestation calldata attestation) external view returns (bytes32 typedDataHash);
    function domainSeparator() external view returns (bytes32);
    /// @notice The block that deployed this registry: its hash names the chain's history for off-chain state.
    function deploymentBlock() external view returns (uint256);
    function parameters() external view returns (TaskParameters memory);
    function parameterBounds() external view returns (TaskParameters memory min, TaskParameters memory max);
    function nodeRegistry() external view returns (address);
    function paymentEscrow() external view returns (address);
}
