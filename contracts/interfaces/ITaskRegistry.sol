// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Ballot,
    DeliveryClaim,
    Gang,
    KeyWrap,
    Lease,
    LeaseStatus,
    Order,
    OutputAttestation,
    PastAttempt,
    Quote,
    Task,
    TaskParameters,
    Terms,
    Verification
} from "./Types.sol";

/// @title The life of a task
/// @notice `Open -> Assigned -> Running -> Completed -> Settled`, and the ways out. A task has 1 to 64 leases with states of
/// their own. Every state has a deadline that anyone may enforce: the actor acts while `t <= deadline`; anyone enforces when
/// `t > deadline + outageGrace`. A lost lease is given to another node with the same reservation, as often as its order says.
interface ITaskRegistry {
    event TaskCreated(bytes32 indexed taskId, address indexed consumer, Order order, uint256 nonce);
    event TaskToppedUp(bytes32 indexed taskId, uint32 fundedSeconds, uint256 amount);
    event KeyGranted(bytes32 indexed taskId, address indexed node, uint32 keyVersion, bytes wrap);
    event LeaseAssigned(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        uint32 attempt,
        uint128 ratePerHour,
        uint64 deadline,
        bool hasKey
    );
    event StartWindowOpened(bytes32 indexed leaseId, address indexed node, uint32 attempt, uint64 deadline);
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
        uint64 downSeconds,
        uint64 challengeEndsAt
    );
    event LeaseSettled(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, uint64 billedSeconds, uint256 gross);
    /// @notice A replica of a quorum commits to its result: `keccak256(abi.encode(chainid, registry, leaseId, attempt, node,
    /// outputDigest, attestationStructHash, salt))`. Operator only, in place of `completeLease`; its clock ends here.
    function commitResult(bytes32 leaseId, uint32 attempt, bytes32 commitment) external;

    /// @notice Opens a commitment, sent by anyone with the operator's signature, once no replica is running any more.
    function revealResult(OutputAttestation calldata attestation, bytes calldata signature, bytes32 salt) external;

    /// @notice Counts the vote, once all have revealed or their time is over. Anyone. k alike are completed, others unpaid;
    /// without k alike each that revealed gets noQuorumBps of its pay; who did not reveal is slashed (rules 3 and 21).
    function tallyResults(bytes32 taskId) external;

    /// @notice "I cannot fetch this result": freezes a completed lease, with a bond. Consumer only, inside the window.
    function claimUndelivered(bytes32 leaseId) external;

    /// @notice Answers a delivery claim with the consumer's EIP-712 `Receipt(bytes32 leaseId,uint32 attempt,bytes32 attestationDigest)`.
    function answerWithReceipt(bytes32 leaseId, bytes calldata signature) external;

    /// @notice Answers a delivery claim with what more than two thirds of the attesters found, each signing
    /// `DeliveryVerdict(bytes32 leaseId,uint32 attempt,bytes32 attestationDigest,uint64 claimedAt,bool fetched)`. Anyone.
    function answerWithAttesters(bytes32 leaseId, bool fetched, bytes[] calldata signatures) external;

    /// @notice Ends a delivery claim without a verdict, as if it had never been raised. Anyone, after its deadline.
    function lapseClaim(bytes32 leaseId) external;

    /// @notice The operator gives the attempt up; what becomes of the lease is the next event.
    event LeaseFailed(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, uint32 attempt, bytes32 reason);
    /// @notice The lease ended without an accepted claim: `to` is Cancelled, Failed or Expired.
    event LeaseEnded(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        LeaseStatus from,
        LeaseStatus to,
        uint64 billedSeconds,
        uint256 gross
    );
    event AttemptLost(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        uint32 attempt,
        uint64 billedSeconds,
        uint256 gross
    );
    /// @notice Another node may take the lease over until `deadline`, from the last checkpoint, for at most `maxSeconds`.
    event LeaseReopened(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        uint32 attempt,
        uint32 maxSeconds,
        uint64 deadline,
        uint64 step,
        bytes32 checkpointDigest
    );
    event GangStarted(bytes32 indexed taskId, uint64 startedAt);
    event GangStopped(bytes32 indexed taskId, bytes32 indexed lostLease, uint64 stoppedAt, uint64 replaceUntil);
    event WaitingPaid(bytes32 indexed lateLease, bytes32 indexed waitingLease, uint256 amount);
    event PeerLossRecorded(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node);
    event ResultCommitted(
        bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, uint32 attempt, bytes32 commitment
    );
    /// @notice No replica is running any more: those that committed reveal until `revealUntil`.
    event RevealOpened(bytes32 indexed taskId, uint8 committed, uint64 revealUntil);
    event ResultRevealed(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        OutputAttestation attestation,
        bytes signature,
        uint8 alike
    );
    event ResultsTallied(bytes32 indexed taskId, bytes32 winner, uint8 committed, uint8 revealed);
    event ReplicaAgreed(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        uint64 billedSeconds,
        uint64 downSeconds,
        uint64 challengeEndsAt
    );
    event NotRevealed(bytes32 indexed leaseId, bytes32 indexed taskId, address indexed node, uint256 slashed);
    event UndeliveredClaimed(
        bytes32 indexed leaseId,
        bytes32 indexed taskId,
        address indexed node,
        uint32 attempt,
        bytes32 attestationDigest,
        uint256 bond,
        uint64 answerUntil
    );
    event DeliveryJudged(bytes32 indexed leaseId, address indexed node, bool delivered);
    event ClaimLapsed(bytes32 indexed leaseId, address indexed node);
    event QuoteCancelled(address indexed node, uint256 nonce);
    event QuotesCancelled(address indexed node, uint256 below);
    event EquivocationProven(
        bytes32 indexed leaseId, address indexed node, uint32 attempt, address indexed reporter, uint256 slashed
    );
    event ParametersChanged(TaskParameters parameters);

    error UnsupportedVerification(Verification verification);
    error ThresholdWithoutQuorum(uint8 threshold);
    error ThresholdOutOfRange(uint8 threshold, uint8 leases);
    error CommitFirst(bytes32 leaseId);
    error CommitmentMissing(bytes32 leaseId);
    error WrongCommitment(bytes32 leaseId, bytes32 given, bytes32 committed);
    error StillCommitting(bytes32 taskId, uint8 pending);
    error WrongReceipt(bytes32 leaseId, address consumer);
    error NoQuorumOfAttesters(bytes32 leaseId, uint256 signatures);
    error LeasesOutOfRange(uint8 leases, uint8 max);
    error AttemptsOutOfRange(uint8 attempts, uint8 max);
    error SpecDigestMissing();
    error NothingOrdered(uint32 vCpus, uint64 memoryMiB, uint128 ratePerHour);
    error GpuModelWithoutGpus(string gpuModel);
    error TextTooLong(uint256 length, uint256 max);
    error DurationOutOfRange(uint32 duration, uint32 max);
    error FundedOutOfRange(uint256 funded, uint32 max);
    error FundedAlready(bytes32 taskId, uint32 fundedSeconds);
    error StartWindowOutOfRange(uint32 startWindow, uint32 max);
    error OpenUntilOutOfRange(uint64 openUntil, uint64 earliest, uint64 latest);
    error OpenPathTakesOne(uint8 leases);
    error QuotesMismatch(uint8 leases, uint256 quotes, uint256 signatures);
    error WrongMember(uint32 given, uint256 expected);
    error QuoteForAnother(uint256 index, address consumer, address caller);
    error WrongOrder(uint256 index, bytes32 given, bytes32 expected);
    error WrongVerification(uint256 index, Verification given, Verification expected);
    error RateAboveCap(uint256 index, uint128 rate, uint128 cap);
    error QuoteExpired(uint256 index, uint64 expiry, uint64 timestamp);
    error QuoteTooLong(uint256 index, uint64 expiry, uint64 latest);
    error QuoteVoid(address node, uint256 nonce);
    error WrongQuoteSigner(uint256 index, address recovered, address node);
    error NoKeyNeeded(bytes32 taskId);
    error KeyMissing(bytes32 leaseId, address node);
    error WrongKeyVersion(address node, uint32 given, uint32 current);
    error WrapLength(uint256 length, uint256 max);
    error TooManyWraps(uint256 count, uint256 max);
    error TaskIsOver(bytes32 taskId);
    error OwnerExcluded(bytes32 leaseId, address owner);
    error NodeNotLost(bytes32 leaseId, address node, uint64 offlineSince, uint256 lostAfter);
    error WrongStatus(bytes32 leaseId, LeaseStatus status);
    error NotAdmitted(bytes32 taskId, address node, uint64 admittedAt);
    error NotOperator(bytes32 leaseId, address node, address caller);
    error OperatorIsRevoked(address node);
    error NotConsumer(bytes32 taskId, address consumer, address caller);
    error WrongAttempt(bytes32 leaseId, uint32 given, uint32 current);
    error DeadlinePassed(bytes32 leaseId, uint64 deadline, uint64 timestamp);
    error DeadlineNotPassed(bytes32 leaseId, uint256 enforceableAfter, uint64 timestamp);
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

    /// @notice Orders one lease at a posted rate and reserves `ratePerHour x fundedSeconds`, rounded up, from the caller's
    /// free balance (rule 9).
    function createTask(Order calldata order) external returns (bytes32 taskId);

    /// @notice Orders and assigns 1 to 64 leases at once, or none (rules 8, 11): one quote for each lease, in order.
    ///
    /// Requirements:
    /// - each quote is signed by its node, for the caller, this order, this member and verification, not expired, for no
    ///   longer than maxQuoteLife, unused, and asks no more than the order's rate and start window;
    /// - each node is Active, its capacity, stake and floor allow it now;
    /// - a private order carries a key wrap for every awarded node; others may be named as standby.
    function createAndAward(
        Order calldata order,
        Quote[] calldata quotes,
        bytes[] calldata signatures,
        KeyWrap[] calldata wraps
    ) external returns (bytes32 taskId);

    /// @notice Hands nodes the task's key, each wrapped for its current encryption key; the start window of an assigned node
    /// opens with it. Consumer only, within grantWindow of the assignment.
    function grantKeys(bytes32 taskId, KeyWrap[] calldata wraps) external;

    /// @notice Reserves what is missing until every lease that is not over is funded for `fundedSeconds`, at most the order's
    /// maxDuration. The seconds are in all, not more, so that a call that is sent twice reserves once. Consumer only.
    function topUp(bytes32 taskId, uint32 fundedSeconds) external returns (uint256 amount);

    /// @notice Takes an open order's lease. The caller is the node (its operator key), admitted by its ticket.
    function acceptTask(bytes32 taskId) external returns (bytes32 leaseId);

    /// @notice Takes a lease that another node has lost, at its rate, from its last checkpoint. Nodes that hold the key may at
    /// once, others as their ticket is admitted; the owners that lost it never (rule 17).
    function takeOver(bytes32 leaseId) external;

    /// @notice Voids one of the caller's quotes.
    function cancelQuote(uint256 nonce) external;

    /// @notice Voids all of the caller's quotes with a nonce below `below`.
    function cancelQuotes(uint256 below) external;

    /// @notice The main container runs: the billing clock starts, a gang's with its last member. Operator only, while
    /// `t <= deadline`, with the key.
    function startLease(bytes32 leaseId, uint32 attempt) external;

    /// @notice A signed claim that the lease still runs. Operator only; `step` strictly rising, claims at least minCheckpointInterval apart.
    function checkpoint(bytes32 leaseId, uint32 attempt, uint64 step, bytes32 digest) external;

    /// @notice The one end-of-run claim, sent by anyone with the operator's EIP-712 signature.
    function completeLease(OutputAttestation calldata attestation, bytes calldata signature) external;

    /// @notice The operator gives the attempt up: nothing before the start, else pay to the last checkpoint. In a gang that has
    /// not started it pays for the others' waiting.
    function failLease(bytes32 leaseId, uint32 attempt, bytes32 reason) external;

    /// @notice Gives a lease to another node whose own is revoked, or has been offline for longer than the order allows. Anyone.
    function failover(bytes32 leaseId) external;

    /// @notice Free while Open or Assigned; stops the clock while Running. All leases of a gang at once. Consumer only.
    function cancelTask(bytes32 taskId) external;

    /// @notice The consumer is content: settles at once.
    function approve(bytes32 leaseId) external;

    /// @notice Pays a completed lease once its window is over. Anyone.
    function settle(bytes32 leaseId) external;

    /// @notice Enforces whichever deadline has passed (never accepted, never started, never completed, never attested after a cancel). Anyone.
    function expire(bytes32 leaseId) external;

    /// @notice Slashes a node that signed two different attestations of one lease attempt, lost attempts included. Anyone. All
    /// proofs of an attempt together take its lock: what other leases hold when the first proof comes stays owed, without a deadline.
    function proveEquivocation(
        OutputAttestation calldata first,
        bytes calldata firstSignature,
        OutputAttestation calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice Sets the terms of later orders within their bounds. Authority only (AccessManager).
    function setParameters(TaskParameters calldata parameters) external;

    function getTask(bytes32 taskId) external view returns (Task memory);
    /// @notice What the task's order keeps from the day it was created.
    function termsOf(bytes32 taskId) external view returns (Terms memory);
    function getLease(bytes32 leaseId) external view returns (Lease memory);
    function getGang(bytes32 taskId) external view returns (Gang memory);
    /// @notice A lost attempt; the current one is the lease itself.
    function getPastAttempt(bytes32 leaseId, uint32 attempt) external view returns (PastAttempt memory);
    function getBallot(bytes32 taskId) external view returns (Ballot memory);
    function getClaim(bytes32 leaseId) external view returns (DeliveryClaim memory);
    /// @notice Until when the actor of the lease's state may act (timestamp), type(uint64).max while a gang waits for others.
    function deadlineOf(bytes32 leaseId) external view returns (uint64);
    /// @notice The version of the node's encryption key for which it was handed the task's key, 0: it was not.
    function keyVersionGranted(bytes32 taskId, address node) external view returns (uint32);
    /// @notice Whether a quote with this nonce has been used or cancelled.
    function isQuoteVoid(address node, uint256 nonce) external view returns (bool);
    function leaseIdOf(bytes32 taskId, uint32 index) external pure returns (bytes32);
    function taskIdOf(address consumer, uint256 nonce, bytes32 orderHash) external view returns (bytes32);
    /// @notice The nonce that the consumer's next task will carry.
    function nonces(address consumer) external view returns (uint256);
    /// @notice When the node's ticket is admitted to an open order (timestamp), type(uint64).max if never.
    function admittedAt(bytes32 taskId, address node) external view returns (uint64);
    /// @notice When the node may take a reopened lease over (timestamp), type(uint64).max if never.
    function takeOverFrom(bytes32 leaseId, address node) external view returns (uint64);
    function terms() external view returns (Terms memory);
    function attestationHash(OutputAttestation calldata attestation) external view returns (bytes32 typedDataHash);
    /// @notice What attesters sign of the lease's present delivery claim.
    function verdictHash(bytes32 leaseId, bool fetched) external view returns (bytes32 typedDataHash);
    function quoteHash(Quote calldata quote) external view returns (bytes32 typedDataHash);
    function domainSeparator() external view returns (bytes32);
    /// @notice The block that deployed this registry: its hash names the chain's history for off-chain state.
    function deploymentBlock() external view returns (uint256);
    function parameters() external view returns (TaskParameters memory);
    function parameterBounds() external view returns (TaskParameters memory min, TaskParameters memory max);
    function nodeRegistry() external view returns (address);
    function paymentEscrow() external view returns (address);
    function liveness() external view returns (address);
}
