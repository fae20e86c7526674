// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Order, TaskParameters, Verification} from "../interfaces/Types.sol";

/// @title What an order may ask for
/// @notice Every field is bounded before anything is reserved, so that no later step can fail for the order's sake.
library Orders {
    uint256 internal constant MAX_TEXT_BYTES = 64;
    uint8 internal constant MAX_LEASES = 64;
    uint8 internal constant MAX_ATTEMPTS = 3;

    /// @dev Reverts unless the order is complete, is of a verification that is built, and keeps the limits of today.
    function check(Order calldata order, TaskParameters storage limits) internal view {
        if (order.verification == Verification.Quorum) _checkQuorum(order);
        else if (order.verification != Verification.Signed) {
            revert ITaskRegistry.UnsupportedVerification(order.verification);
        } else if (order.threshold != 0) {
            revert ITaskRegistry.ThresholdWithoutQuorum(order.threshold);
        }
        if (order.leases == 0 || order.leases > MAX_LEASES) {
            revert ITaskRegistry.LeasesOutOfRange(order.leases, MAX_LEASES);
        }
        if (order.maxAttempts == 0 || order.maxAttempts > MAX_ATTEMPTS) {
            revert ITaskRegistry.AttemptsOutOfRange(order.maxAttempts, MAX_ATTEMPTS);
        }
        if (order.specDigest == 0) revert ITaskRegistry.SpecDigestMissing();
        if (order.vCpus == 0 || order.memoryMiB == 0 || order.ratePerHour == 0) {
            revert ITaskRegistry.NothingOrdered(order.vCpus, order.memoryMiB, order.ratePerHour);
        }
        uint256 modelBytes = bytes(order.gpuModel).length;
        if (modelBytes > MAX_TEXT_BYTES) revert ITaskRegistry.TextTooLong(modelBytes, MAX_TEXT_BYTES);
        if (order.gpus == 0 && modelBytes != 0) revert ITaskRegistry.GpuModelWithoutGpus(order.gpuModel);
        _checkTimes(order, limits.maxDuration, limits.maxStartWindow, limits.maxOpenTime);
    }

    /// @dev `n/2 < k <= n`, so that only one result can win; a lost replica counts against n and is not replaced (rule 21).
    function _checkQuorum(Order calldata order) private pure {
        if (order.threshold > order.leases || uint256(order.threshold) * 2 <= order.leases) {
            revert ITaskRegistry.ThresholdOutOfRange(order.threshold, order.leases);
        }
        if (order.maxAttempts != 1) revert ITaskRegistry.AttemptsOutOfRange(order.maxAttempts, 1);
    }

    function _checkTimes(
        Order calldata order,
        uint32 maxDuration,
        uint32 maxStartWindow,
        uint32 maxOpenTime
    ) private view {
        if (order.maxDuration == 0 || order.maxDuration > maxDuration) {
            revert ITaskRegistry.DurationOutOfRange(order.maxDuration, maxDuration);
        }
        if (order.fundedSeconds == 0 || order.fundedSeconds > order.maxDuration) {
            revert ITaskRegistry.FundedOutOfRange(order.fundedSeconds, order.maxDuration);
        }
        if (order.startWindow == 0 || order.startWindow > maxStartWindow) {
            revert ITaskRegistry.StartWindowOutOfRange(order.startWindow, maxStartWindow);
        }
        uint64 timestamp = uint64(block.timestamp);
        uint64 latest = timestamp + maxOpenTime;
        if (order.openUntil < timestamp || order.openUntil > latest) {
            revert ITaskRegistry.OpenUntilOutOfRange(order.openUntil, timestamp, latest);
        }
    }
}
