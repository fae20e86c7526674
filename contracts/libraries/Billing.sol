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
/// - OverlapNeverAboveEither: a gang member bills no second in which the gang's clock or its own run stood still.
/// - ShareNeverAboveRate: waiting earns at most its share of the rate.
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

    /// @dev Seconds for which a rate can be paid out of an amount: `amount x 3600 / rate`, rounded down.
    function affordable(uint256 amount, uint128 ratePerHour) internal pure returns (uint256) {
        return amount * HOUR / ratePerHour;
    }

    /// @dev What waiting earns (rule 13): `rate x shareBps / 10000 x seconds / 3600`, rounded down.
    function standby(uint128 ratePerHour, uint256 waited, uint16 shareBps) internal pure returns (uint256) {
        return uint256(ratePerHour) * waited * shareBps / (HOUR * BPS);
    }

    /// @dev Seconds that `[from, to]` and `[clockFrom, clockTo]` have in common; an end of 0 is still open.
    function overlap(uint64 from, uint64 to, uint64 clockFrom, uint64 clockTo) internal pure returns (uint64) {
        if (clockFrom == 0) return 0;
        uint256 start = Math.max(from, clockFrom);
        uint256 end = clockTo == 0 ? to : Math.min(to, clockTo);
        return end <= start ? 0 : uint64(end - start);
    }
}
