// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Ballot, Lease, LeaseStatus, OutputAttestation, Task, Terms, Verification} from "../interfaces/Types.sol";
import {Attestations} from "./Attestations.sol";
import {Deadlines} from "./Deadlines.sol";
import {Endings} from "./Endings.sol";
import {Market, Markets, Wiring} from "./Market.sol";

/// @title k of n replicas that say the same (rule 21)
/// @notice Each replica commits to its result before any is revealed. Those of the majority are completed; the minority is
/// unpaid, not slashed; who committed and does not reveal is slashed. It resists independent error, not one owner who holds
/// k of the nodes under other names.
library Quorums {
    using Markets for Market;

    /// @dev See {ITaskRegistry-commitResult}.
    function commit(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        uint32 attempt,
        bytes32 commitment,
        address caller
    ) external {
        Lease storage lease = market.requireOperator(wiring, leaseId, attempt, caller);
        bytes32 taskId = lease.taskId;
        Task storage task = market.tasks[taskId];
        if (lease.status != LeaseStatus.Running || task.verification != Verification.Quorum) {
            revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        }
        if (commitment == 0) revert ITaskRegistry.CommitmentMissing(leaseId);
        Deadlines.requireNotPassed(leaseId, Deadlines.current(market, leaseId, lease));
        lease.status = LeaseStatus.Committed;
        lease.lastClaimAt = uint64(block.timestamp);
        lease.offlineAtClaim = wiring.liveness.noteAlive(caller);
        market.commitments[leaseId] = commitment;
        Ballot storage ballot = market.ballots[taskId];
        ++ballot.committed;
        emit ITaskRegistry.ResultCommitted(leaseId, taskId, caller, attempt, commitment);
        _replicaDone(market, taskId, ballot, task);
        wiring.nodes.releaseCapacity(caller, leaseId, task.capacity);
    }

    /// @dev See {ITaskRegistry-revealResult}.
    function reveal(
        Market storage market,
        Wiring memory wiring,
        OutputAttestation calldata attestation,
        bytes calldata signature,
        bytes32 salt
    ) external {
        bytes32 leaseId = attestation.leaseId;
        Lease storage lease = market.leases[leaseId];
        if (lease.status != LeaseStatus.Committed) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        bytes32 taskId = lease.taskId;
        Ballot storage ballot = market.ballots[taskId];
        if (ballot.revealUntil == 0) revert ITaskRegistry.StillCommitting(taskId, ballot.pending);
        Deadlines.requireNotPassed(leaseId, ballot.revealUntil);
        Task storage task = market.tasks[taskId];
        Terms storage terms = market.termsOf(task);
        // Signed before anyone knew how long the others would take: the promise to keep the result counts from the commitment.
        Attestations.check(attestation, lease, task, terms, lease.lastClaimAt + terms.challengeWindow);
        bytes32 claim = Attestations.structHash(attestation);
        Attestations.requireSigner(wiring.domain, leaseId, lease.node, claim, signature);
        bytes32 commitment = commitmentOf(attestation, claim, lease.node, salt);
        if (commitment != market.commitments[leaseId]) {
            revert ITaskRegistry.WrongCommitment(leaseId, commitment, market.commitments[leaseId]);
        }

        Endings.fix(lease, Endings.ran(market, lease, attestation.started, lease.lastClaimAt, attestation.ended));
        bytes32 vote = keccak256(abi.encode(attestation.outputDigest, attestation.outcome, attestation.exitCode));
        lease.status = LeaseStatus.Revealed;
        lease.attestationDigest = claim;
        market.votes[leaseId] = vote;
        ++ballot.revealed;
        uint8 alike = ++market.tally[taskId][vote];
        if (alike >= task.threshold) ballot.winner = vote;
        emit ITaskRegistry.ResultRevealed(leaseId, taskId, lease.node, attestation, signature, alike);
    }

    /// @dev See {ITaskRegistry-tallyResults}.
    function tally(Market storage market, Wiring memory wiring, bytes32 taskId, address caller) external {
        Ballot storage ballot = market.ballots[taskId];
        Task storage task = market.tasks[taskId];
        Terms storage terms = market.termsOf(task);
        if (ballot.revealUntil == 0) revert ITaskRegistry.StillCommitting(taskId, ballot.pending);
        if (ballot.isTallied) revert ITaskRegistry.TaskIsOver(taskId);
        if (ballot.revealed != ballot.committed) {
            Deadlines.requireEnforceable(taskId, ballot.revealUntil, terms);
        }
        ballot.isTallied = true;
        emit ITaskRegistry.ResultsTallied(taskId, ballot.winner, ballot.committed, ballot.revealed);
        for (uint256 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            if (lease.status == LeaseStatus.Committed) {
                _slash(market, wiring, leaseId, lease, caller);
            } else if (lease.status == LeaseStatus.Revealed) {
                if (ballot.winner == 0) _payNoQuorum(market, wiring, leaseId, lease, terms);
                else if (market.votes[leaseId] != ballot.winner) _close(market, wiring, leaseId, lease, LeaseStatus.Revealed);
                else _complete(leaseId, lease, terms);
            }
        }
    }

    /// @dev A replica is lost before it committed: it counts against n.
    function replicaLost(Market storage market, bytes32 taskId) internal {
        _replicaDone(market, taskId, market.ballots[taskId], market.tasks[taskId]);
    }

    /// @dev Binds chain, registry and lease by the attestation's struct and the domain-free salt, which only the node knows.
    function commitmentOf(
        OutputAttestation calldata attestation,
        bytes32 claim,
        address node,
        bytes32 salt
    ) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                block.chainid,
                address(this),
                attestation.leaseId,
                attestation.attempt,
                node,
                attestation.outputDigest,
                claim,
                salt
            )
        );
    }

    /// @dev The last replica that committed or was lost opens the time of revealing.
    function _replicaDone(
        Market storage market,
        bytes32 taskId,
        Ballot storage ballot,
        Task storage task
    ) private {
        if (--ballot.pending != 0) return;
        ballot.revealUntil = uint64(block.timestamp) + market.termsOf(task).revealWindow;
        emit ITaskRegistry.RevealOpened(taskId, ballot.committed, ballot.revealUntil);
    }

    function _complete(bytes32 leaseId, Lease storage lease, Terms storage terms) private {
        lease.status = LeaseStatus.Completed;
        lease.endedAt = uint64(block.timestamp);
        lease.deadline = uint64(block.timestamp) + terms.challengeWindow;
        emit ITaskRegistry.ReplicaAgreed(
            leaseId, lease.taskId, lease.node, lease.billedSeconds, lease.downSeconds, lease.deadline
        );
    }

    /// @dev No k alike: each that revealed gets a part of its rate, the rest goes back.
    function _payNoQuorum(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        Terms storage terms
    ) private {
        lease.ratePerHour = uint128(uint256(lease.ratePerHour) * terms.noQuorumBps / 10_000);
        lease.status = LeaseStatus.Settled;
        lease.endedAt = uint64(block.timestamp);
        uint256 gross = Endings.pay(market, wiring, leaseId, lease, true);
        Endings.unlock(wiring, leaseId, lease);
        emit ITaskRegistry.LeaseSettled(leaseId, lease.taskId, lease.node, lease.billedSeconds, gross);
    }

    function _slash(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        address caller
    ) private {
        uint256 slashed = wiring.nodes.slash(lease.node, leaseId, lease.lock, true, caller);
        lease.lock -= uint128(slashed);
        emit ITaskRegistry.NotRevealed(leaseId, lease.taskId, lease.node, slashed);
        _close(market, wiring, leaseId, lease, LeaseStatus.Committed);
    }

    /// @dev Ends a replica unpaid; its capacity is free since it committed.
    function _close(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        LeaseStatus from
    ) private {
        lease.status = LeaseStatus.Failed;
        lease.endedAt = uint64(block.timestamp);
        lease.billedSeconds = 0;
        lease.downSeconds = 0;
        Endings.pay(market, wiring, leaseId, lease, true);
        Endings.unlock(wiring, leaseId, lease);
        emit ITaskRegistry.LeaseEnded(leaseId, lease.taskId, lease.node, from, LeaseStatus.Failed, 0, 0);
    }
}
