// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Gang, Lease, LeaseStatus, Task, Terms} from "../interfaces/Types.sol";
import {Clocks} from "./Clocks.sol";
import {Market, Markets} from "./Market.sol";

/// @title Until when
/// @notice Every live state has a deadline. Its actor acts while `t <= deadline`; anyone enforces it when
/// `t > deadline + outageGrace` (rule 27). A member of a gang that waits for others has theirs, not one of its own.
library Deadlines {
    using Markets for Market;
    using Markets for Task;

    uint64 internal constant NONE = type(uint64).max;

    /// @dev Until when the actor of the lease's state may act. Reverts for states that end otherwise.
    function current(Market storage market, bytes32 leaseId, Lease storage lease) internal view returns (uint64) {
        LeaseStatus status = lease.status;
        if (status == LeaseStatus.Running) return _running(market, lease);
        if (status == LeaseStatus.Open || status == LeaseStatus.Assigned || status == LeaseStatus.Stopping) {
            return lease.deadline;
        }
        revert ITaskRegistry.WrongStatus(leaseId, status);
    }

    /// @dev Reverts once the actor's time is over.
    function requireNotPassed(bytes32 leaseId, uint64 deadline) internal view {
        if (block.timestamp > deadline) {
            revert ITaskRegistry.DeadlinePassed(leaseId, deadline, uint64(block.timestamp));
        }
    }

    /// @dev Reverts until anyone may enforce the deadline.
    function requireEnforceable(bytes32 leaseId, uint64 deadline, Terms storage terms) internal view {
        uint256 enforceableAfter = uint256(deadline) + terms.outageGrace;
        if (block.timestamp <= enforceableAfter) {
            revert ITaskRegistry.DeadlineNotPassed(leaseId, enforceableAfter, uint64(block.timestamp));
        }
    }

    function _running(Market storage market, Lease storage lease) private view returns (uint64) {
        Task storage task = market.tasks[lease.taskId];
        uint64 grace = market.termsOf(task).completionGrace;
        if (!task.isGang()) return lease.startedAt + lease.maxSeconds + grace;
        Gang storage gang = market.gangs[lease.taskId];
        uint64 from = Clocks.runsSince(gang);
        if (from == 0) return NONE;
        uint64 used = Clocks.overlap(gang, lease.startedAt, from);
        return (from > lease.startedAt ? from : lease.startedAt) + lease.maxSeconds - used + grace;
    }
}
