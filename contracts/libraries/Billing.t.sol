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

    function testFuzz_OverlapNeverAboveEither(uint64 from, uint64 to, uint64 clockFrom, uint64 clockTo) public pure {
        uint64 overlap = Billing.overlap(from, to, clockFrom, clockTo);
        assertLe(overlap, to > from ? to - from : 0, "the member's run");
        if (clockFrom == 0) assertEq(overlap, 0, "a clock that never ran");
        if (clockTo != 0) assertLe(overlap, clockTo > clockFrom ? clockTo - clockFrom : 0, "the clock");
        assertEq(
            Billing.overlap(from, to, clockFrom, 0),
            clockFrom == 0 ? 0 : Billing.overlap(from, to, clockFrom, type(uint64).max),
            "an open clock runs for ever"
        );
    }

    function testFuzz_OverlapIsAdditive(uint64 from, uint64 middle, uint64 to, uint64 clockFrom, uint64 clockTo) public pure {
        from = uint64(bound(from, 0, type(uint64).max));
        middle = uint64(bound(middle, from, type(uint64).max));
        to = uint64(bound(to, middle, type(uint64).max));
        uint256 parts = uint256(Billing.overlap(from, middle, clockFrom, clockTo))
            + Billing.overlap(middle, to, clockFrom, clockTo);
        assertEq(Billing.overlap(from, to, clockFrom, clockTo), parts, "no second counts twice, none is left out");
    }

    function testFuzz_ShareNeverAboveRate(uint128 rate, uint64 waited, uint16 shareBps) public pure {
        shareBps = uint16(bound(shareBps, 0, 10_000));
        uint256 earned = Billing.standby(rate, waited, shareBps);
        assertLe(earned, uint256(rate) * waited / 3600, "waiting against running");
        assertLe(earned * 3600 * 10_000, uint256(rate) * waited * shareBps, "rounded down");
        assertTrue((earned + 1) * 3600 * 10_000 > uint256(rate) * waited * shareBps, "by less than one");
    }

    function testFuzz_AffordableSecondsAreCovered(uint96 amount, uint128 rate) public pure {
        if (rate == 0) rate = 1;
        uint256 affordable = Billing.affordable(amount, rate);
        assertLe(uint256(rate) * affordable / 3600, amount, "what they cost");
        assertTrue(Billing.reserve(rate, affordable + 1) > amount, "not a second more");
    }

    /// @dev Two attempts, the first down for some of its run: the second can always be paid to its last second.
    function testFuzz_WhatIsLeftPaysTheNextAttempt(uint128 rate, uint32 duration, uint32 ran, uint32 down) public pure {
        rate = uint128(bound(rate, 1, type(uint96).max));
        ran = uint32(bound(ran, 0, duration));
        down = uint32(bound(down, 0, ran));
        uint256 reserved = Billing.reserve(rate, duration);
        uint256 first = Billing.gross(rate, ran - down, reserved);
        uint256 left = reserved - first;
        uint256 next = duration - ran;
        assertLe(next, Billing.affordable(left, rate), "the seconds that are left are paid for");
        assertLe(first + Billing.gross(rate, uint64(next), left), reserved, "both against the reservation");
        assertEq(Billing.gross(rate, uint64(next), left), uint256(rate) * next / 3600, "the second in full");
    }

    function testFuzz_LockIsTheLargerOfMinimumAndShare(uint128 reserved, uint16 bps, uint128 minLock) public pure {
        uint256 lock = Billing.lock(reserved, bps, minLock);
        uint256 share = uint256(reserved) * bps / 10_000;
        assertLe(minLock, lock, "minimum lock");
        assertLe(share, lock, "share");
        assertTrue(lock == minLock || lock == share, "one of both");
    }
}
