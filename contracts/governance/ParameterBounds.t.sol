// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Cheats} from "../test/Cheats.sol";
import {TaskParameters} from "../interfaces/Types.sol";
import {ParameterBounds} from "./ParameterBounds.sol";

contract ParameterBoundsTest is Cheats {
    function check(TaskParameters memory value, TaskParameters memory min, TaskParameters memory max) external pure {
        ParameterBounds.check(abi.encode(value), abi.encode(min), abi.encode(max));
    }

    function testFuzz_NoFieldLeavesItsBounds(
        TaskParameters memory value,
        TaskParameters memory min,
        TaskParameters memory max
    ) public view {
        bool inside = _inside(abi.encode(value), abi.encode(min), abi.encode(max));
        try this.check(value, min, max) {
            assertTrue(inside, "accepted inside only");
        } catch {
            assertTrue(!inside, "refused outside only");
        }
        this.check(value, value, value);
    }

    function _inside(bytes memory value, bytes memory min, bytes memory max) private pure returns (bool) {
        uint256[26] memory values = abi.decode(value, (uint256[26]));
        uint256[26] memory least = abi.decode(min, (uint256[26]));
        uint256[26] memory most = abi.decode(max, (uint256[26]));
        assertEq(value.length, 26 * 32, "words of the struct");
        for (uint256 i = 0; i < 26; ++i) {
            if (values[i] < least[i] || values[i] > most[i]) return false;
        }
        return true;
    }
}
