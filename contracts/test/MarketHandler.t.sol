// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Lease, LeaseStatus, OutputAttestation, PastAttempt, TaskParameters} from "../interfaces/Types.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {VerificationActors} from "./VerificationActors.t.sol";

/// @title All actors of a market, driven by the fuzzer
/// @notice Every call that the contracts accept is counted in `done`, and what they must not do is recorded as it happens.
contract MarketHandler is VerificationActors {
    address private immutable _test = msg.sender;

    /// @dev One lease each that is open, assigned, running and completed, a gang that runs, one that waits and a quorum: every
    /// run of the fuzzer has all paths before it.
    constructor() {
        vm.recordLogs();
        for (uint256 i = 0; i < 4; ++i) {
            bytes32 leaseId = _create(i, 3600 + i, 300, 0x101);
            if (i > 0) _accept(leaseId, i);
            if (i > 1) _start(leaseId);
            _read(vm.getRecordedLogs());
            if (i > 2) _complete(leaseId, 0, 0);
        }
        _run(_award(0, 3, 9000, 300, 0x1000103), 3);
        _run(_award(1, 2, 9000, 300, 0x1000106), 1);
        _run(_award(2, 3, 9000, 300, 0x1000104 | QUORUM_BITS), 3);
    }

    // ---- evidence

    /// @dev Whoever holds or held the lease has signed two outputs.
    function proveEquivocation(uint256 which, uint256 whose, uint256 wait) external then(wait) {
        if (leaseList.length == 0) return;
        bytes32 leaseId = leaseList[which % leaseList.length];
        Lease memory lease = tasks.getLease(leaseId);
        if (lease.attempt == 0) return;
        uint32 attempt = uint32(1 + whose % lease.attempt);
        PastAttempt memory past = tasks.getPastAttempt(leaseId, attempt);
        (,,,, uint256 before,) = escrow.totals();
        address reporter = whose >> 8 & 3 == 0 ? _consumers[which % 3] : address(this);
        uint256 free = escrow.freeOf(reporter);
        address node = nodeOf(leaseId, attempt);
        _prove(leaseId, attempt, node, reporter);
        (,,,, uint256 left,) = escrow.totals();
        uint256 taken = before - left;
        slashedFor[leaseId][node] += taken;
        slashed += taken;
        rewarded += escrow.freeOf(reporter) - free;
        if (past.node != address(0)) ++done[past.isLocked ? "slash of a waiting lock" : "slash of a lost attempt"];
        else ++done[_isOver(lease.status) ? "slash after the end" : "slash of a held lock"];
        if (taken < (past.node != address(0) ? past.lock : lease.lock)) ++done["slash that leaves a rest"];
    }

    // ---- governance, and time

    function govern(uint256 fee, uint256 lock, uint256 wait) external then(wait) {
        TaskParameters memory parameters = parametersOf(uint16(bound(fee, 0, 500)));
        parameters.terms.lockBps = uint16(bound(lock, 2000, 10_000));
        vm.prank(governor);
        tasks.setParameters(parameters);
        ++done["govern"];
    }

    /// @dev A pause is rare, or most runs would stand still from its beginning.
    function pauseOrUnpause(uint256 which, uint256 wait) external then(wait) {
        bool pauses = !tasks.isPaused();
        if (pauses && which % 8 != 0) return;
        vm.prank(governor);
        if (pauses) tasks.pause();
        else tasks.unpause();
        ++done[pauses ? "pause" : "unpause"];
    }

    function waitLong(uint256 wait) external {
        if (wait % 4 != 0) return; // rare, or nothing would live to its end
        _pass(bound(wait, 20, 800));
        ++done["waitLong"];
    }

    /// @dev Whether every live lease can be ended by calls that anyone may make, long after. Nothing of it stays: the fuzzer calls
    /// this too, and now and then as the test that made it.
    function everyoneLeaves() external returns (bool free) {
        if (msg.sender != _test) return true; // it takes long
        uint256 id = vm.snapshotState();
        free = _everyoneLeaves();
        vm.revertToState(id);
    }

    function _everyoneLeaves() private returns (bool) {
        // A lost lease opens again, and a gang that has no replacement delivers what it has: each takes its time.
        for (uint256 day = 1; day < 6; ++day) {
            vm.warp(_clock + day * 1 days);
            for (uint256 i = 0; i < leaseList.length; ++i) {
                _leave(leaseList[i]);
            }
        }
        (, uint256 reserved,,,,) = escrow.totals();
        bool free = reserved == 0 && escrow.totalBonds() == 0;
        for (uint256 i = 0; i < leaseList.length; ++i) {
            free = free && _isOver(tasks.getLease(leaseList[i]).status);
        }
        for (uint256 i = 0; i < NODES; ++i) {
            address node = nodeList[i];
            (, uint256 locked,,) = nodes.stakeOf(node);
            free = free && locked == nodes.seatLockedOf(node) && nodes.getNode(node).used.vCpus == 0
                && nodes.getNode(node).used.memoryMiB == 0 && nodes.getNode(node).used.gpus == 0;
        }
        return free;
    }

    /// @dev Sent by the reporter, or for a consumer by whoever carries its calls.
    function _prove(bytes32 leaseId, uint32 attempt, address node, address reporter) private {
        OutputAttestation memory first = _attestation(leaseId, attempt, "one");
        OutputAttestation memory second = _attestation(leaseId, attempt, "two");
        bytes memory firstSignature = _sign(node, tasks.attestationHash(first));
        bytes memory secondSignature = _sign(node, tasks.attestationHash(second));
        if (reporter == address(this)) {
            tasks.proveEquivocation(first, firstSignature, second, secondSignature);
            return;
        }
        bytes[] memory calls = new bytes[](1);
        calls[0] =
            abi.encodeCall(ITaskRegistry.proveEquivocation, (first, firstSignature, second, secondSignature));
        forwarder.executeBatch(_requests(reporter, calls), payable(address(0)));
        ++done["a forwarded proof"];
    }

    /// @dev One step towards its end, by anyone. What has come to its state today has its time until tomorrow.
    function _leave(bytes32 leaseId) private {
        LeaseStatus status = tasks.getLease(leaseId).status;
        bytes memory step = abi.encodeCall(ITaskRegistry.expire, (leaseId));
        if (status == LeaseStatus.Completed) step = abi.encodeCall(ITaskRegistry.settle, (leaseId));
        if (status == LeaseStatus.Disputed) step = abi.encodeCall(ITaskRegistry.lapseClaim, (leaseId));
        if (status == LeaseStatus.Committed || status == LeaseStatus.Revealed) {
            step = abi.encodeCall(ITaskRegistry.tallyResults, (_stories[leaseId].taskId));
        }
        // solhint-disable-next-line avoid-low-level-calls
        (bool isTaken,) = address(tasks).call(step);
        if (isTaken) ++done["left"];
    }

    function _run(bytes32 taskId, uint32 members) private {
        _read(vm.getRecordedLogs());
        for (uint32 i = 0; i < members; ++i) {
            _start(tasks.leaseIdOf(taskId, i));
            _read(vm.getRecordedLogs());
        }
    }
}
