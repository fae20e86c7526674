// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {DeliveryClaim, Lease, LeaseStatus, Task, Terms} from "../interfaces/Types.sol";
import {Deadlines} from "./Deadlines.sol";
import {Endings} from "./Endings.sol";
import {Market, Markets, Wiring} from "./Market.sol";

/// @title "I could not fetch the result" (rules 20 and 23)
/// @notice The consumer puts a bond on it, and the lease stands still. The node answers with the consumer's receipt, or with
/// more than two thirds of the attesters that fetched the ciphertext: the bond is its owner's. As many attesters who could
/// not fetch it: the lease is unpaid. Neither by the deadline is no verdict: the bond goes back, and the lease settles as if
/// nothing had been claimed.
library Deliveries {
    using Markets for Market;

    bytes32 internal constant RECEIPT_TYPEHASH =
        keccak256("Receipt(bytes32 leaseId,uint32 attempt,bytes32 attestationDigest)");
    bytes32 internal constant VERDICT_TYPEHASH = keccak256(
        "DeliveryVerdict(bytes32 leaseId,uint32 attempt,bytes32 attestationDigest,uint64 claimedAt,bool fetched)"
    );

    /// @dev See {ITaskRegistry-claimUndelivered}.
    function claim(Market storage market, Wiring memory wiring, bytes32 leaseId, address caller) external {
        Lease storage lease = market.leases[leaseId];
        Task storage task = market.requireConsumer(lease.taskId, caller);
        if (lease.status != LeaseStatus.Completed) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        Deadlines.requireNotPassed(leaseId, lease.deadline);
        Terms storage terms = market.termsOf(task);
        uint64 answerUntil = uint64(block.timestamp) + terms.answerWindow;
        market.claims[leaseId] = DeliveryClaim(uint64(block.timestamp), answerUntil, terms.claimBond);
        lease.status = LeaseStatus.Disputed;
        emit ITaskRegistry.UndeliveredClaimed(
            leaseId, lease.taskId, lease.node, lease.attempt, lease.attestationDigest, terms.claimBond, answerUntil
        );
        wiring.escrow.postBond(caller, leaseId, terms.claimBond);
    }

    /// @dev See {ITaskRegistry-answerWithReceipt}.
    function answerWithReceipt(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        bytes calldata signature
    ) external {
        (Lease storage lease, DeliveryClaim storage claimed) = _claimed(market, leaseId);
        Deadlines.requireNotPassed(leaseId, claimed.answerUntil);
        address consumer = market.tasks[lease.taskId].consumer;
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            wiring.domain,
            keccak256(abi.encode(RECEIPT_TYPEHASH, leaseId, lease.attempt, lease.attestationDigest))
        );
        if (!SignatureChecker.isValidSignatureNowCalldata(consumer, digest, signature)) {
            revert ITaskRegistry.WrongReceipt(leaseId, consumer);
        }
        _delivered(wiring, leaseId, lease, claimed);
    }

    /// @dev See {ITaskRegistry-answerWithAttesters}.
    function answerWithAttesters(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        bool fetched,
        bytes[] calldata signatures
    ) external {
        (Lease storage lease, DeliveryClaim storage claimed) = _claimed(market, leaseId);
        Deadlines.requireNotPassed(leaseId, claimed.answerUntil);
        bytes32 digest = verdictHash(wiring.domain, leaseId, lease, claimed.claimedAt, fetched);
        if (!wiring.liveness.isQuorum(digest, signatures)) {
            revert ITaskRegistry.NoQuorumOfAttesters(leaseId, signatures.length);
        }
        if (fetched) {
            _delivered(wiring, leaseId, lease, claimed);
            return;
        }
        wiring.escrow.returnBond(market.tasks[lease.taskId].consumer, leaseId, claimed.bond);
        lease.status = LeaseStatus.Failed;
        lease.billedSeconds = 0;
        lease.downSeconds = 0;
        Endings.pay(market, wiring, leaseId, lease, true);
        Endings.unlock(wiring, leaseId, lease);
        emit ITaskRegistry.DeliveryJudged(leaseId, lease.node, false);
        emit ITaskRegistry.LeaseEnded(
            leaseId, lease.taskId, lease.node, LeaseStatus.Disputed, LeaseStatus.Failed, 0, 0
        );
    }

    /// @dev See {ITaskRegistry-lapseClaim}.
    function lapse(Market storage market, Wiring memory wiring, bytes32 leaseId) external {
        (Lease storage lease, DeliveryClaim storage claimed) = _claimed(market, leaseId);
        Task storage task = market.tasks[lease.taskId];
        Deadlines.requireEnforceable(leaseId, claimed.answerUntil, market.termsOf(task));
        lease.status = LeaseStatus.Completed;
        emit ITaskRegistry.ClaimLapsed(leaseId, lease.node);
        wiring.escrow.returnBond(task.consumer, leaseId, claimed.bond);
    }

    /// @dev What attesters sign: they fetched the chunks that the claim's block draws, or could not.
    function verdictHash(
        bytes32 domain,
        bytes32 leaseId,
        Lease storage lease,
        uint64 claimedAt,
        bool fetched
    ) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            domain,
            keccak256(
                abi.encode(
                    VERDICT_TYPEHASH, leaseId, lease.attempt, lease.attestationDigest, claimedAt, fetched
                )
            )
        );
    }

    function _delivered(
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        DeliveryClaim storage claimed
    ) private {
        lease.status = LeaseStatus.Completed;
        emit ITaskRegistry.DeliveryJudged(leaseId, lease.node, true);
        wiring.escrow.awardBond(wiring.nodes.ownerOf(lease.node), leaseId, claimed.bond);
    }

    function _claimed(
        Market storage market,
        bytes32 leaseId
    ) private view returns (Lease storage lease, DeliveryClaim storage claimed) {
        lease = market.leases[leaseId];
        if (lease.status != LeaseStatus.Disputed) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        claimed = market.claims[leaseId];
    }
}
