// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {
    Gang,
    Lease,
    LeaseStatus,
    NodeStatus,
    Outcome,
    OutputAttestation,
    Task,
    Terms,
    Verification
} from "../interfaces/Types.sol";
import {Attestations} from "./Attestations.sol";
import {Deadlines} from "./Deadlines.sol";
import {Endings} from "./Endings.sol";
import {Gangs} from "./Gangs.sol";
import {Market, Markets, Wiring} from "./Market.sol";
import {Quorums} from "./Quorums.sol";

/// @title The life of a lease, from its start to its settlement
/// @notice Linked to TaskRegistry, whose storage it works on; the interface says what each call requires.
library Leases {
    using Markets for Market;
    using Markets for Task;

    /// @dev See {ITaskRegistry-startLease}.
    function start(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        uint32 attempt,
        address caller
    ) external {
        Lease storage lease = market.requireOperator(wiring, leaseId, attempt, caller);
        if (lease.status != LeaseStatus.Assigned) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        if (!lease.hasKey) revert ITaskRegistry.KeyMissing(leaseId, caller);
        Deadlines.requireNotPassed(leaseId, lease.deadline);
        lease.status = LeaseStatus.Running;
        lease.startedAt = uint64(block.timestamp);
        lease.lastClaimAt = uint64(block.timestamp);
        lease.offlineAtStart = wiring.liveness.noteAlive(caller);
        lease.offlineAtClaim = lease.offlineAtStart;
        emit ITaskRegistry.LeaseStarted(leaseId, caller, attempt, lease.startedAt);
        if (market.tasks[lease.taskId].isGang()) Gangs.memberStarted(market, wiring, lease.taskId);
    }

    /// @dev See {ITaskRegistry-checkpoint}.
    function checkpoint(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        uint32 attempt,
        uint64 step,
        bytes32 digest,
        address caller
    ) external {
        Lease storage lease = market.requireOperator(wiring, leaseId, attempt, caller);
        if (lease.status != LeaseStatus.Running) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        Deadlines.requireNotPassed(leaseId, Deadlines.current(market, leaseId, lease));
        if (step <= lease.lastStep) revert ITaskRegistry.StepNotRising(leaseId, step, lease.lastStep);
        uint64 allowedFrom =
            lease.lastClaimAt + market.termsOf(market.tasks[lease.taskId]).minCheckpointInterval;
        if (block.timestamp < allowedFrom) {
            revert ITaskRegistry.CheckpointTooSoon(leaseId, allowedFrom, uint64(block.timestamp));
        }
        lease.lastClaimAt = uint64(block.timestamp);
        lease.lastStep = step;
        lease.checkpointDigest = digest;
        lease.offlineAtClaim = wiring.liveness.noteAlive(caller);
        emit ITaskRegistry.CheckpointClaimed(leaseId, caller, attempt, step, digest);
    }

    /// @dev See {ITaskRegistry-completeLease}.
    function complete(
        Market storage market,
        Wiring memory wiring,
        OutputAttestation calldata attestation,
        bytes calldata signature
    ) external {
        bytes32 leaseId = attestation.leaseId;
        Lease storage lease = market.leases[leaseId];
        LeaseStatus from = lease.status;
        if (from != LeaseStatus.Running && from != LeaseStatus.Stopping) {
            revert ITaskRegistry.WrongStatus(leaseId, from);
        }
        Deadlines.requireNotPassed(leaseId, Deadlines.current(market, leaseId, lease));
        Task storage task = market.tasks[lease.taskId];
        // A replica commits first; only one that the consumer has stopped has nobody to agree with.
        if (task.verification == Verification.Quorum && from == LeaseStatus.Running) {
            revert ITaskRegistry.CommitFirst(leaseId);
        }
        Terms storage terms = market.termsOf(task);
        uint64 windowEnd = uint64(block.timestamp) + terms.challengeWindow;
        Attestations.check(attestation, lease, task, terms, windowEnd);
        address node = lease.node;
        Markets.requireNotRevoked(wiring, node);
        bytes32 claim = Attestations.structHash(attestation);
        Attestations.requireSigner(wiring.domain, leaseId, node, claim, signature);

        lease.offlineAtClaim =
            msg.sender == node ? wiring.liveness.noteAlive(node) : wiring.liveness.offlineSecondsOf(node);
        _fixAttested(market, attestation, lease, terms);
        lease.status = LeaseStatus.Completed;
        lease.endedAt = uint64(block.timestamp);
        lease.lastClaimAt = uint64(block.timestamp);
        lease.deadline = windowEnd;
        lease.attestationDigest = claim;
        emit ITaskRegistry.LeaseCompleted(
            leaseId, lease.taskId, node, attestation, signature, lease.billedSeconds, lease.downSeconds, windowEnd
        );
        if (task.isGang()) {
            Gangs.memberCompleted(market, lease.taskId, from);
            if (_isPeerLoss(market.gangs[lease.taskId], attestation, terms)) {
                emit ITaskRegistry.PeerLossRecorded(leaseId, lease.taskId, node);
            }
        }
        wiring.nodes.releaseCapacity(node, leaseId, task.capacity);
    }

    /// @dev See {ITaskRegistry-failLease}.
    function fail(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        uint32 attempt,
        bytes32 reason,
        address caller
    ) external {
        Lease storage lease = market.requireOperator(wiring, leaseId, attempt, caller);
        LeaseStatus from = lease.status;
        if (!_isLive(from)) revert ITaskRegistry.WrongStatus(leaseId, from);
        emit ITaskRegistry.LeaseFailed(leaseId, lease.taskId, caller, attempt, reason);
        _lose(market, wiring, leaseId, lease, LeaseStatus.Failed, uint64(block.timestamp), true);
    }

    /// @dev See {ITaskRegistry-failover}.
    function failover(Market storage market, Wiring memory wiring, bytes32 leaseId) external {
        Lease storage lease = market.leases[leaseId];
        address node = lease.node;
        // What has been stopped is only waited for, and not for long.
        if (lease.status != LeaseStatus.Assigned && lease.status != LeaseStatus.Running) {
            revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        }
        uint64 stopTime = uint64(block.timestamp);
        if (wiring.nodes.statusOf(node) != NodeStatus.Retired) {
            uint64 since = wiring.liveness.offlineSince(node);
            // Who quoted may have come back since it was last seen: it has as long as any to show itself.
            uint256 allowedAfter = Math.max(since, lease.acceptedAt) + market.tasks[lease.taskId].failoverAfter;
            if (since == 0 || block.timestamp <= allowedAfter) {
                revert ITaskRegistry.NodeNotLost(leaseId, node, since, allowedAfter);
            }
            stopTime = since;
        }
        _lose(market, wiring, leaseId, lease, LeaseStatus.Failed, stopTime, false);
    }

    /// @dev See {ITaskRegistry-expire}.
    function expire(Market storage market, Wiring memory wiring, bytes32 leaseId) external {
        Lease storage lease = market.leases[leaseId];
        Task storage task = market.tasks[lease.taskId];
        uint64 deadline = Deadlines.current(market, leaseId, lease);
        Deadlines.requireEnforceable(leaseId, deadline, market.termsOf(task));
        LeaseStatus from = lease.status;
        bool isGang = task.isGang();
        if (isGang && from == LeaseStatus.Assigned && market.gangs[lease.taskId].firstFrom == 0) {
            Gangs.failLate(market, wiring, lease.taskId);
        } else if (isGang && from == LeaseStatus.Open) {
            Gangs.windDown(market, wiring, lease.taskId, LeaseStatus.Expired, uint64(block.timestamp));
        } else {
            _lose(market, wiring, leaseId, lease, LeaseStatus.Expired, deadline, false);
        }
    }

    /// @dev See {ITaskRegistry-cancelTask}.
    function cancel(Market storage market, Wiring memory wiring, bytes32 taskId, address caller) external {
        Task storage task = market.requireConsumer(taskId, caller);
        if (task.isGang()) {
            Gang storage gang = market.gangs[taskId];
            if (gang.isOver || gang.live == 0) revert ITaskRegistry.TaskIsOver(taskId);
            gang.isCancelled = true;
            Gangs.windDown(market, wiring, taskId, LeaseStatus.Cancelled, uint64(block.timestamp));
            return;
        }
        if (task.verification == Verification.Quorum) {
            _cancelReplicas(market, wiring, taskId, task);
            return;
        }
        bytes32 leaseId = Markets.leaseIdOf(taskId, 0);
        Lease storage lease = market.leases[leaseId];
        LeaseStatus from = lease.status;
        if (from != LeaseStatus.Open && from != LeaseStatus.Assigned && from != LeaseStatus.Running) {
            revert ITaskRegistry.WrongStatus(leaseId, from);
        }
        _cancelOne(market, wiring, leaseId, lease, task);
    }

    /// @dev See {ITaskRegistry-approve}.
    function approve(Market storage market, Wiring memory wiring, bytes32 leaseId, address caller) external {
        Lease storage lease = market.leases[leaseId];
        market.requireConsumer(lease.taskId, caller);
        if (lease.status != LeaseStatus.Completed) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        _settle(market, wiring, leaseId, lease);
    }

    /// @dev See {ITaskRegistry-settle}.
    function settle(Market storage market, Wiring memory wiring, bytes32 leaseId) external {
        Lease storage lease = market.leases[leaseId];
        if (lease.status != LeaseStatus.Completed) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        Deadlines.requireEnforceable(leaseId, lease.deadline, market.termsOf(market.tasks[lease.taskId]));
        _settle(market, wiring, leaseId, lease);
    }

    /// @dev An attempt is lost: another node may go on with its lease, or the lease ends.
    function _lose(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        LeaseStatus to,
        uint64 stopTime,
        bool isBlamed
    ) private {
        Task storage task = market.tasks[lease.taskId];
        LeaseStatus from = lease.status;
        if (task.isGang()) {
            Gangs.memberLost(market, wiring, leaseId, lease, to, stopTime, isBlamed);
            return;
        }
        // Without the key in time it is the consumer who is late: there is nobody to replace.
        bool isLate = to == LeaseStatus.Expired && !lease.hasKey;
        bool mayReopen = (from == LeaseStatus.Assigned && !isLate) || from == LeaseStatus.Running;
        if (mayReopen && Endings.leavesEnough(market, lease)) {
            uint64 until = uint64(block.timestamp) + market.termsOf(task).replaceWindow;
            uint64 deadline = uint64(Math.max(until, task.openUntil));
            Endings.reopen(market, wiring, leaseId, lease, deadline, false);
        } else {
            Endings.end(market, wiring, leaseId, lease, to);
            if (task.verification == Verification.Quorum && from != LeaseStatus.Stopping) {
                Quorums.replicaLost(market, lease.taskId);
            }
        }
    }

    /// @dev All replicas at once, and none once one has committed: its result could not be agreed with any more.
    function _cancelReplicas(Market storage market, Wiring memory wiring, bytes32 taskId, Task storage task) private {
        if (market.ballots[taskId].committed != 0 || market.ballots[taskId].pending == 0) {
            revert ITaskRegistry.TaskIsOver(taskId);
        }
        market.ballots[taskId].pending = 0;
        for (uint256 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            if (lease.status == LeaseStatus.Assigned || lease.status == LeaseStatus.Running) {
                _cancelOne(market, wiring, leaseId, lease, task);
            }
        }
    }

    function _cancelOne(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        Task storage task
    ) private {
        if (lease.status != LeaseStatus.Running) {
            Endings.end(market, wiring, leaseId, lease, LeaseStatus.Cancelled);
            return;
        }
        Deadlines.requireNotPassed(leaseId, Deadlines.current(market, leaseId, lease));
        lease.status = LeaseStatus.Stopping;
        lease.stoppedAt = uint64(block.timestamp);
        lease.deadline = lease.stoppedAt + market.termsOf(task).completionGrace;
        emit ITaskRegistry.LeaseStopping(leaseId, lease.node, lease.stoppedAt);
    }

    function _settle(Market storage market, Wiring memory wiring, bytes32 leaseId, Lease storage lease) private {
        lease.status = LeaseStatus.Settled;
        uint256 gross = Endings.pay(market, wiring, leaseId, lease, true);
        Endings.unlock(wiring, leaseId, lease);
        emit ITaskRegistry.LeaseSettled(leaseId, lease.taskId, lease.node, lease.billedSeconds, gross);
    }

    /// @dev Billed seconds of an attested run (rules 14 and 18): what the consumer cancelled is paid for at least `minBilled`.
    function _fixAttested(
        Market storage market,
        OutputAttestation calldata attestation,
        Lease storage lease,
        Terms storage terms
    ) private {
        bool isStopped = lease.status == LeaseStatus.Stopping;
        uint64 blockEnd = isStopped ? lease.stoppedAt : uint64(block.timestamp);
        Endings.fix(lease, Endings.ran(market, lease, attestation.started, blockEnd, attestation.ended));
        if (!isStopped) return;
        bytes32 taskId = lease.taskId;
        if (market.tasks[taskId].isGang()) {
            Gang storage gang = market.gangs[taskId];
            // Nothing is paid before the start, and a gang that ended by itself owes no trial.
            if (!gang.isCancelled || gang.firstFrom == 0) return;
        }
        uint64 least = uint64(Math.min(terms.minBilled, lease.maxSeconds - lease.downSeconds));
        if (lease.billedSeconds < least) lease.billedSeconds = least;
    }

    /// @dev Whether a member's exit belongs to its gang's stop rather than to itself (rule 16). Moves no money.
    function _isPeerLoss(
        Gang storage gang,
        OutputAttestation calldata attestation,
        Terms storage terms
    ) private view returns (bool) {
        uint64 stop = gang.secondTo == 0 ? gang.firstTo : gang.secondTo;
        if (stop == 0 || attestation.outcome == uint8(Outcome.Success)) return false;
        uint64 apart = attestation.ended > stop ? attestation.ended - stop : stop - attestation.ended;
        return apart <= terms.gangFaultWindow;
    }

    function _isLive(LeaseStatus status) private pure returns (bool) {
        return status == LeaseStatus.Assigned || status == LeaseStatus.Running || status == LeaseStatus.Stopping;
    }
}
