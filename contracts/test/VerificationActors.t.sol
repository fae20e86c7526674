// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ballot, Lease, LeaseStatus, OutputAttestation} from "../interfaces/Types.sol";
import {Attestations} from "../libraries/Attestations.sol";
import {Deliveries} from "../libraries/Deliveries.sol";
import {LeaseActors} from "./LeaseActors.t.sol";

/// @title Replicas that commit and reveal, and claims that a result was not delivered, driven by the fuzzer
abstract contract VerificationActors is LeaseActors {
    uint256 public slashed;
    uint256 public rewarded; // of what was slashed

    mapping(bytes32 leaseId => OutputAttestation) private _commitments;

    // ---- a quorum

    /// @dev Three replicas of one order, of which two must agree.
    function awardQuorum(uint256 who, uint256 rate, uint256 duration, uint256 seed, uint256 wait) external then(wait) {
        if (leaseList.length + 3 > MAX_LEASES) return;
        _award(who, 3, bound(rate, 1, 30_000), bound(duration, 1, 400), seed & ~QUORUM_MASK | QUORUM_BITS);
    }

    /// @dev Two of three nodes find the same; the third may find something else.
    function commitResult(uint256 which, uint256 by, uint256 ended, uint256 wait) external then(wait) {
        bytes32 leaseId = _replicaIn(which, LeaseStatus.Running);
        if (leaseId == 0) return;
        Lease memory lease = tasks.getLease(leaseId);
        OutputAttestation memory claim =
            _attestation(leaseId, lease.attempt, by % 4 == 0 ? "other" : by % 4 == 1 ? "third" : "output");
        claim.started = lease.startedAt;
        claim.ended = uint64(bound(ended, claim.started, _clock + 60));
        _commitments[leaseId] = claim;
        vm.prank(lease.node);
        tasks.commitResult(leaseId, lease.attempt, _commitmentOf(leaseId, claim, lease.node));
        ++done["commitResult"];
    }

    /// @dev What was committed to; now and then another result, which must be refused.
    function revealResult(uint256 which, uint256 how, uint256 wait) external then(wait) {
        bytes32 leaseId = _replicaIn(which, LeaseStatus.Committed);
        if (leaseId == 0) return;
        OutputAttestation memory claim = _commitments[leaseId];
        bool isChanged = how % 4 == 0;
        if (isChanged) claim.outputDigest = keccak256("changed");
        bytes memory signature = _sign(_stories[leaseId].node, tasks.attestationHash(claim));
        try tasks.revealResult(claim, signature, _saltOf(leaseId)) {
            _hold(!isChanged, "OnlyCommitmentsAreRevealed", "another result than the one committed to");
            ++done["revealResult"];
        } catch {
            ++done[isChanged ? "changed result refused" : "refused"];
        }
    }

    /// @dev By an owner, maybe of one that did not reveal: whoever counts is rewarded for each of these.
    function tallyResults(uint256 which, uint256 by, uint256 wait) external then(wait) {
        uint256 count = taskList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 taskId = taskList[(which % count + i) % count];
            Ballot memory ballot = tasks.getBallot(taskId);
            if (ballot.revealUntil == 0 || ballot.isTallied) continue;
            // Half of the time it is called when all have revealed, else when it is due.
            if (ballot.revealed != ballot.committed && by % 2 == 0) continue;
            _tally(taskId, _owners[by % OWNERS]);
            return;
        }
    }

    // ---- delivery

    function claimUndelivered(uint256 which, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Completed);
        if (leaseId == 0) return;
        vm.prank(_consumerOf(leaseId));
        tasks.claimUndelivered(leaseId);
        ++done["claimUndelivered"];
    }

    /// @dev The node has the consumer's receipt, or one that somebody else has signed.
    function answerWithReceipt(uint256 which, uint256 how, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Disputed);
        if (leaseId == 0) return;
        Lease memory lease = tasks.getLease(leaseId);
        bool isForged = how % 4 == 0;
        bytes32 structHash =
            keccak256(abi.encode(Deliveries.RECEIPT_TYPEHASH, leaseId, lease.attempt, lease.attestationDigest));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", tasks.domainSeparator(), structHash));
        bytes memory signature = _sign(isForged ? lease.node : _consumerOf(leaseId), digest);
        try tasks.answerWithReceipt(leaseId, signature) {
            _hold(!isForged, "ClaimsNeedAVerdict", "a receipt that the consumer has not signed");
            ++done["answerWithReceipt"];
        } catch {
            ++done[isForged ? "forged receipt refused" : "refused"];
        }
    }

    /// @dev The whole committee's word, or that of a colluding minority, which must do nothing.
    function answerWithAttesters(uint256 which, uint256 how, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Disputed);
        if (leaseId == 0) return;
        (,,, address[] memory seats) = liveness.committee();
        bool fetched = how % 2 == 0;
        uint256 signers = how % 3 == 0 ? liveness.quorumOf() - 1 : seats.length;
        bytes[] memory signatures = new bytes[](signers);
        bytes32 digest = tasks.verdictHash(leaseId, fetched);
        for (uint256 i = 0; i < signers; ++i) {
            signatures[i] = _sign(seats[i], digest);
        }
        try tasks.answerWithAttesters(leaseId, fetched, signatures) {
            _hold(signers == seats.length, "ClaimsNeedAVerdict", "a minority of the committee has judged");
            ++done[fetched ? "verdict: fetched" : "verdict: not fetched"];
        } catch {
            ++done[signers < seats.length ? "minority refused" : "refused"];
        }
    }

    function lapseClaim(uint256 which, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Disputed);
        if (leaseId == 0) return;
        tasks.lapseClaim(leaseId);
        ++done["lapseClaim"];
    }

    // ---- the steps themselves

    function _tally(bytes32 taskId, address by) internal {
        uint256[3] memory locks;
        for (uint32 i = 0; i < 3; ++i) {
            locks[i] = tasks.getLease(tasks.leaseIdOf(taskId, i)).lock;
        }
        (,,,, uint256 before,) = escrow.totals();
        uint256 free = escrow.freeOf(by);
        vm.prank(by);
        tasks.tallyResults(taskId);
        (,,,, uint256 left,) = escrow.totals();
        for (uint32 i = 0; i < 3; ++i) {
            bytes32 leaseId = tasks.leaseIdOf(taskId, i);
            Lease memory lease = tasks.getLease(leaseId);
            if (locks[i] == lease.lock) continue;
            slashedFor[leaseId][lease.node] += locks[i] - lease.lock;
            ++done["slash of who did not reveal"];
        }
        slashed += before - left;
        rewarded += escrow.freeOf(by) - free;
        Ballot memory ballot = tasks.getBallot(taskId);
        if (ballot.committed == 0) ++done["tally of none"];
        else ++done[ballot.winner == 0 ? "tally without a majority" : "tally with a majority"];
    }

    function _commitmentOf(
        bytes32 leaseId,
        OutputAttestation memory claim,
        address node
    ) private view returns (bytes32) {
        bytes32 structHash = keccak256(abi.encode(Attestations.TYPEHASH, claim));
        return keccak256(
            abi.encode(
                block.chainid,
                address(tasks),
                leaseId,
                claim.attempt,
                node,
                claim.outputDigest,
                structHash,
                _saltOf(leaseId)
            )
        );
    }

    function _saltOf(bytes32 leaseId) private pure returns (bytes32) {
        return keccak256(abi.encode("salt", leaseId));
    }

    /// @dev The first replica of a quorum in this state, looking from a fuzzed place.
    function _replicaIn(uint256 from, LeaseStatus status) private view returns (bytes32) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(from % count + i) % count];
            if (_stories[leaseId].status == status && _isQuorum(_stories[leaseId].taskId)) return leaseId;
        }
        return 0;
    }

    function _consumerOf(bytes32 leaseId) private view returns (address) {
        return tasks.getTask(_stories[leaseId].taskId).consumer;
    }
}
