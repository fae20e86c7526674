// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILiveness} from "../interfaces/ILiveness.sol";

/// @title How long a node was offline
/// @notice One offline period at a time: pending, then final by the clock alone. See {ILiveness} for the rule (rule 25).
library Downtime {
    struct Record {
        uint48 ended; // seconds of the periods that are over
        uint48 since; // block time of the report that opened the running period, 0: none
        uint48 pendingUntil; // final after it; 0 once that has been noted
        uint48 reportedAt; // block time of the last report that opened a period
        uint48 knownAt; // a report issued at or before it is stale
    }

    /// @dev Opens a period that is pending for `grace`. Skips what is already so, stale, or within the cooldown.
    function open(
        Record storage stored,
        address node,
        uint64 issuedAt,
        uint32 grace,
        uint32 cooldown
    ) internal returns (bool) {
        Record memory record = stored;
        if (issuedAt <= record.knownAt || record.since != 0) return false;
        if (record.reportedAt != 0 && block.timestamp < uint256(record.reportedAt) + cooldown) return false;
        record.since = uint48(block.timestamp);
        record.pendingUntil = uint48(block.timestamp + grace);
        record.reportedAt = uint48(block.timestamp);
        record.knownAt = uint48(issuedAt);
        _store(stored, record);
        emit ILiveness.OfflineReported(node, record.since, record.pendingUntil);
        return true;
    }

    /// @dev The committee has seen the node again. Skips what is already so or stale.
    function close(Record storage stored, address node, uint64 issuedAt) internal returns (bool) {
        Record memory record = stored;
        if (issuedAt <= record.knownAt || record.since == 0) return false;
        _end(record, node);
        record.knownAt = uint48(issuedAt);
        _store(stored, record);
        return true;
    }

    /// @dev The operator has acted itself, now.
    function touch(Record storage stored, address node) internal returns (uint64 offlineSeconds) {
        Record memory record = stored;
        if (record.since != 0) _end(record, node);
        record.knownAt = uint48(block.timestamp);
        _store(stored, record);
        return record.ended;
    }

    /// @dev Notes that the running period is final.
    function finalise(Record storage stored, address node) internal {
        Record memory record = stored;
        if (!isFinal(record) || record.pendingUntil == 0) {
            revert ILiveness.NothingToFinalise(node, record.since, record.pendingUntil);
        }
        stored.pendingUntil = 0;
        emit ILiveness.OfflineFinalised(node, record.since);
    }

    /// @dev Whether the node is offline, with nothing left to say about it.
    function isFinal(Record memory record) internal view returns (bool) {
        return record.since != 0 && block.timestamp > record.pendingUntil;
    }

    /// @dev Offline seconds up to now, of final periods only.
    function total(Record memory record) internal view returns (uint64) {
        return isFinal(record) ? record.ended + uint64(block.timestamp) - record.since : record.ended;
    }

    /// @dev Voids a pending period, or adds a final one to what has ended.
    function _end(Record memory record, address node) private {
        if (isFinal(record)) {
            record.ended = uint48(total(record));
            emit ILiveness.OfflineEnded(node, record.since, uint64(block.timestamp), record.ended);
        } else {
            emit ILiveness.OfflineVoided(node, record.since);
        }
        record.since = 0;
        record.pendingUntil = 0;
    }

    function _store(Record storage stored, Record memory record) private {
        stored.ended = record.ended;
        stored.since = record.since;
        stored.pendingUntil = record.pendingUntil;
        stored.reportedAt = record.reportedAt;
        stored.knownAt = record.knownAt;
    }
}
