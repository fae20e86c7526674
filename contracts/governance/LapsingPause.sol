// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ILapsingPause} from "./ILapsingPause.sol";

/// @title A pause that ends by itself
/// @notice See {ILapsingPause}.
abstract contract LapsingPause is AccessManaged, ILapsingPause {
    /// @notice Seconds after which a pause lapses.
    uint64 public constant PAUSE_TIME = 7 days;

    /// @notice Seconds between the end of one pause and the start of the next.
    uint64 public constant PAUSE_REST = 7 days;

    /// @inheritdoc ILapsingPause
    uint64 public pausedUntil;

    modifier whenNotPaused() {
        if (isPaused()) revert IsPaused(pausedUntil);
        _;
    }

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc ILapsingPause
    function pause() external restricted {
        if (pausedUntil != 0 && block.timestamp <= pausedUntil + PAUSE_REST) {
            revert PauseTooSoon(pausedUntil + PAUSE_REST);
        }
        pausedUntil = uint64(block.timestamp) + PAUSE_TIME;
        emit Paused(pausedUntil);
    }

    /// @inheritdoc ILapsingPause
    function unpause() external restricted {
        if (!isPaused()) revert NotPaused();
        pausedUntil = uint64(block.timestamp) - 1;
        emit Unpaused();
    }

    /// @inheritdoc ILapsingPause
    function isPaused() public view returns (bool) {
        return block.timestamp <= pausedUntil;
    }
}
