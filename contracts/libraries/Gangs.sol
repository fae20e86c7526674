// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Gang, Lease, LeaseStatus, PastAttempt, Task, Terms} from "../interfaces/Types.sol";
import {Billing} from "./Billing.sol";
import {Clocks} from "./Clocks.sol";
import {Endings} from "./Endings.sol";
import {Market, Markets, Wiring} from "./Market.sol";

/// @title Leases that run as one (rule 13)
/// @notice One billing clock; one replacement round; who does not start pays the waiting of those who did. All loops are
/// over the members of one task, 64 at most.
library Gangs {
    using Markets for Market;

    /// @dev A member has started. The clock starts with the last of them, and pays those who waited for a replacement.
    function memberStarted(Market storage market, Wiring memory wiring, bytes32 taskId) internal {
        Gang storage gang = market.gangs[taskId];
        if (++gang.running != gang.live) return;
        _payStandby(market, wiring, taskId, gang);
        gang.replaceUntil = 0;
        Clocks.start(gang);
        emit ITaskRegistry.GangStarted(taskId, uint64(block.timestamp));
    }

    /// @dev A member's run has ended with a claim; the clock of the others goes on.
    function memberCompleted(Market storage market, bytes32 taskId, LeaseStatus from) internal {
        Gang storage gang = market.gangs[taskId];
        if (gang.isOver || from != LeaseStatus.Running) return;
        --gang.live;
        --gang.running;
    }

    /// @dev A member is lost at `stopTime`: the first time its lease is given to another node, then the gang is over.
    /// `isBlamed`: lost before the start by its own word, not by what others say of it (rule 26).
    function memberLost(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        LeaseStatus to,
        uint64 stopTime,
        bool isBlamed
    ) internal {
        bytes32 taskId = lease.taskId;
        Gang storage gang = market.gangs[taskId];
        if (gang.isOver) {
            Endings.end(market, wiring, leaseId, lease, to);
            return;
        }
        if (gang.firstFrom == 0) {
            bool[] memory blamed = new bool[](market.tasks[taskId].leaseCount);
            blamed[lease.index] = isBlamed && lease.hasKey;
            _fail(market, wiring, taskId, blamed);
            return;
        }
        bool wasRunning = Clocks.runsSince(gang) != 0;
        Clocks.stop(gang, stopTime);
        if (wasRunning && gang.stoppedAt == 0 && _hasTimeLeft(market, gang, lease)) {
            uint64 until = uint64(block.timestamp) + market.termsOf(market.tasks[taskId]).replaceWindow;
            gang.stoppedAt = gang.firstTo;
            gang.replaceUntil = until;
            gang.lostLease = leaseId;
            gang.lostAttempt = lease.attempt;
            --gang.running;
            emit ITaskRegistry.GangStopped(taskId, leaseId, gang.firstTo, until);
            Endings.reopen(market, wiring, leaseId, lease, until, true);
            return;
        }
        Endings.end(market, wiring, leaseId, lease, to);
        windDown(market, wiring, taskId, LeaseStatus.Expired, stopTime);
    }

    /// @dev Ends a gang: the clock stands, who runs may still deliver what it has, who does not run is free.
    function windDown(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        LeaseStatus to,
        uint64 stopTime
    ) internal {
        Gang storage gang = market.gangs[taskId];
        Task storage task = market.tasks[taskId];
        Clocks.stop(gang, stopTime);
        _payStandby(market, wiring, taskId, gang);
        gang.isOver = true;
        uint64 deadline = uint64(block.timestamp) + market.termsOf(task).completionGrace;
        for (uint256 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            if (lease.status == LeaseStatus.Running) {
                lease.status = LeaseStatus.Stopping;
                lease.stoppedAt = uint64(block.timestamp);
                lease.deadline = deadline;
                emit ITaskRegistry.LeaseStopping(leaseId, lease.node, lease.stoppedAt);
            } else if (lease.status == LeaseStatus.Open || lease.status == LeaseStatus.Assigned) {
                Endings.end(market, wiring, leaseId, lease, to);
            }
        }
    }

    /// @dev Not all started in the window: everything ends unpaid, and each that is late pays its part of the waiting.
    function failLate(Market storage market, Wiring memory wiring, bytes32 taskId) internal {
        Task storage task = market.tasks[taskId];
        uint64 grace = market.termsOf(task).outageGrace;
        bool[] memory blamed = new bool[](task.leaseCount);
        for (uint256 i = 0; i < blamed.length; ++i) {
            Lease storage lease = market.leases[Markets.leaseIdOf(taskId, i)];
            blamed[i] = lease.status == LeaseStatus.Assigned && lease.hasKey && block.timestamp > lease.deadline + grace;
        }
        _fail(market, wiring, taskId, blamed);
    }

    /// @dev Whether a replacement would still run with the others: another attempt, and `minRun` on the common clock.
    function _hasTimeLeft(Market storage market, Gang storage gang, Lease storage lease) private view returns (bool) {
        uint256 used = Clocks.overlap(gang, lease.startedAt, uint64(block.timestamp));
        uint32 minRun = market.termsOf(market.tasks[lease.taskId]).minRun;
        return used + minRun <= lease.maxSeconds && Endings.leavesEnough(market, lease);
    }

    function _fail(Market storage market, Wiring memory wiring, bytes32 taskId, bool[] memory blamed) private {
        market.gangs[taskId].isOver = true;
        _payWaiting(market, wiring, taskId, blamed);
        for (uint256 i = 0; i < blamed.length; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            if (lease.status == LeaseStatus.Assigned || lease.status == LeaseStatus.Running) {
                Endings.end(market, wiring, leaseId, lease, LeaseStatus.Failed);
            }
        }
    }

    /// @dev Takes from each of the blamed an equal part of the waiting, at most its lock, and gives it to those who waited
    /// in proportion: walks both lists side by side, so that there are at most as many transfers as members.
    function _payWaiting(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        bool[] memory blamed
    ) private {
        (uint256[] memory owed, uint256 total, uint256 count) = _waiting(market, taskId, blamed);
        if (total == 0 || count == 0) return;
        uint256[] memory parts = new uint256[](blamed.length);
        uint256 pot;
        for (uint256 i = 0; i < blamed.length; ++i) {
            if (!blamed[i]) continue;
            parts[i] = Math.min(total / count, market.leases[Markets.leaseIdOf(taskId, i)].lock);
            pot += parts[i];
        }
        uint256 payer;
        for (uint256 i = 0; i < owed.length; ++i) {
            uint256 due = Math.mulDiv(owed[i], pot, total);
            while (due != 0) {
                // What is due is never more than what is left: each share of the pot is rounded down.
                while (parts[payer] == 0) ++payer;
                uint256 amount = Math.min(due, parts[payer]);
                parts[payer] -= amount;
                due -= amount;
                _compensate(market, wiring, Markets.leaseIdOf(taskId, payer), Markets.leaseIdOf(taskId, i), amount);
            }
        }
    }

    /// @dev What each member that has started earns by its waiting so far, and how many are blamed.
    function _waiting(
        Market storage market,
        bytes32 taskId,
        bool[] memory blamed
    ) private view returns (uint256[] memory owed, uint256 total, uint256 count) {
        uint16 share = market.termsOf(market.tasks[taskId]).standbyBps;
        owed = new uint256[](blamed.length);
        for (uint256 i = 0; i < blamed.length; ++i) {
            if (blamed[i]) ++count;
            Lease storage lease = market.leases[Markets.leaseIdOf(taskId, i)];
            if (blamed[i] || lease.status != LeaseStatus.Running) continue;
            owed[i] = Billing.standby(lease.ratePerHour, block.timestamp - lease.startedAt, share);
            total += owed[i];
        }
    }

    function _compensate(
        Market storage market,
        Wiring memory wiring,
        bytes32 from,
        bytes32 to,
        uint256 amount
    ) private {
        Lease storage payer = market.leases[from];
        payer.lock -= uint128(amount);
        wiring.nodes.compensate(payer.node, from, amount, wiring.nodes.ownerOf(market.leases[to].node));
        emit ITaskRegistry.WaitingPaid(from, to, amount);
    }

    /// @dev Pays the survivors' waiting out of the lost attempt's lock, and unlocks what is left of it.
    function _payStandby(Market storage market, Wiring memory wiring, bytes32 taskId, Gang storage gang) private {
        bytes32 lost = gang.lostLease;
        if (lost == 0) return;
        gang.lostLease = 0;
        PastAttempt storage attempt = market.past[lost][gang.lostAttempt];
        Task storage task = market.tasks[taskId];
        uint16 share = market.termsOf(task).standbyBps;
        uint256 waited = Math.min(block.timestamp, gang.replaceUntil) - gang.stoppedAt;
        for (uint256 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            if (leaseId == lost || lease.status != LeaseStatus.Running) continue;
            uint256 amount = Math.min(Billing.standby(lease.ratePerHour, waited, share), attempt.lock);
            if (amount == 0) continue;
            attempt.lock -= uint128(amount);
            wiring.nodes.compensate(attempt.node, lost, amount, wiring.nodes.ownerOf(lease.node));
            emit ITaskRegistry.WaitingPaid(lost, leaseId, amount);
        }
        attempt.isLocked = false;
        if (attempt.lock != 0) wiring.nodes.unlockStake(attempt.node, lost, attempt.lock);
    }
}
