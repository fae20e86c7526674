// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Lease, LeaseStatus, Task} from "../interfaces/Types.sol";

/// @title Until when
/// @notice Every live state has a deadline. Its actor acts while `t <= deadline`; anyone enforces it when
/// `t > deadline + outageGrace` (rule 27).
library Deadlines {
    /// @dev Until when the actor of the lease's state may act. Reverts for states that end otherwise.
    function current(bytes32 leaseId, Lease storage lease, Task storage task) internal view returns (uint64) {
        LeaseStatus status = lease.status;
        if (status == LeaseStatus.Open) return task.openUntil;
        if (status == LeaseStatus.Assigned) return lease.startDeadline;
        if (status == LeaseStatus.Running) {
            return lease.startedAt + task.maxDuration + task.terms.completionGrace;
        }
        if (status == LeaseStatus.Stopping) return lease.stoppedAt + task.terms.completionGrace;
        revert ITaskRegistry.WrongStatus(leaseId, status);
    }

    /// @dev Reverts once the actor's time is over.
    function requireNotPassed(bytes32 leaseId, uint64 deadline) internal view {
        if (block.timestamp > deadline) {
            revert ITaskRegistry.DeadlinePassed(leaseId, deadline, uint64(block.timestamp));
        }
    }

    /// @dev Reverts until anyone may enforce the deadline.
    function requireEnforceable(bytes32 leaseId, uint64 deadline, Task storage task) internal view {
        uint64 enforceableAfter = deadline + task.terms.outageGrace;
        if (block.timestamp <= enforceableAfter) {
            revert ITaskRegistry.DeadlineNotPassed(leaseId, enforceableAfter, uint64(block.timestamp));
        }
    }
}
