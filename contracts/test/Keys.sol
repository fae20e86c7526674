// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Public keys of the private keys 2, 3, 4, ...
/// @notice The runner can sign, but not multiply points: each key is the one before plus the generator of secp256k1.
library Keys {
    uint256 internal constant FIRST = 2;
    uint256 private constant P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;
    uint256 private constant GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
    uint256 private constant GY = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8;
    uint256 private constant FIRST_X = 0xC6047F9441ED7D6D3045406E95C07CD85C778E4B8CEF3CA7ABAC09B95C709EE5;
    uint256 private constant FIRST_Y = 0x1AE168FEA63DC339A3C58419466CEAEEF7F632653266D0E1236431A950CFE52A;

    error NoInverse(uint256 value);

    /// @dev Uncompressed without the 0x04, as NodeRegistry wants them.
    function publicKeys(uint256 count) internal view returns (bytes[] memory keys) {
        keys = new bytes[](count);
        (uint256 x, uint256 y) = (FIRST_X, FIRST_Y);
        for (uint256 i = 0; i < count; ++i) {
            keys[i] = abi.encodePacked(x, y);
            (x, y) = _plusGenerator(x, y);
        }
    }

    function _plusGenerator(uint256 x, uint256 y) private view returns (uint256 sumX, uint256 sumY) {
        uint256 slope = mulmod(addmod(y, P - GY, P), _inverse(addmod(x, P - GX, P)), P);
        sumX = addmod(mulmod(slope, slope, P), addmod(P - x, P - GX, P), P);
        sumY = addmod(mulmod(slope, addmod(GX, P - sumX, P), P), P - GY, P);
    }

    /// @dev By Fermat, with the precompile of EIP-198.
    function _inverse(uint256 value) private view returns (uint256) {
        (bool success, bytes memory result) =
            address(5).staticcall(abi.encode(uint256(32), uint256(32), uint256(32), value, P - 2, P));
        if (!success) revert NoInverse(value);
        return abi.decode(result, (uint256));
    }
}
