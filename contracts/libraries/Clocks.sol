// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Gang} from "../interfaces/Types.sol";
import {Billing} from "./Billing.sol";

/// @title The common clock of a gang
/// @notice It runs while every member is Running: once from the first time that all have started, and once more after a
/// replacement has. A member bills the seconds that its own run and this clock have in common (rule 13).
library Clocks {
    /// @dev Since when the clock runs, 0 while it stands.
    function runsSince(Gang storage gang) internal view returns (uint64) {
        if (gang.secondFrom != 0) return gang.secondTo == 0 ? gang.secondFrom : 0;
        return gang.firstTo == 0 ? gang.firstFrom : 0;
    }

    /// @dev Seconds of `[from, to]` in which the clock ran.
    function overlap(Gang storage gang, uint64 from, uint64 to) internal view returns (uint64) {
        return Billing.overlap(from, to, gang.firstFrom, gang.firstTo)
            + Billing.overlap(from, to, gang.secondFrom, gang.secondTo);
    }

    /// @dev Starts the clock stopTime this block.
    function start(Gang storage gang) internal {
        if (gang.firstFrom == 0) gang.firstFrom = uint64(block.timestamp);
        else gang.secondFrom = uint64(block.timestamp);
    }

    /// @dev Stops the clock, where it runs, stopTime a time that is not before it started.
    function stop(Gang storage gang, uint64 stopTime) internal {
        if (runsSince(gang) == 0) return;
        if (gang.secondFrom != 0) gang.secondTo = stopTime < gang.secondFrom ? gang.secondFrom : stopTime;
        else gang.firstTo = stopTime < gang.firstFrom ? gang.firstFrom : stopTime;
    }
}
