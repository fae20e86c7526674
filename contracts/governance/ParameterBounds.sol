// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Hard bounds of parameters
/// @notice Compares parameter structs word by word in their ABI encoding, so no field can be forgotten. Only for
/// static structs whose fields are unsigned integers.
library ParameterBounds {
    /// @notice The field at `position` (counted from 0 in the struct's ABI encoding) is outside its bounds.
    error ParameterOutOfBounds(uint256 position, uint256 value, uint256 min, uint256 max);

    /// @dev Reverts unless `min <= value <= max` holds for each word of the three encodings.
    function check(bytes memory value, bytes memory min, bytes memory max) internal pure {
        for (uint256 position = 0; position < value.length / 32; ++position) {
            uint256 given = _word(value, position);
            uint256 least = _word(min, position);
            uint256 most = _word(max, position);
            if (given < least || given > most) revert ParameterOutOfBounds(position, given, least, most);
        }
    }

    function _word(bytes memory encoded, uint256 position) private pure returns (uint256 word) {
        // Solidity has no read of a 32-byte word from bytes that does not copy.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            word := mload(add(add(encoded, 32), mul(position, 32)))
        }
    }
}
