// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Lease, LeaseStatus, NodeStatus, OutputAttestation, Task} from "../interfaces/Types.sol";
import {OrderActors} from "./OrderActors.t.sol";

/// @title Leases from their start to their end, driven by the fuzzer
abstract contract LeaseActors is OrderActors {
    string[5] private _stateNames = ["None", "Open", "Assigned", "Running", "Stopping"];

    function startLease(uint256 which, uint256 wait) external then(wait) {
        _start(_leaseIn(which, LeaseStatus.Assigned));
    }

    function checkpoint(uint256 which, uint256 step, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Running);
        if (leaseId == 0) return;
        Lease memory lease = tasks.getLease(leaseId);
        vm.prank(lease.node);
        tasks.checkpoint(leaseId, lease.attempt, lease.lastStep + 1 + uint64(step % 3), keccak256("checkpoint"));
        ++done["checkpoint"];
    }

    function completeLease(uint256 which, uint256 started, uint256 ended, uint256 wait) external then(wait) {
        bytes32 leaseId = which % 2 == 0 ? bytes32(0) : _leaseIn(which, LeaseStatus.Stopping);
        _complete(leaseId == 0 ? _leaseIn(which, LeaseStatus.Running) : leaseId, started, ended);
    }

    /// @dev Brings a lease one step further on the way that most go, or many runs would never see an end.
    function advance(
        uint256 which,
        uint256 by,
        uint256 started,
        uint256 ended,
        uint256 wait
    ) external then(wait) {
        if (leaseList.length == 0) return;
        bytes32 leaseId = leaseList[which % leaseList.length];
        LeaseStatus status = _stories[leaseId].status;
        if (status < LeaseStatus.Running) _carry(leaseId, by);
        else if (status < LeaseStatus.Completed) _complete(leaseId, started, ended);
        else if (status == LeaseStatus.Completed) _settle(leaseId, by % 4 == 0);
    }

    /// @dev Brings all leases of a task to Running, where nothing stands in the way.
    function startGang(uint256 which, uint256 by, uint256 wait) external then(wait) {
        if (taskList.length == 0) return;
        bytes32 taskId = taskList[which % taskList.length];
        for (uint32 i = 0; i < tasks.getTask(taskId).leaseCount; ++i) {
            _carry(tasks.leaseIdOf(taskId, i), by % NODES + i);
            _read(vm.getRecordedLogs());
        }
    }

    function failLease(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(2 + state % 3));
        if (leaseId == 0) return;
        Lease memory lease = tasks.getLease(leaseId);
        _count("failLease", leaseId);
        vm.prank(lease.node);
        tasks.failLease(leaseId, lease.attempt, "broken");
    }

    /// @dev Takes a lease from a node that is revoked or has been offline for too long; tries others, too.
    function failover(uint256 which, uint256 wait) external then(wait) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(which % count + i) % count];
            LeaseStatus status = _stories[leaseId].status;
            if (status < LeaseStatus.Assigned || status > LeaseStatus.Stopping) continue;
            bool isRevoked = nodes.statusOf(_stories[leaseId].node) == NodeStatus.Retired;
            try tasks.failover(leaseId) {
                ++done[isRevoked ? "failover of a revoked node" : "failover of an offline node"];
                return;
            } catch {
                ++done["refused"];
            }
        }
    }

    function cancelTask(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(1 + state % 3));
        // A gang's cancel ends many leases: less often, or none would live.
        if (leaseId == 0 || (tasks.getTask(_stories[leaseId].taskId).leaseCount > 1 && state % 4 != 0)) return;
        _cancel(leaseId);
    }

    /// @dev The consumer who takes all and cancels in the last second that it may.
    function cancelAtTheEnd(uint256 which, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Running);
        if (leaseId == 0) return;
        uint64 deadline = tasks.deadlineOf(leaseId);
        if (deadline < _clock || deadline > _clock + 100) return;
        _pass(deadline - _clock);
        _cancel(leaseId);
        ++done["cancelAtTheEnd"];
    }

    function approveOrSettle(uint256 which, uint256 how, uint256 wait) external then(wait) {
        _settle(_leaseIn(which, LeaseStatus.Completed), how % 4 == 0);
    }

    function expire(uint256 which, uint256 state, uint256 wait) external then(wait) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < 4 * count; ++i) {
            bytes32 leaseId = leaseList[(which % count + i) % count];
            if (_stories[leaseId].status != LeaseStatus(4 - (state + i / count) % 4)) continue;
            try tasks.expire(leaseId) {
                _count("expire", leaseId);
                return;
            } catch {
                ++done["refused"];
            }
        }
    }

    /// @dev Tries to be paid or punished again for any lease, whatever its state.
    function again(uint256 which, uint256 wait) external then(wait) {
        if (leaseList.length == 0) return;
        bytes32 leaseId = leaseList[which % leaseList.length];
        try tasks.settle(leaseId) {
            ++done["settle"];
        } catch {
            ++done["refused"];
        }
        try tasks.expire(leaseId) {
            _count("expire", leaseId);
        } catch {
            ++done["refused"];
        }
        ++done["again"];
    }

    // ---- the steps themselves; no lease, no step

    function _carry(bytes32 leaseId, uint256 by) internal {
        Lease memory lease = tasks.getLease(leaseId);
        if (lease.status == LeaseStatus.Open && lease.attempt == 0) _accept(leaseId, by);
        else if (lease.status == LeaseStatus.Open) _takeOver(leaseId, by);
        else if (_waitsForKey(leaseId)) _grant(lease.taskId, lease.node);
        else if (lease.status == LeaseStatus.Assigned) _start(leaseId);
    }

    function _start(bytes32 leaseId) internal {
        if (leaseId == 0) return;
        Lease memory lease = tasks.getLease(leaseId);
        vm.prank(lease.node);
        tasks.startLease(leaseId, lease.attempt);
        ++done["startLease"];
    }

    /// @dev Sent by anyone, half of the time by the node itself.
    function _complete(bytes32 leaseId, uint256 started, uint256 ended) internal {
        if (leaseId == 0) return;
        OutputAttestation memory claim = _attestation(leaseId, tasks.getLease(leaseId).attempt, "output");
        claim.started = uint64(_clock - 500 + started % 560);
        claim.ended = uint64(bound(ended, claim.started, _clock + 60));
        claim.outcome = uint8(started % 3);
        _count("completeLease", leaseId);
        address node = _stories[leaseId].node;
        bytes memory signature = _sign(node, tasks.attestationHash(claim));
        if (ended % 2 == 0) vm.prank(node);
        tasks.completeLease(claim, signature);
    }

    function _settle(bytes32 leaseId, bool approves) internal {
        if (leaseId == 0) return;
        if (approves) {
            vm.prank(tasks.getTask(_stories[leaseId].taskId).consumer);
            tasks.approve(leaseId);
        } else {
            tasks.settle(leaseId);
        }
        ++done[approves ? "approve" : "settle"];
    }

    function _cancel(bytes32 leaseId) private {
        bytes32 taskId = _stories[leaseId].taskId;
        Task memory task = tasks.getTask(taskId);
        _count(task.leaseCount > 1 ? "cancel of a gang" : "cancelTask", leaseId);
        vm.prank(task.consumer);
        tasks.cancelTask(taskId);
    }

    /// @dev Counts a call by the state in which it is accepted: a revert takes the count back.
    function _count(string memory call, bytes32 leaseId) internal {
        ++done[string.concat(call, " while ", _stateNames[uint256(_stories[leaseId].status)])];
    }

    /// @dev The first lease in this state, looking from a fuzzed place; zero if there is none.
    function _leaseIn(uint256 from, LeaseStatus status) internal view returns (bytes32) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(from % count + i) % count];
            if (_stories[leaseId].status == status) return leaseId;
        }
        return 0;
    }

    function _attestation(
        bytes32 leaseId,
        uint32 attempt,
        string memory output
    ) internal view returns (OutputAttestation memory claim) {
        claim.taskId = _stories[leaseId].taskId;
        claim.leaseId = leaseId;
        claim.attempt = attempt;
        claim.specDigest = keccak256("spec");
        claim.outputDigest = keccak256(bytes(output));
        claim.retainUntil = type(uint64).max;
    }
}
