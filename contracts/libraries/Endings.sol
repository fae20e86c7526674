// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Lease, LeaseStatus, PastAttempt, Payment, Task, Terms} from "../interfaces/Types.sol";
import {Billing} from "./Billing.sol";
import {Clocks} from "./Clocks.sol";
import {Market, Markets, Wiring} from "./Market.sol";

/// @title How an attempt ends
/// @notice Silence is not paid (rule 15): what ends without an accepted claim is paid to its last one. A lost attempt's
/// pay is fixed before anything else; what is left of its lease's reservation is the next attempt's (rule 17).
library Endings {
    using Markets for Market;
    using Markets for Task;

    /// @dev Seconds of a run between the operator's and the blocks' words, on the gang's clock where there is one.
    function ran(
        Market storage market,
        Lease storage lease,
        uint64 started,
        uint64 blockEnd,
        uint64 ended
    ) internal view returns (uint64) {
        if (!market.tasks[lease.taskId].isGang()) {
            return Billing.ran(lease.startedAt, started, blockEnd, ended, lease.maxSeconds);
        }
        uint64 from = started > lease.startedAt ? started : lease.startedAt;
        uint64 to = ended < blockEnd ? ended : blockEnd;
        return uint64(Math.min(Clocks.overlap(market.gangs[lease.taskId], from, to), lease.maxSeconds));
    }

    /// @dev Fixes what the attempt is paid for: the seconds it ran less those in which its node was offline (rule 14).
    function fix(Lease storage lease, uint64 ranSeconds) internal {
        uint64 down = uint64(Math.min(lease.offlineAtClaim - lease.offlineAtStart, ranSeconds));
        lease.downSeconds = down;
        lease.billedSeconds = ranSeconds - down;
    }

    /// @dev Pays the attempt's fixed seconds. Final: the rest of the lease's reservation is the consumer's again.
    function pay(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        bool isFinal
    ) internal returns (uint256 gross) {
        Task storage task = market.tasks[lease.taskId];
        uint64 ranSeconds = lease.billedSeconds + lease.downSeconds;
        address owner = ranSeconds == 0 ? address(0) : wiring.nodes.ownerOf(lease.node);
        gross = wiring.escrow.pay(
            Payment({
                taskId: lease.taskId,
                leaseId: leaseId,
                attempt: lease.attempt,
                owner: owner,
                ranSeconds: ranSeconds,
                downSeconds: lease.downSeconds,
                ratePerHour: lease.ratePerHour,
                reserved: lease.reserved,
                isFinal: isFinal,
                feeBps: market.termsOf(task).feeBps
            })
        );
    }

    function unlock(Wiring memory wiring, bytes32 leaseId, Lease storage lease) internal {
        uint128 lock = lease.lock;
        if (lock != 0) wiring.nodes.unlockStake(lease.node, leaseId, lock);
    }

    /// @dev Ends a lease that has no accepted claim: pays to its last one, gives everything back.
    function end(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        LeaseStatus to
    ) internal returns (uint256 gross) {
        LeaseStatus from = lease.status;
        lease.status = to;
        lease.endedAt = uint64(block.timestamp);
        _fixToLastClaim(market, lease);
        gross = pay(market, wiring, leaseId, lease, true);
        if (from != LeaseStatus.Open) {
            wiring.nodes.releaseCapacity(lease.node, leaseId, market.tasks[lease.taskId].capacity);
            unlock(wiring, leaseId, lease);
        }
        emit ITaskRegistry.LeaseEnded(leaseId, lease.taskId, lease.node, from, to, lease.billedSeconds, gross);
    }

    /// @dev Whether a lost attempt leaves enough for another (rule 17): an attempt, and `minRun` seconds that are paid for.
    function leavesEnough(
        Market storage market,
        Lease storage lease
    ) internal view returns (bool) {
        Task storage task = market.tasks[lease.taskId];
        if (lease.attempt >= task.maxAttempts) return false;
        Terms storage terms = market.termsOf(task);
        uint64 ranSeconds = ran(market, lease, lease.startedAt, lease.lastClaimAt, lease.lastClaimAt);
        return lease.maxSeconds - ranSeconds >= terms.minRun;
    }

    /// @dev Pays a lost attempt and opens its lease for another node, with what is left of seconds and reservation.
    /// `keepsLock`: a gang's standby is still to be paid out of it.
    function reopen(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        uint64 deadline,
        bool keepsLock
    ) internal returns (uint256 gross) {
        address node = lease.node;
        uint32 attempt = lease.attempt;
        _fixToLastClaim(market, lease);
        gross = pay(market, wiring, leaseId, lease, false);
        wiring.nodes.releaseCapacity(node, leaseId, market.tasks[lease.taskId].capacity);
        if (!keepsLock) unlock(wiring, leaseId, lease);
        market.past[leaseId][attempt] =
            PastAttempt(node, uint64(block.timestamp), keepsLock, lease.isProven, lease.lock);
        market.excluded[leaseId][wiring.nodes.ownerOf(node)] = true;
        emit ITaskRegistry.AttemptLost(leaseId, lease.taskId, node, attempt, lease.billedSeconds, gross);

        uint128 left = lease.reserved - uint128(gross);
        uint256 affordable = Billing.affordable(left, lease.ratePerHour);
        lease.maxSeconds =
            uint32(Math.min(lease.maxSeconds - lease.billedSeconds - lease.downSeconds, affordable));
        lease.reserved = left;
        lease.status = LeaseStatus.Open;
        lease.acceptedAt = uint64(block.timestamp);
        lease.deadline = deadline;
        _clear(lease);
        emit ITaskRegistry.LeaseReopened(
            leaseId, lease.taskId, attempt, lease.maxSeconds, deadline, lease.lastStep, lease.checkpointDigest
        );
    }

    /// @dev The lost attempt is in `past`; the lease begins anew, at its last checkpoint.
    function _clear(Lease storage lease) private {
        lease.node = address(0);
        lease.hasKey = false;
        lease.isProven = false;
        lease.startedAt = 0;
        lease.lastClaimAt = 0;
        lease.lock = 0;
        lease.stoppedAt = 0;
        lease.billedSeconds = 0;
        lease.downSeconds = 0;
        lease.offlineAtStart = 0;
        lease.offlineAtClaim = 0;
    }

    function _fixToLastClaim(Market storage market, Lease storage lease) private {
        fix(lease, ran(market, lease, lease.startedAt, lease.lastClaimAt, lease.lastClaimAt));
    }
}
