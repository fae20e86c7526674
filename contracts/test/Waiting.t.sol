// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Lease, LeaseStatus} from "../interfaces/Types.sol";
import {LeaseActors} from "./LeaseActors.t.sol";

/// @title What a gang's late members pay those who waited (rule 13)
contract WaitingTest is LeaseActors {
    uint32 private constant MEMBERS = 4;

    constructor() {
        vm.recordLogs();
    }

    /// @notice Each of the late pays the same part, at most its lock; all that they pay is earned by those who waited, none of
    /// whom gets more than its share; but for rounding, nothing of the parts is left.
    function testFuzz_TheLateShareTheWaiting(uint256 rate, uint256 seed, uint256 starters, uint256 wait) public {
        // Not private, four nodes.
        bytes32 taskId = _award(0, MEMBERS, bound(rate, 1, 30_000), 300, seed | 0x1000100);
        uint256 late = MEMBERS;
        for (uint32 i = 0; i < MEMBERS - 1; ++i) {
            if (starters >> i & 1 == 0) continue;
            _start(tasks.leaseIdOf(taskId, i));
            _pass(wait >> 8 * i & 3);
            --late;
        }
        _pass(81 + wait % 400); // the longest start window and the outage grace are over for all
        (uint256[] memory owed, uint256 total) = _owed(taskId);
        uint256[3] memory before = _earnings();
        Lease[] memory leases = _leases(taskId);
        tasks.expire(tasks.leaseIdOf(taskId, MEMBERS - 1));
        _read(vm.getRecordedLogs());

        uint256 paid;
        uint256 pot;
        for (uint32 i = 0; i < MEMBERS; ++i) {
            uint256 cost = compensatedFor[tasks.leaseIdOf(taskId, i)][leases[i].node];
            uint256 part = total / late < leases[i].lock ? total / late : leases[i].lock;
            if (leases[i].status == LeaseStatus.Running) part = 0;
            assertLe(cost, part, "an equal part, at most the lock");
            assertTrue(tasks.getLease(tasks.leaseIdOf(taskId, i)).status == LeaseStatus.Failed, "all have failed");
            paid += cost;
            pot += part;
        }
        assertLe(pot, paid + MEMBERS, "but for rounding, the parts are paid");
        _checkEarned(leases, owed, before, paid);
    }

    function _checkEarned(
        Lease[] memory leases,
        uint256[] memory owed,
        uint256[3] memory before,
        uint256 paid
    ) private view {
        uint256[3] memory now_ = _earnings();
        uint256 earned;
        for (uint256 o = 0; o < OWNERS; ++o) {
            uint256 most;
            for (uint256 i = 0; i < MEMBERS; ++i) {
                if (nodes.ownerOf(leases[i].node) == _owners[o]) most += owed[i];
            }
            assertLe(now_[o] - before[o], most, "earned against waited");
            earned += now_[o] - before[o];
        }
        assertEq(earned, paid, "what is paid is earned");
    }

    /// @dev Half of the rate for each second since the member's start.
    function _owed(bytes32 taskId) private view returns (uint256[] memory owed, uint256 total) {
        owed = new uint256[](MEMBERS);
        Lease[] memory leases = _leases(taskId);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            if (leases[i].status != LeaseStatus.Running) continue;
            owed[i] = leases[i].ratePerHour * (_clock - leases[i].startedAt) / 7200;
            total += owed[i];
        }
    }

    function _leases(bytes32 taskId) private view returns (Lease[] memory leases) {
        leases = new Lease[](MEMBERS);
        for (uint32 i = 0; i < MEMBERS; ++i) {
            leases[i] = tasks.getLease(tasks.leaseIdOf(taskId, i));
        }
    }

    function _earnings() private view returns (uint256[3] memory earnings) {
        for (uint256 o = 0; o < OWNERS; ++o) {
            earnings[o] = escrow.earningsOf(_owners[o]);
        }
    }
}
