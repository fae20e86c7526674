// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Cheats} from "../test/Cheats.sol";
import {Admission} from "./Admission.sol";

contract AdmissionTest is Cheats {
    /// @dev The settled formula in exact integers: `draw < 2^64 x min(1, first + elapsed / widenTime)`.
    function admitted(bytes32 ticket, uint16 first, uint32 widenTime, uint64 elapsed) private pure returns (bool) {
        if (elapsed >= widenTime) return true;
        uint256 draw = uint64(uint256(ticket));
        uint256 share = uint256(first) * widenTime + uint256(elapsed) * 10_000;
        return draw * 10_000 * widenTime < (1 << 64) * share;
    }

    function testFuzz_WaitIsTheFirstAdmittedSecond(bytes32 ticket, uint16 first, uint32 widenTime) public pure {
        first = uint16(bound(first, 0, 10_000));
        uint64 wait = Admission.waitOf(ticket, first, widenTime);
        assertTrue(admitted(ticket, first, widenTime, wait), "admitted after the wait");
        if (wait != 0) assertTrue(!admitted(ticket, first, widenTime, wait - 1), "not a second earlier");
    }

    function testFuzz_EveryTicketIsAdmittedByTheWidenTime(bytes32 ticket, uint16 first, uint32 widenTime) public pure {
        assertLe(Admission.waitOf(ticket, uint16(bound(first, 0, 10_000)), widenTime), widenTime, "the wait");
    }

    function testFuzz_AWholeFirstShareAdmitsAtOnce(bytes32 ticket, uint32 widenTime) public pure {
        assertEq(Admission.waitOf(ticket, 10_000, widenTime), 0, "a whole first share");
        assertEq(Admission.waitOf(ticket, 0, 0), 0, "no widen time");
    }

    function testFuzz_TicketIsTheHashOfSeedAndNode(bytes32 seed, address node) public pure {
        assertTrue(Admission.ticket(seed, node) == keccak256(abi.encode(seed, node)), "ticket");
    }
}
