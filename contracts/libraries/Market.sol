// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILiveness} from "../interfaces/ILiveness.sol";
import {INodeRegistry} from "../interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "../interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {
    Ballot,
    DeliveryClaim,
    Gang,
    Lease,
    LeaseStatus,
    NodeStatus,
    PastAttempt,
    Task,
    TaskParameters,
    Terms,
    Verification
} from "../interfaces/Types.sol";

/// @dev Everything that TaskRegistry stores.
struct Market {
    TaskParameters parameters;
    Terms[] terms; // every version, the last one for new orders
    mapping(address consumer => uint256) nonces;
    mapping(bytes32 taskId => Task) tasks;
    mapping(bytes32 leaseId => Lease) leases;
    mapping(bytes32 taskId => Gang) gangs;
    mapping(bytes32 leaseId => mapping(uint32 attempt => PastAttempt)) past;
    mapping(bytes32 leaseId => mapping(address owner => bool)) excluded;
    mapping(bytes32 taskId => mapping(address node => uint32 keyVersion)) granted;
    mapping(address node => mapping(uint256 word => uint256 bits)) spentQuotes;
    mapping(address node => uint256) quotesVoidBelow;
    mapping(bytes32 taskId => Ballot) ballots;
    mapping(bytes32 leaseId => bytes32) commitments;
    mapping(bytes32 leaseId => bytes32) votes;
    mapping(bytes32 taskId => mapping(bytes32 vote => uint8)) tally;
    mapping(bytes32 leaseId => DeliveryClaim) claims;
}

/// @dev The other contracts, and the domain in which claims and quotes are signed.
struct Wiring {
    INodeRegistry nodes;
    IPaymentEscrow escrow;
    ILiveness liveness;
    bytes32 domain;
}

/// @title What every step of a lease looks up
library Markets {
    function leaseIdOf(bytes32 taskId, uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(taskId, index));
    }

    function termsOf(Market storage market, Task storage task) internal view returns (Terms storage) {
        return market.terms[task.termsVersion];
    }

    /// @dev Several leases that run as one; the replicas of a quorum do not.
    function isGang(Task storage task) internal view returns (bool) {
        return task.leaseCount > 1 && task.verification == Verification.Signed;
    }

    /// @dev Reverts unless the caller is the lease's operator, not revoked, and speaks of the current attempt.
    function requireOperator(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        uint32 attempt,
        address caller
    ) internal view returns (Lease storage lease) {
        lease = market.leases[leaseId];
        if (caller != lease.node || caller == address(0)) {
            revert ITaskRegistry.NotOperator(leaseId, lease.node, caller);
        }
        requireNotRevoked(wiring, caller);
        requireAttempt(leaseId, attempt, lease.attempt);
    }

    function requireConsumer(
        Market storage market,
        bytes32 taskId,
        address caller
    ) internal view returns (Task storage task) {
        task = market.tasks[taskId];
        if (caller != task.consumer) revert ITaskRegistry.NotConsumer(taskId, task.consumer, caller);
    }

    function requireNotRevoked(Wiring memory wiring, address node) internal view {
        if (wiring.nodes.statusOf(node) == NodeStatus.Retired) revert ITaskRegistry.OperatorIsRevoked(node);
    }

    function requireAttempt(bytes32 leaseId, uint32 given, uint32 current) internal pure {
        if (given != current) revert ITaskRegistry.WrongAttempt(leaseId, given, current);
    }

    /// @dev A lease holds its lock from its assignment until Settled, or until it ends without a claim.
    function holdsLock(LeaseStatus status) internal pure returns (bool) {
        return status == LeaseStatus.Assigned || status == LeaseStatus.Running || status == LeaseStatus.Stopping
            || status == LeaseStatus.Completed || status == LeaseStatus.Committed || status == LeaseStatus.Revealed
            || status == LeaseStatus.Disputed;
    }
}
