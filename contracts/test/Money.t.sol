// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Ballot, Capacity, Lease, LeaseStatus, PastAttempt, Task, Verification} from "../interfaces/Types.sol";
import {Forwarder} from "../Forwarder.sol";
import {Liveness} from "../Liveness.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {PaymentEscrow} from "../PaymentEscrow.sol";
import {TaskRegistry} from "../TaskRegistry.sol";
import {Cheats} from "./Cheats.sol";
import {DemoDollar} from "./DemoDollar.sol";
import {MarketHandler} from "./MarketHandler.t.sol";

/// @title The money rules, held against any sequence of calls by all actors
/// @notice Each test has the name of an invariant in the header of the contract that promises it. What only shows while a
/// call happens is held by the actors' witness.
contract MoneyTest is Cheats {
    MarketHandler private _handler;
    DemoDollar private _token;
    NodeRegistry private _nodes;
    TaskRegistry private _tasks;
    PaymentEscrow private _escrow;
    Liveness private _liveness;
    Forwarder private _forwarder;

    function setUp() public {
        _handler = new MarketHandler();
        (_token, _nodes, _tasks, _escrow, _liveness, _forwarder) = _handler.contracts();
    }

    /// @dev The fuzzer calls the actors, not the contracts.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev After each run of the fuzzer, for whichever invariant, all hold. What its calls must reach is ActorsTest's.
    function afterInvariant() public {
        invariant_BalanceCoversEveryClaim();
        invariant_EveryTokenIsSomebodys();
        invariant_TotalsAreTheirParts();
        invariant_NoLeasePaidAboveReserve();
        invariant_ReservationIsTheLiveLeases();
        invariant_EndedTasksHoldNothing();
        invariant_NoRoleMovesTokens();
        invariant_BatchesHappenWhole();
        invariant_LockedNeverAboveStaked();
        invariant_StakeIsStakedPlusUnbonding();
        invariant_CapacityInUseIsTheLiveLeases();
        invariant_SlashNeverAboveLock();
        invariant_CompensationNeverAboveLock();
        invariant_AtMostAFifthRewards();
        invariant_BilledNeverAboveRun();
        invariant_GangsBillTheirClock();
        invariant_StatusOnlyMovesForward();
        invariant_CheckpointsPayLostLeases();
        invariant_LostAttemptsAreNeverPaid();
        invariant_ExcludedOwnersNeverReturn();
        invariant_AttemptsNeverAboveMaximum();
        invariant_OnlyCommitmentsAreRevealed();
        invariant_OnlyTheMajorityIsPaid();
        invariant_ClaimsNeedAVerdict();
        invariant_BondsAreTheOpenClaims();
        invariant_EveryLeaseHasAWayOut();
    }

    // ---- PaymentEscrow

    function invariant_BalanceCoversEveryClaim() public view {
        assertLe(_claims(), _token.balanceOf(address(_escrow)), "claims against balance");
    }

    function invariant_EveryTokenIsSomebodys() public view {
        assertEq(_claims(), _handler.tokensIn() - _handler.tokensOut(), "claims against what came and did not go");
    }

    function invariant_TotalsAreTheirParts() public view {
        (uint256 free, uint256 reserved, uint256 earnings,, uint256 stake,) = _escrow.totals();
        address[] memory accounts = _handler.accounts();
        for (uint256 i = 0; i < accounts.length; ++i) {
            free -= _escrow.freeOf(accounts[i]);
            earnings -= _escrow.earningsOf(accounts[i]);
            reserved -= _escrow.reservedOf(accounts[i]);
        }
        for (uint256 i = 0; i < _handler.nodeCount(); ++i) {
            stake -= _escrow.stakeOf(_handler.nodeList(i));
        }
        assertEq(free + earnings + reserved + stake, 0, "nothing beside the accounts");
        (, reserved,,,,) = _escrow.totals();
        for (uint256 i = 0; i < _handler.taskCount(); ++i) {
            (, uint256 held) = _escrow.reservedFor(_handler.taskList(i));
            reserved -= held;
        }
        assertEq(reserved, 0, "nothing beside the tasks");
    }

    function invariant_NoLeasePaidAboveReserve() public view {
        _notBroken("NoLeasePaidAboveReserve");
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (bytes32 leaseId, Lease memory lease,) = _lease(i);
            MarketHandler.Story memory story = _handler.storyOf(leaseId);
            uint256 held = _isOver(lease.status) ? 0 : lease.reserved;
            assertLe(story.paid + held, story.promised, "paid and still reserved against reserved in all");
        }
    }

    function invariant_ReservationIsTheLiveLeases() public view {
        for (uint256 t = 0; t < _handler.taskCount(); ++t) {
            bytes32 taskId = _handler.taskList(t);
            (, uint256 held) = _escrow.reservedFor(taskId);
            assertEq(held, _reservedByLeases(taskId), "a task's reservation against its leases'");
        }
    }

    function invariant_EndedTasksHoldNothing() public view {
        for (uint256 t = 0; t < _handler.taskCount(); ++t) {
            bytes32 taskId = _handler.taskList(t);
            Task memory task = _tasks.getTask(taskId);
            bool isOver = true;
            for (uint32 i = 0; i < task.leaseCount; ++i) {
                isOver = isOver && _isOver(_tasks.getLease(_tasks.leaseIdOf(taskId, i)).status);
            }
            (, uint256 held) = _escrow.reservedFor(taskId);
            if (isOver) assertEq(held, 0, "held");
        }
    }

    function invariant_NoRoleMovesTokens() public view {
        uint256 expected = _handler.tokensIn() - _handler.tokensOut();
        assertEq(_token.balanceOf(address(_escrow)), expected, "what its owners put in and took out");
        assertEq(_token.balanceOf(address(_forwarder)), 0, "tokens of the forwarder");
        assertEq(_escrow.freeOf(address(_forwarder)), 0, "balance of the forwarder");
    }

    // ---- Forwarder

    function invariant_BatchesHappenWhole() public view {
        _notBroken("BatchesHappenWhole");
    }

    // ---- NodeRegistry

    function invariant_LockedNeverAboveStaked() public view {
        for (uint256 n = 0; n < _handler.nodeCount(); ++n) {
            address node = _handler.nodeList(n);
            (uint256 staked, uint256 locked,,) = _nodes.stakeOf(node);
            assertLe(locked, staked, "locked against staked");
            uint256 expected = _nodes.seatLockedOf(node);
            for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
                expected += _lockOf(i, node);
            }
            assertEq(locked, expected, "locked against the leases and the seat");
        }
    }

    function invariant_StakeIsStakedPlusUnbonding() public view {
        for (uint256 n = 0; n < _handler.nodeCount(); ++n) {
            address node = _handler.nodeList(n);
            (uint256 staked,, uint256 unbonding,) = _nodes.stakeOf(node);
            assertEq(_escrow.stakeOf(node), staked + unbonding, "stake in escrow");
        }
    }

    function invariant_CapacityInUseIsTheLiveLeases() public view {
        for (uint256 n = 0; n < _handler.nodeCount(); ++n) {
            address node = _handler.nodeList(n);
            NodeRegistry.Node memory entry = _nodes.getNode(node);
            assertLe(entry.used.gpus, entry.profile.gpus, "GPUs declared");
            assertLe(entry.used.vCpus, entry.profile.vCpus, "vCPUs declared");
            Capacity memory used;
            for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
                (, Lease memory lease, Task memory task) = _lease(i);
                if (lease.node != node || !_isBusy(lease.status)) continue;
                used.gpus += task.capacity.gpus;
                used.vCpus += task.capacity.vCpus;
                used.memoryMiB += task.capacity.memoryMiB;
            }
            assertEq(used.gpus, entry.used.gpus, "GPUs in use");
            assertEq(used.vCpus, entry.used.vCpus, "vCPUs in use");
            assertEq(used.memoryMiB, entry.used.memoryMiB, "memory in use");
        }
    }

    function invariant_SlashNeverAboveLock() public view {
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            bytes32 leaseId = _handler.leaseList(i);
            for (uint256 n = 0; n < _handler.nodeCount(); ++n) {
                address node = _handler.nodeList(n);
                assertLe(_handler.slashedFor(leaseId, node), _handler.lockedFor(leaseId, node), "slashed against lock");
            }
        }
    }

    function invariant_CompensationNeverAboveLock() public view {
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            bytes32 leaseId = _handler.leaseList(i);
            for (uint256 n = 0; n < _handler.nodeCount(); ++n) {
                address node = _handler.nodeList(n);
                uint256 taken = _handler.compensatedFor(leaseId, node) + _handler.slashedFor(leaseId, node);
                assertLe(taken, _handler.lockedFor(leaseId, node), "compensated and slashed against lock");
            }
        }
    }

    function invariant_AtMostAFifthRewards() public view {
        (,,,,, uint256 forfeited) = _escrow.totals();
        assertLe(_handler.rewarded() * 5, _handler.slashed(), "rewarded against slashed");
        assertEq(_handler.rewarded() + _handler.burned() + forfeited, _handler.slashed(), "slashed in all");
    }

    // ---- TaskRegistry

    function invariant_BilledNeverAboveRun() public view {
        _notBroken("BilledNeverAboveRun");
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (, Lease memory lease, Task memory task) = _lease(i);
            assertLe(lease.billedSeconds + lease.downSeconds, lease.maxSeconds, "billed against the attempt's maximum");
            assertLe(lease.maxSeconds, task.maxDuration, "an attempt's maximum against the order's");
            if (lease.startedAt == 0) assertEq(lease.billedSeconds, 0, "billed before the start");
        }
    }

    function invariant_GangsBillTheirClock() public view {
        _notBroken("GangsBillTheirClock");
    }

    function invariant_EveryLeaseHasAWayOut() public {
        assertTrue(_handler.everyoneLeaves(), "funds, locks or capacity stay behind");
    }

    function invariant_StatusOnlyMovesForward() public view {
        _notBroken("StatusOnlyMovesForward");
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (bytes32 leaseId, Lease memory lease,) = _lease(i);
            assertTrue(lease.status == _handler.storyOf(leaseId).status, "a state changed without an event");
        }
    }

    function invariant_CheckpointsPayLostLeases() public view {
        _notBroken("CheckpointsPayLostLeases");
    }

    function invariant_LostAttemptsAreNeverPaid() public view {
        _notBroken("LostAttemptsAreNeverPaid");
    }

    function invariant_ExcludedOwnersNeverReturn() public view {
        _notBroken("ExcludedOwnersNeverReturn");
    }

    function invariant_AttemptsNeverAboveMaximum() public view {
        _notBroken("AttemptsNeverAboveMaximum");
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (, Lease memory lease, Task memory task) = _lease(i);
            assertLe(lease.attempt, task.maxAttempts, "attempts against the order's");
        }
    }

    function invariant_OnlyCommitmentsAreRevealed() public view {
        _notBroken("OnlyCommitmentsAreRevealed");
    }

    function invariant_OnlyTheMajorityIsPaid() public view {
        _notBroken("OnlyTheMajorityIsPaid");
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (bytes32 leaseId, Lease memory lease, Task memory task) = _lease(i);
            if (task.verification != Verification.Quorum || lease.status != LeaseStatus.Failed) continue;
            Ballot memory ballot = _tasks.getBallot(lease.taskId);
            if (ballot.isTallied && lease.attestationDigest != 0) assertEq(_handler.storyOf(leaseId).paid, 0, "paid");
        }
    }

    function invariant_ClaimsNeedAVerdict() public view {
        _notBroken("ClaimsNeedAVerdict");
    }

    function invariant_BondsAreTheOpenClaims() public view {
        uint256 bonds;
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (bytes32 leaseId, Lease memory lease,) = _lease(i);
            if (lease.status == LeaseStatus.Disputed) bonds += _tasks.getClaim(leaseId).bond;
        }
        assertEq(_escrow.totalBonds(), bonds, "bonds held against open claims");
    }

    function _notBroken(string memory invariant) private view {
        string memory what = _handler.broken(invariant);
        assertTrue(bytes(what).length == 0, what);
    }

    function _claims() private view returns (uint256) {
        (uint256 free, uint256 reserved, uint256 earnings, uint256 fees, uint256 stake, uint256 forfeited) =
            _escrow.totals();
        return free + reserved + earnings + fees + stake + forfeited + _escrow.totalBonds();
    }

    function _lease(uint256 index) private view returns (bytes32 leaseId, Lease memory lease, Task memory task) {
        leaseId = _handler.leaseList(index);
        lease = _tasks.getLease(leaseId);
        task = _tasks.getTask(lease.taskId);
    }

    function _reservedByLeases(bytes32 taskId) private view returns (uint256 reserved) {
        Task memory task = _tasks.getTask(taskId);
        for (uint32 i = 0; i < task.leaseCount; ++i) {
            Lease memory lease = _tasks.getLease(_tasks.leaseIdOf(taskId, i));
            if (!_isOver(lease.status)) reserved += lease.reserved;
        }
    }

    /// @dev What the lease holds of the node's stake, by its current attempt and by a lost one that still pays waiting.
    function _lockOf(uint256 index, address node) private view returns (uint256 lock) {
        (bytes32 leaseId, Lease memory lease,) = _lease(index);
        if (lease.node == node && _isHeld(lease.status)) lock += lease.lock;
        for (uint32 attempt = 1; attempt <= lease.attempt; ++attempt) {
            PastAttempt memory past = _tasks.getPastAttempt(leaseId, attempt);
            if (past.node == node && past.isLocked) lock += past.lock;
        }
    }

    /// @dev Capacity is taken from the award until the run's end.
    function _isBusy(LeaseStatus status) private pure returns (bool) {
        return status >= LeaseStatus.Assigned && status <= LeaseStatus.Stopping;
    }

    /// @dev A lock stays until the lease is over.
    function _isHeld(LeaseStatus status) private pure returns (bool) {
        return status >= LeaseStatus.Assigned && !_isOver(status);
    }

    function _isOver(LeaseStatus status) private pure returns (bool) {
        return status >= LeaseStatus.Settled && status <= LeaseStatus.Expired;
    }
}
