// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {LapsingPause} from "./governance/LapsingPause.sol";
import {ParameterBounds} from "./governance/ParameterBounds.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "./interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "./interfaces/ITaskRegistry.sol";
import {
    Capacity,
    Lease,
    LeaseRequest,
    LeaseStatus,
    NodeStatus,
    Order,
    OutputAttestation,
    Task,
    TaskParameters,
    Terms
} from "./interfaces/Types.sol";
import {Admission} from "./libraries/Admission.sol";
import {Attestations} from "./libraries/Attestations.sol";
import {Billing} from "./libraries/Billing.sol";
import {Deadlines} from "./libraries/Deadlines.sol";
import {Orders} from "./libraries/Orders.sol";

/// @title The life of a task
/// @notice Invariants, each a test of the same name in `contracts/test/Money.t.sol`:
/// - BilledNeverAboveRun: no lease is billed for seconds in which it was not running, nor above its maximum.
/// - EveryLeaseHasAWayOut: from every state some call by anyone, after some deadline, ends the lease and frees its funds.
/// - StatusOnlyMovesForward: no lease ever returns to a state that it has left.
/// - CheckpointsPayLostLeases: a failed or expired run is paid to its last claim, never to now.
contract TaskRegistry is ITaskRegistry, LapsingPause, EIP712 {
    using SafeCast for uint256;

    uint32 private constant FIRST_ATTEMPT = 1;

    /// @inheritdoc ITaskRegistry
    address public immutable nodeRegistry;
    /// @inheritdoc ITaskRegistry
    address public immutable paymentEscrow;
    /// @inheritdoc ITaskRegistry
    uint256 public immutable deploymentBlock;

    /// @inheritdoc ITaskRegistry
    mapping(address consumer => uint256) public nonces;

    TaskParameters private _parameters;
    TaskParameters private _min;
    TaskParameters private _max;

    mapping(bytes32 taskId => Task) private _tasks;
    mapping(bytes32 leaseId => Lease) private _leases;
    mapping(bytes32 leaseId => bool) private _equivocated;

    /// @dev Deployed first of the three: PaymentEscrow's and NodeRegistry's constructors check that they agree.
    constructor(
        address authority,
        address nodeRegistry_,
        address paymentEscrow_,
        TaskParameters memory initial,
        TaskParameters memory min,
        TaskParameters memory max
    ) LapsingPause(authority) EIP712("Dekuper TaskRegistry", "1") {
        nodeRegistry = nodeRegistry_;
        paymentEscrow = paymentEscrow_;
        deploymentBlock = block.number;
        _min = min;
        _max = max;
        _setParameters(initial);
    }

    /// @inheritdoc ITaskRegistry
    function createTask(Order calldata order) external whenNotPaused returns (bytes32 taskId) {
        Orders.check(order, _parameters);
        uint256 nonce = nonces[msg.sender]++;
        bytes32 orderHash = keccak256(abi.encode(order));
        taskId = taskIdOf(msg.sender, nonce, orderHash);
        bytes32 leaseId = leaseIdOf(taskId, 0);
        uint128 reserved = Billing.reserve(order.ratePerHour, order.maxDuration).toUint128();

        Task storage task = _tasks[taskId];
        task.consumer = msg.sender;
        task.createdAt = uint64(block.timestamp);
        task.maxDuration = order.maxDuration;
        task.openUntil = order.openUntil;
        task.startWindow = order.startWindow;
        task.ratePerHour = order.ratePerHour;
        task.isolation = order.isolation;
        task.leaseCount = 1;
        task.capacity = Capacity(order.gpus, order.vCpus, order.memoryMiB);
        task.storageMiB = order.storageMiB;
        task.orderHash = orderHash;
        task.specDigest = order.specDigest;
        task.seed = keccak256(abi.encode(blockhash(block.number - 1), taskId));
        task.gpuModelHash = keccak256(bytes(order.gpuModel));
        task.terms = _parameters.terms;

        Lease storage lease = _leases[leaseId];
        lease.taskId = taskId;
        lease.status = LeaseStatus.Open;
        lease.reserved = reserved;

        emit TaskCreated(taskId, msg.sender, leaseId, order, nonce, reserved);
        IPaymentEscrow(paymentEscrow).reserve(msg.sender, taskId, leaseId, reserved);
    }

    /// @inheritdoc ITaskRegistry
    function acceptTask(bytes32 taskId) external returns (bytes32 leaseId) {
        leaseId = leaseIdOf(taskId, 0);
        Lease storage lease = _leases[leaseId];
        Task storage task = _tasks[taskId];
        if (lease.status != LeaseStatus.Open) revert WrongStatus(leaseId, lease.status);
        Deadlines.requireNotPassed(leaseId, task.openUntil);
        uint64 admitted = admittedAt(taskId, msg.sender);
        if (block.timestamp < admitted) revert NotAdmitted(taskId, msg.sender, admitted);

        uint128 lock = Billing.lock(lease.reserved, task.terms.lockBps, task.terms.minLock).toUint128();
        lease.status = LeaseStatus.Assigned;
        lease.node = msg.sender;
        lease.attempt = FIRST_ATTEMPT;
        lease.acceptedAt = uint64(block.timestamp);
        lease.startDeadline = uint64(block.timestamp) + task.startWindow;
        lease.lock = lock;
        emit LeaseAssigned(leaseId, taskId, msg.sender, FIRST_ATTEMPT, lease.startDeadline);
        INodeRegistry(nodeRegistry).takeLease(
            msg.sender,
            leaseId,
            LeaseRequest(task.capacity, task.storageMiB, task.isolation, task.gpuModelHash, task.ratePerHour, lock)
        );
    }

    /// @inheritdoc ITaskRegistry
    function startLease(bytes32 leaseId, uint32 attempt) external {
        Lease storage lease = _requireOperator(leaseId, attempt);
        if (lease.status != LeaseStatus.Assigned) revert WrongStatus(leaseId, lease.status);
        Deadlines.requireNotPassed(leaseId, lease.startDeadline);
        lease.status = LeaseStatus.Running;
        lease.startedAt = uint64(block.timestamp);
        lease.lastClaimAt = uint64(block.timestamp);
        emit LeaseStarted(leaseId, msg.sender, attempt, lease.startedAt);
    }

    /// @inheritdoc ITaskRegistry
    function checkpoint(bytes32 leaseId, uint32 attempt, uint64 step, bytes32 digest) external {
        Lease storage lease = _requireOperator(leaseId, attempt);
        Task storage task = _tasks[lease.taskId];
        if (lease.status != LeaseStatus.Running) revert WrongStatus(leaseId, lease.status);
        Deadlines.requireNotPassed(leaseId, Deadlines.current(leaseId, lease, task));
        if (step <= lease.lastStep) revert StepNotRising(leaseId, step, lease.lastStep);
        uint64 allowedFrom = lease.lastClaimAt + task.terms.minCheckpointInterval;
        if (block.timestamp < allowedFrom) revert CheckpointTooSoon(leaseId, allowedFrom, uint64(block.timestamp));
        lease.lastClaimAt = uint64(block.timestamp);
        lease.lastStep = step;
        lease.checkpointDigest = digest;
        emit CheckpointClaimed(leaseId, msg.sender, attempt, step, digest);
    }

    /// @inheritdoc ITaskRegistry
    function completeLease(OutputAttestation calldata attestation, bytes calldata signature) external {
        bytes32 leaseId = attestation.leaseId;
        Lease storage lease = _leases[leaseId];
        Task storage task = _tasks[lease.taskId];
        LeaseStatus from = lease.status;
        if (from != LeaseStatus.Running && from != LeaseStatus.Stopping) revert WrongStatus(leaseId, from);
        Deadlines.requireNotPassed(leaseId, Deadlines.current(leaseId, lease, task));
        uint64 windowEnd = uint64(block.timestamp) + task.terms.challengeWindow;
        Attestations.check(attestation, lease, task, windowEnd);
        address node = lease.node;
        _requireNotRevoked(node);
        bytes32 structHash = Attestations.structHash(attestation);
        _requireSigner(leaseId, node, structHash, signature);

        uint64 billed = _attested(attestation, lease, task);
        lease.status = LeaseStatus.Completed;
        lease.endedAt = uint64(block.timestamp);
        lease.lastClaimAt = uint64(block.timestamp);
        lease.challengeEndsAt = windowEnd;
        lease.billedSeconds = billed;
        lease.attestationDigest = structHash;
        lease.outputDigest = attestation.outputDigest;
        emit LeaseCompleted(leaseId, lease.taskId, node, attestation, signature, billed, windowEnd);
        INodeRegistry(nodeRegistry).releaseCapacity(node, leaseId, task.capacity);
    }

    /// @inheritdoc ITaskRegistry
    function failLease(bytes32 leaseId, uint32 attempt, bytes32 reason) external {
        Lease storage lease = _requireOperator(leaseId, attempt);
        LeaseStatus from = lease.status;
        if (from != LeaseStatus.Assigned && from != LeaseStatus.Running && from != LeaseStatus.Stopping) {
            revert WrongStatus(leaseId, from);
        }
        uint256 gross = _end(leaseId, lease, LeaseStatus.Failed);
        emit LeaseFailed(leaseId, lease.taskId, msg.sender, reason, lease.billedSeconds, gross);
    }

    /// @inheritdoc ITaskRegistry
    function cancelTask(bytes32 taskId) external {
        bytes32 leaseId = leaseIdOf(taskId, 0);
        Lease storage lease = _leases[leaseId];
        Task storage task = _requireConsumer(taskId);
        LeaseStatus from = lease.status;
        if (from == LeaseStatus.Open || from == LeaseStatus.Assigned) {
            uint256 gross = _end(leaseId, lease, LeaseStatus.Cancelled);
            emit LeaseCancelled(leaseId, taskId, 0, gross);
        } else if (from == LeaseStatus.Running) {
            Deadlines.requireNotPassed(leaseId, Deadlines.current(leaseId, lease, task));
            lease.status = LeaseStatus.Stopping;
            lease.stoppedAt = uint64(block.timestamp);
            emit LeaseStopping(leaseId, lease.node, lease.stoppedAt);
        } else {
            revert WrongStatus(leaseId, from);
        }
    }

    /// @inheritdoc ITaskRegistry
    function approve(bytes32 leaseId) external {
        Lease storage lease = _leases[leaseId];
        _requireConsumer(lease.taskId);
        if (lease.status != LeaseStatus.Completed) revert WrongStatus(leaseId, lease.status);
        _settle(leaseId, lease);
    }

    /// @inheritdoc ITaskRegistry
    function settle(bytes32 leaseId) external {
        Lease storage lease = _leases[leaseId];
        if (lease.status != LeaseStatus.Completed) revert WrongStatus(leaseId, lease.status);
        Deadlines.requireEnforceable(leaseId, lease.challengeEndsAt, _tasks[lease.taskId]);
        _settle(leaseId, lease);
    }

    /// @inheritdoc ITaskRegistry
    function expire(bytes32 leaseId) external {
        Lease storage lease = _leases[leaseId];
        Task storage task = _tasks[lease.taskId];
        LeaseStatus from = lease.status;
        Deadlines.requireEnforceable(leaseId, Deadlines.current(leaseId, lease, task), task);
        uint256 gross = _end(leaseId, lease, LeaseStatus.Expired);
        emit LeaseExpired(leaseId, lease.taskId, from, lease.billedSeconds, gross);
    }

    /// @inheritdoc ITaskRegistry
    function proveEquivocation(
        OutputAttestation calldata first,
        bytes calldata firstSignature,
        OutputAttestation calldata second,
        bytes calldata secondSignature
    ) external {
        bytes32 leaseId = first.leaseId;
        Lease storage lease = _leases[leaseId];
        address node = lease.node;
        if (leaseId != second.leaseId) revert DifferentLeases(leaseId, second.leaseId);
        if (node == address(0)) revert WrongStatus(leaseId, lease.status);
        uint128 lock = lease.lock;
        bool isProven = _equivocated[leaseId];
        if (isProven && lock == 0) revert AlreadyProven(leaseId);
        _requireAttempt(leaseId, first.attempt, lease.attempt);
        _requireAttempt(leaseId, second.attempt, lease.attempt);
        if (lease.endedAt != 0 && !isProven) {
            Deadlines.requireNotPassed(leaseId, lease.endedAt + INodeRegistry(nodeRegistry).evidencePeriod());
        }
        bytes32 firstHash = Attestations.structHash(first);
        bytes32 secondHash = Attestations.structHash(second);
        if (firstHash == secondHash) revert SameAttestation(firstHash);
        _requireSigner(leaseId, node, firstHash, firstSignature);
        _requireSigner(leaseId, node, secondHash, secondSignature);

        _equivocated[leaseId] = true;
        uint256 slashed =
            INodeRegistry(nodeRegistry).slash(node, leaseId, lock, _holdsLock(lease.status), msg.sender);
        // What other leases hold cannot be taken now. It stays owed, or a node would prove itself while they hold all.
        lease.lock = lock - slashed.toUint128();
        emit EquivocationProven(leaseId, node, msg.sender, slashed);
    }

    /// @inheritdoc ITaskRegistry
    function setParameters(TaskParameters calldata parameters_) external restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc ITaskRegistry
    function getTask(bytes32 taskId) external view returns (Task memory) {
        return _tasks[taskId];
    }

    /// @inheritdoc ITaskRegistry
    function getLease(bytes32 leaseId) external view returns (Lease memory) {
        return _leases[leaseId];
    }

    /// @inheritdoc ITaskRegistry
    function isAdmitted(bytes32 taskId, address node, uint64 timestamp) external view returns (bool) {
        uint64 admitted = admittedAt(taskId, node);
        return admitted != type(uint64).max && timestamp >= admitted;
    }

    /// @inheritdoc ITaskRegistry
    function terms() external view returns (Terms memory) {
        return _parameters.terms;
    }

    /// @inheritdoc ITaskRegistry
    function parameters() external view returns (TaskParameters memory) {
        return _parameters;
    }

    /// @inheritdoc ITaskRegistry
    function parameterBounds() external view returns (TaskParameters memory min, TaskParameters memory max) {
        return (_min, _max);
    }

    /// @inheritdoc ITaskRegistry
    function attestationHash(OutputAttestation calldata attestation) external view returns (bytes32) {
        return _hashTypedDataV4(Attestations.structHash(attestation));
    }

    /// @inheritdoc ITaskRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ITaskRegistry
    function taskIdOf(address consumer, uint256 nonce, bytes32 orderHash) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), consumer, nonce, orderHash));
    }

    /// @inheritdoc ITaskRegistry
    function admittedAt(bytes32 taskId, address node) public view returns (uint64) {
        Task storage task = _tasks[taskId];
        uint64 activeSince = INodeRegistry(nodeRegistry).activeSinceOf(node);
        if (activeSince == 0 || activeSince + task.terms.ticketAge > task.createdAt) return type(uint64).max;
        bytes32 ticket = Admission.ticket(task.seed, node);
        return task.createdAt + Admission.waitOf(ticket, task.terms.firstShareBps, task.terms.widenTime);
    }

    /// @inheritdoc ITaskRegistry
    function leaseIdOf(bytes32 taskId, uint32 index) public pure returns (bytes32) {
        return keccak256(abi.encode(taskId, index));
    }

    /// @dev Ends a lease that has no accepted claim: fixes what its checkpoints earned, gives everything back.
    function _end(bytes32 leaseId, Lease storage lease, LeaseStatus to) private returns (uint256 gross) {
        LeaseStatus from = lease.status;
        Task storage task = _tasks[lease.taskId];
        lease.status = to;
        lease.endedAt = uint64(block.timestamp);
        lease.billedSeconds = _checkpointed(lease, task);
        gross = _pay(leaseId, lease, task);
        if (from != LeaseStatus.Open) {
            INodeRegistry(nodeRegistry).releaseCapacity(lease.node, leaseId, task.capacity);
            _unlock(leaseId, lease);
        }
    }

    function _settle(bytes32 leaseId, Lease storage lease) private {
        lease.status = LeaseStatus.Settled;
        uint256 gross = _pay(leaseId, lease, _tasks[lease.taskId]);
        _unlock(leaseId, lease);
        emit LeaseSettled(leaseId, lease.taskId, lease.node, lease.billedSeconds, gross);
    }

    function _pay(bytes32 leaseId, Lease storage lease, Task storage task) private returns (uint256 gross) {
        uint64 billed = lease.billedSeconds;
        address owner = billed == 0 ? address(0) : INodeRegistry(nodeRegistry).ownerOf(lease.node);
        (gross,) = IPaymentEscrow(paymentEscrow)
            .settleLease(leaseId, owner, billed, task.ratePerHour, task.terms.feeBps);
    }

    function _unlock(bytes32 leaseId, Lease storage lease) private {
        uint128 lock = lease.lock;
        if (lock != 0) INodeRegistry(nodeRegistry).unlockStake(lease.node, leaseId, lock);
    }

    function _setParameters(TaskParameters memory parameters_) private {
        ParameterBounds.check(abi.encode(parameters_), abi.encode(_min), abi.encode(_max));
        _parameters = parameters_;
        emit ParametersChanged(parameters_);
    }

    function _requireOperator(bytes32 leaseId, uint32 attempt) private view returns (Lease storage lease) {
        lease = _leases[leaseId];
        if (msg.sender != lease.node) revert NotOperator(leaseId, lease.node, msg.sender);
        _requireNotRevoked(msg.sender);
        _requireAttempt(leaseId, attempt, lease.attempt);
    }

    function _requireConsumer(bytes32 taskId) private view returns (Task storage task) {
        task = _tasks[taskId];
        if (msg.sender != task.consumer) revert NotConsumer(taskId, task.consumer, msg.sender);
    }

    function _requireNotRevoked(address node) private view {
        if (INodeRegistry(nodeRegistry).statusOf(node) == NodeStatus.Retired) revert OperatorIsRevoked(node);
    }

    function _requireSigner(
        bytes32 leaseId,
        address node,
        bytes32 structHash,
        bytes calldata signature
    ) private view {
        address signer = ECDSA.recoverCalldata(_hashTypedDataV4(structHash), signature);
        if (signer != node) revert WrongSigner(leaseId, signer, node);
    }

    /// @dev Billed seconds of an attested run (rules 14 and 18): a stopped run is paid for at least `minBilled`.
    function _attested(
        OutputAttestation calldata attestation,
        Lease storage lease,
        Task storage task
    ) private view returns (uint64) {
        bool stopped = lease.status == LeaseStatus.Stopping;
        uint64 blockEnd = stopped ? lease.stoppedAt : uint64(block.timestamp);
        uint64 ran =
            Billing.ran(lease.startedAt, attestation.started, blockEnd, attestation.ended, task.maxDuration);
        if (!stopped) return ran;
        return uint64(Math.min(Math.max(ran, task.terms.minBilled), task.maxDuration));
    }

    /// @dev Billed seconds up to the last claim (rule 15): silence is not paid.
    function _checkpointed(Lease storage lease, Task storage task) private view returns (uint64) {
        return Billing.ran(
            lease.startedAt, lease.startedAt, lease.lastClaimAt, lease.lastClaimAt, task.maxDuration
        );
    }

    function _requireAttempt(bytes32 leaseId, uint32 given, uint32 current) private pure {
        if (given != current) revert WrongAttempt(leaseId, given, current);
    }

    /// @dev A lease holds its lock from accept until Settled, or until it ends without a claim.
    function _holdsLock(LeaseStatus status) private pure returns (bool) {
        return status == LeaseStatus.Assigned || status == LeaseStatus.Running || status == LeaseStatus.Stopping
            || status == LeaseStatus.Completed;
    }
}
