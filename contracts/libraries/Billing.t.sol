// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Cheats} from "../test/Cheats.sol";
import {Billing} from "./Billing.sol";

contract BillingTest is Cheats {
    function testFuzz_GrossNeverAboveReserve(uint128 rate, uint32 maxDuration, uint64 billed) public pure {
        uint256 reserved = Billing.reserve(rate, maxDuration);
        assertLe(Billing.gross(rate, billed, reserved), reserved, "gross against reserve");
        if (billed <= maxDuration) {
            assertEq(Billing.gross(rate, billed, reserved), uint256(rate) * billed / 3600, "gross within the maximum");
        }
    }

    function testFuzz_FeeNeverAboveGross(uint128 rate, uint32 billed, uint16 feeBps) public pure {
        uint256 gross = Billing.gross(rate, billed, type(uint256).max);
        assertLe(Billing.fee(gross, feeBps), gross, "fee against gross");
        if (feeBps <= 10_000) assertEq(Billing.fee(gross, feeBps), gross * feeBps / 10_000, "fee");
    }

    function testFuzz_RoundingFavoursNobodyTwice(uint128 rate, uint32 duration) public pure {
        uint256 exact = uint256(rate) * duration;
        uint256 reserved = Billing.reserve(rate, duration);
        uint256 gross = Billing.gross(rate, duration, reserved);
        assertLe(exact, reserved * 3600, "reserve is not below");
        assertTrue(reserved * 3600 < exact + 3600, "reserve is less than one above");
        assertLe(gross * 3600, exact, "gross is not above");
        assertTrue(gross * 3600 + 3600 > exact, "gross is less than one below");
        assertLe(reserved - gross, 1, "both roundings");
    }

    function testFuzz_RanNeverAboveEitherClock(
        uint64 blockStart,
        uint64 started,
        uint64 blockEnd,
        uint64 ended,
        uint32 maxDuration
    ) public pure {
        uint64 ran = Billing.ran(blockStart, started, blockEnd, ended, maxDuration);
        assertLe(ran, maxDuration, "maximum");
        assertLe(ran, blockEnd > blockStart ? blockEnd - blockStart : 0, "the blocks' clock");
        assertLe(ran, ended > started ? ended - started : 0, "the operator's clock");
        uint64 from = blockStart > started ? blockStart : started;
        uint64 to = blockEnd < ended ? blockEnd : ended;
        if (to > from && to - from <= maxDuration) assertEq(ran, to - from, "the overlap");
    }

    function testFuzz_LockIsTheLargerOfMinimumAndShare(uint128 reserved, uint16 bps, uint128 minLock) public pure {
        uint256 lock = Billing.lock(reserved, bps, minLock);
        uint256 share = uint256(reserved) * bps / 10_000;
        assertLe(minLock, lock, "minimum lock");
        assertLe(share, lock, "share");
        assertTrue(lock == minLock || lock == share, "one of both");
    }
}
