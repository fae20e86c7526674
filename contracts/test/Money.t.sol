// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Capacity, Lease, LeaseStatus, Task} from "../interfaces/Types.sol";
import {Billing} from "../libraries/Billing.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {PaymentEscrow} from "../PaymentEscrow.sol";
import {TaskRegistry} from "../TaskRegistry.sol";
import {Cheats} from "./Cheats.sol";
import {DemoDollar} from "./DemoDollar.sol";
import {MarketHandler} from "./MarketHandler.t.sol";

/// @title The money rules, held against any sequence of calls by all actors
/// @notice Each test has the name of an invariant in the header of the contract that promises it.
contract MoneyTest is Cheats {
    MarketHandler private _handler;
    DemoDollar private _token;
    NodeRegistry private _nodes;
    TaskRegistry private _tasks;
    PaymentEscrow private _escrow;

    function setUp() public {
        _handler = new MarketHandler();
        (_token, _nodes, _tasks, _escrow) = _handler.contracts();
    }

    /// @dev The fuzzer calls the actors, not the contracts.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev After each run of the fuzzer: its calls have brought leases to their end.
    function afterInvariant() public view {
        uint256 over;
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (, Lease memory lease,) = _lease(i);
            if (lease.status >= LeaseStatus.Settled) ++over;
        }
        assertTrue(over != 0, "no lease came to its end in this run");
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
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (,, uint256 held) = _escrow.reservedFor(_handler.leaseList(i));
            reserved -= held;
        }
        assertEq(reserved, 0, "nothing beside the leases");
    }

    function invariant_NoLeasePaidAboveReserve() public view {
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (bytes32 leaseId, Lease memory lease, Task memory task) = _lease(i);
            uint256 paid = _handler.paidTo(leaseId);
            assertLe(paid, lease.reserved, "paid against reserved");
            bool over = lease.status >= LeaseStatus.Settled;
            uint256 due = Billing.gross(task.ratePerHour, lease.billedSeconds, lease.reserved);
            assertEq(paid, over ? due : 0, "paid once, at the end");
        }
    }

    function invariant_EndedTasksHoldNothing() public view {
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (bytes32 leaseId, Lease memory lease,) = _lease(i);
            (,, uint256 held) = _escrow.reservedFor(leaseId);
            assertEq(held, lease.status >= LeaseStatus.Settled ? 0 : lease.reserved, "held");
        }
    }

    function invariant_NoRoleMovesTokens() public view {
        uint256 expected = _handler.tokensIn() - _handler.tokensOut();
        assertEq(_token.balanceOf(address(_escrow)), expected, "what its owners put in and took out");
    }

    // ---- NodeRegistry

    function invariant_LockedNeverAboveStaked() public view {
        for (uint256 n = 0; n < _handler.nodeCount(); ++n) {
            address node = _handler.nodeList(n);
            (uint256 staked, uint256 locked,,) = _nodes.stakeOf(node);
            assertLe(locked, staked, "locked against staked");
            for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
                (, Lease memory lease,) = _lease(i);
                if (lease.node == node && _isHeld(lease.status)) locked -= lease.lock;
            }
            assertEq(locked, 0, "locked beside the leases");
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
                if (lease.node != node || !_isHeld(lease.status) || lease.status == LeaseStatus.Completed) continue;
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
            assertLe(_handler.slashedFor(leaseId), _handler.lockedFor(leaseId), "slashed against lock");
        }
    }

    function invariant_AtMostAFifthRewards() public view {
        (,,,,, uint256 forfeited) = _escrow.totals();
        assertLe(_handler.rewarded() * 5, _handler.slashed(), "rewarded against slashed");
        assertEq(_handler.rewarded() + _handler.burned() + forfeited, _handler.slashed(), "slashed in all");
    }

    // ---- TaskRegistry

    function invariant_BilledNeverAboveRun() public view {
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (, Lease memory lease, Task memory task) = _lease(i);
            assertLe(lease.billedSeconds, task.maxDuration, "billed against maximum");
            if (lease.startedAt == 0) {
                assertEq(lease.billedSeconds, 0, "billed before the start");
                continue;
            }
            uint256 end = lease.stoppedAt != 0 ? lease.stoppedAt : lease.endedAt;
            uint256 run = end < lease.startedAt ? 0 : end - lease.startedAt;
            bool attested = lease.attestationDigest != 0;
            uint256 least = attested && lease.stoppedAt != 0 ? task.terms.minBilled : 0;
            assertLe(lease.billedSeconds, run > least ? run : least, "billed against run");
        }
    }

    function invariant_EveryLeaseHasAWayOut() public {
        uint256 id = vm.snapshotState();
        assertTrue(_handler.everyoneLeaves(), "funds, locks or capacity stay behind");
        vm.revertToState(id);
    }

    function invariant_StatusOnlyMovesForward() public view {
        assertTrue(!_handler.movedBackwards(), "a lease came back");
    }

    function invariant_CheckpointsPayLostLeases() public view {
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            (, Lease memory lease, Task memory task) = _lease(i);
            if (lease.status != LeaseStatus.Failed && lease.status != LeaseStatus.Expired) continue;
            uint256 claimed = lease.lastClaimAt - lease.startedAt;
            uint256 due = claimed < task.maxDuration ? claimed : task.maxDuration;
            assertEq(lease.billedSeconds, due, "billed to the last claim");
        }
    }

    function _claims() private view returns (uint256) {
        (uint256 free, uint256 reserved, uint256 earnings, uint256 fees, uint256 stake, uint256 forfeited) =
            _escrow.totals();
        return free + reserved + earnings + fees + stake + forfeited;
    }

    function _lease(uint256 index) private view returns (bytes32 leaseId, Lease memory lease, Task memory task) {
        leaseId = _handler.leaseList(index);
        lease = _tasks.getLease(leaseId);
        task = _tasks.getTask(lease.taskId);
    }

    function _isHeld(LeaseStatus status) private pure returns (bool) {
        return status >= LeaseStatus.Assigned && status <= LeaseStatus.Completed;
    }
}
