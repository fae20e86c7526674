// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The cheat codes of Hardhat's Solidity test runner that these tests use
/// @notice npm's forge-std is of 2022 and incomplete, so the few signatures needed are stated here.
interface ICheatCodes {
    /// @dev An event as it was emitted.
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 privateKey) external pure returns (address);
    function recordLogs() external;
    /// @dev The events since the recording began or since the last call; calls that reverted left none.
    function getRecordedLogs() external returns (Log[] memory);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function roll(uint256 blockNumber) external;
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool success);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function getNonce(address account) external view returns (uint64);
}

/// @title Base of the Solidity tests: cheat codes and assertions that say both values
abstract contract Cheats {
    // Lower case, as every Foundry test writes it.
    // solhint-disable-next-line const-name-snakecase
    ICheatCodes internal constant vm = ICheatCodes(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(string what, uint256 left, uint256 right);
    error NotAtMost(string what, uint256 left, uint256 right);
    error NotTrue(string what);

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert NotEqual(what, left, right);
    }

    function assertLe(uint256 left, uint256 right, string memory what) internal pure {
        if (left > right) revert NotAtMost(what, left, right);
    }

    function assertTrue(bool fact, string memory what) internal pure {
        if (!fact) revert NotTrue(what);
    }

    /// @dev Wraps a fuzzed value into `[min, max]`.
    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        if (value >= min && value <= max) return value;
        return min + value % (max - min + 1);
    }
}
