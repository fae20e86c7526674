// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Gang} from "../interfaces/Types.sol";
import {Cheats} from "../test/Cheats.sol";
import {Clocks} from "./Clocks.sol";

contract ClocksTest is Cheats {
    Gang private _gang;

    function testFuzz_OverlapIsTheSecondsInWhichBothRan(
        uint8 from,
        uint8 length,
        uint8[4] calldata steps,
        uint8 open
    ) public {
        // The second period begins after the first has ended; the last of those that began may be open.
        uint64 time = 1 + uint64(steps[0]);
        _gang.firstFrom = time;
        _gang.firstTo = time += steps[1];
        _gang.secondFrom = time += steps[2];
        _gang.secondTo = open % 2 == 0 ? 0 : time + steps[3];
        if (open % 4 == 2) (_gang.firstTo, _gang.secondFrom, _gang.secondTo) = (0, 0, 0);
        uint256 expected;
        for (uint64 second = from; second < uint64(from) + length; ++second) {
            bool inFirst = second >= _gang.firstFrom && (_gang.firstTo == 0 || second < _gang.firstTo);
            bool inSecond = _gang.secondFrom != 0 && second >= _gang.secondFrom
                && (_gang.secondTo == 0 || second < _gang.secondTo);
            if (inFirst || inSecond) ++expected;
        }
        assertEq(Clocks.overlap(_gang, from, uint64(from) + length), expected, "seconds counted one by one");
    }

    function testFuzz_RunsTwiceAndStopsNeverBeforeItStarted(uint32[4] calldata waits, uint32 early) public {
        uint64 time = 1_900_000_000;
        assertEq(Clocks.runsSince(_gang), 0, "stands before the start");
        for (uint256 round = 0; round < 2; ++round) {
            time += waits[2 * round];
            vm.warp(time);
            Clocks.start(_gang);
            uint64 startedAt = time;
            assertEq(Clocks.runsSince(_gang), startedAt, "runs since the start");
            time += waits[2 * round + 1];
            uint64 stopTime = time - early % 1_000_000_000;
            Clocks.stop(_gang, stopTime);
            assertEq(Clocks.runsSince(_gang), 0, "stands");
            uint64 ran = stopTime > startedAt ? stopTime - startedAt : 0;
            assertEq(Clocks.overlap(_gang, startedAt, type(uint64).max), ran, "ran until it was stopped");
            Clocks.stop(_gang, time + 1);
            assertEq(Clocks.overlap(_gang, startedAt, type(uint64).max), ran, "a clock that stands is not moved");
        }
    }
}
