// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC2771Forwarder} from "@openzeppelin/contracts/metatx/ERC2771Forwarder.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

/// @title Carries consumers' signed calls for whoever pays their gas
/// @notice OpenZeppelin's ERC-2771 forwarder under our name, trusted by TaskRegistry and PaymentEscrow for ever. It has no
/// owner and no state but nonces; a batch without a refund receiver happens whole or not at all, so that a consumer can
/// deposit, pay the carrier out of it and order in one transaction.
///
/// Invariants, each a test of the same name in `contracts/test/Money.t.sol`:
/// - BatchesHappenWhole: a batch without a refund receiver changes nothing if one of its calls fails.
contract Forwarder is ERC2771Forwarder {
    constructor() ERC2771Forwarder("Dekuper Forwarder") {}

    /// @dev OpenZeppelin's batch goes on after a valid call that fails: whoever carries one could be paid for nothing.
    function _execute(
        ForwardRequestData calldata request,
        bool requireValidRequest
    ) internal override returns (bool success) {
        success = super._execute(request, requireValidRequest);
        if (requireValidRequest && !success) revert Errors.FailedCall();
    }
}
