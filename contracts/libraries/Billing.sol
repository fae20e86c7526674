// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The money of a lease
/// @notice Amounts are payment-token base units, rates base units per hour of the whole lease, times seconds.
/// Invariants, each a fuzz test of the same name in `Billing.t.sol`:
/// - GrossNeverAboveReserve: no lease can owe more than it reserved.
/// - FeeNeverAboveGross: the fee comes out of the gross pay.
/// - RoundingFavoursNobodyTwice: reserving rounds up and paying rounds down, by less than one base unit each.
/// - RanNeverAboveEitherClock: billed seconds exceed neither the blocks' clock, nor the operator's, nor the maximum.
library Billing {
    uint256 internal constant HOUR = 3600;
    uint256 internal constant BPS = 10_000;

    /// @dev What an order holds back: `rate x maxDuration / 3600`, rounded up.
    function reserve(uint128 ratePerHour, uint256 maxDuration) internal pure returns (uint256) {
        return Math.ceilDiv(uint256(ratePerHour) * maxDuration, HOUR);
    }

    /// @dev What a run earns: `rate x billed / 3600`, rounded down, never above its reservation.
    function gross(uint128 ratePerHour, uint64 billedSeconds, uint256 reserved) internal pure returns (uint256) {
        return Math.min(uint256(ratePerHour) * billedSeconds / HOUR, reserved);
    }

    /// @dev The protocol's part of the gross pay, rounded down, never above it: a settlement cannot fail for its fee.
    function fee(uint256 grossPay, uint16 feeBps) internal pure returns (uint256) {
        return Math.min(grossPay * feeBps / BPS, grossPay);
    }

    /// @dev The stake that a lease locks: `max(minLock, lockBps x reserved / 10000)`.
    function lock(uint256 reserved, uint16 lockBps, uint128 minLock) internal pure returns (uint256) {
        return Math.max(minLock, reserved * lockBps / BPS);
    }

    /// @dev Seconds of a run: `clamp(min(blockEnd, ended) - max(blockStart, started), 0, maxDuration)` (rule 14).
    function ran(
        uint64 blockStart,
        uint64 started,
        uint64 blockEnd,
        uint64 ended,
        uint32 maxDuration
    ) internal pure returns (uint64) {
        uint256 from = Math.max(blockStart, started);
        uint256 to = Math.min(blockEnd, ended);
        return to <= from ? 0 : uint64(Math.min(to - from, maxDuration));
    }
}
