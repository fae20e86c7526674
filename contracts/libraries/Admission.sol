// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Admission by ticket
/// @notice Spreads the nodes that may take an open order over time without a scheduler. A node draws
/// `uint64(keccak256(seed, node))` and is admitted when it is below `2^64 x min(1, firstShare + elapsed / widenTime)`.
/// The share widens with timestamps, never with block numbers or prevrandao.
library Admission {
    uint256 private constant BPS = 10_000;
    uint256 private constant WHOLE = 1 << 64;

    /// @dev The node's ticket for the order with this seed.
    function ticket(bytes32 seed, address node) internal pure returns (bytes32) {
        return keccak256(abi.encode(seed, node));
    }

    /// @dev Seconds after creation from which the ticket is admitted: the least `elapsed` with
    /// `draw < 2^64 x min(1, firstShareBps / 10000 + elapsed / widenTime)`, in exact integers.
    function waitOf(bytes32 ticket_, uint16 firstShareBps, uint32 widenTime) internal pure returns (uint64) {
        uint256 draw = uint64(uint256(ticket_));
        if (widenTime == 0 || draw * BPS < WHOLE * firstShareBps) return 0;
        uint256 missing = (draw * BPS - WHOLE * firstShareBps) * widenTime;
        return uint64(missing / (WHOLE * BPS)) + 1;
    }
}
