// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The contracts' knowledge of each other
/// @notice Their addresses are immutable and circular, so each is told where the others will be; the later ones check
/// that the earlier ones point back.
library Peers {
    /// @notice `peer` does not name the expected contract; `pointsTo` is what it names, zero if it does not answer.
    error MisconfiguredPeer(address peer, address pointsTo);

    /// @dev Reverts unless calling `getter` on `peer` returns `expected`.
    function requirePointer(address peer, bytes4 getter, address expected) internal view {
        (bool answered, bytes memory data) = peer.staticcall(abi.encodePacked(getter));
        address pointsTo = answered && data.length == 32 ? abi.decode(data, (address)) : address(0);
        if (pointsTo != expected || expected == address(0)) revert MisconfiguredPeer(peer, pointsTo);
    }
}
