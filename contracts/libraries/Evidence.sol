// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Lease, OutputAttestation, PastAttempt} from "../interfaces/Types.sol";
import {Attestations} from "./Attestations.sol";
import {Deadlines} from "./Deadlines.sol";
import {Market, Markets, Wiring} from "./Market.sol";

/// @title Equivocation: two different signed attestations of one attempt (rule 3)
/// @notice Holds for the current attempt and for every lost one alike: an attempt's lock answers for it until the evidence
/// period after its end.
library Evidence {
    /// @dev See {ITaskRegistry-proveEquivocation}.
    function proveEquivocation(
        Market storage market,
        Wiring memory wiring,
        OutputAttestation calldata first,
        bytes calldata firstSignature,
        OutputAttestation calldata second,
        bytes calldata secondSignature,
        address reporter
    ) external {
        bytes32 leaseId = first.leaseId;
        uint32 attempt = first.attempt;
        if (leaseId != second.leaseId) revert ITaskRegistry.DifferentLeases(leaseId, second.leaseId);
        Markets.requireAttempt(leaseId, second.attempt, attempt);
        PastAttempt memory accused = _accused(market, leaseId, attempt);
        if (accused.isProven && accused.lock == 0) revert ITaskRegistry.AlreadyProven(leaseId);
        if (accused.endedAt != 0 && !accused.isProven) {
            Deadlines.requireNotPassed(leaseId, accused.endedAt + wiring.nodes.evidencePeriod());
        }
        bytes32 firstHash = Attestations.structHash(first);
        bytes32 secondHash = Attestations.structHash(second);
        if (firstHash == secondHash) revert ITaskRegistry.SameAttestation(firstHash);
        Attestations.requireSigner(wiring.domain, leaseId, accused.node, firstHash, firstSignature);
        Attestations.requireSigner(wiring.domain, leaseId, accused.node, secondHash, secondSignature);

        uint256 slashed =
            wiring.nodes.slash(accused.node, leaseId, accused.lock, accused.isLocked, reporter);
        // What other leases hold cannot be taken now. It stays owed, or a node would prove itself while they hold all.
        _record(market, leaseId, attempt, accused.lock - uint128(slashed));
        emit ITaskRegistry.EquivocationProven(leaseId, accused.node, attempt, reporter, slashed);
    }

    /// @dev The attempt's node, lock and end, whether it is the current one or a lost one.
    function _accused(
        Market storage market,
        bytes32 leaseId,
        uint32 attempt
    ) private view returns (PastAttempt memory) {
        Lease storage lease = market.leases[leaseId];
        PastAttempt memory past = market.past[leaseId][attempt];
        if (past.node != address(0)) return past;
        if (lease.node == address(0)) revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        Markets.requireAttempt(leaseId, attempt, lease.attempt);
        return PastAttempt(
            lease.node, lease.endedAt, Markets.holdsLock(lease.status), lease.isProven, lease.lock
        );
    }

    function _record(Market storage market, bytes32 leaseId, uint32 attempt, uint128 lock) private {
        PastAttempt storage past = market.past[leaseId][attempt];
        if (past.node != address(0)) {
            past.isProven = true;
            past.lock = lock;
        } else {
            market.leases[leaseId].isProven = true;
            market.leases[leaseId].lock = lock;
        }
    }
}
