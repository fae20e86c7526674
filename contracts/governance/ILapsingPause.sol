// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A pause that ends by itself
/// @notice Stops new entries only; nobody can hold what is already inside. It lapses after `PAUSE_TIME`, and the next
/// pause must leave `PAUSE_REST` between, so that a chain of pauses cannot close the market.
interface ILapsingPause {
    event Paused(uint64 until);
    event Unpaused();

    error IsPaused(uint64 until);
    error NotPaused();
    error PauseTooSoon(uint64 allowedAfter);

    /// @notice Pauses new entries. Authority only (AccessManager).
    /// Requirements: at least `PAUSE_REST` seconds since the last pause ended.
    function pause() external;

    /// @notice Ends the pause early. Authority only (AccessManager).
    function unpause() external;

    /// @notice Timestamp at which the last pause ends or ended, 0 if there was none.
    function pausedUntil() external view returns (uint64);

    /// @notice Whether new entries are refused now.
    function isPaused() external view returns (bool);
}
