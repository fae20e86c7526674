// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Capacity, Profile} from "../interfaces/Types.sol";
import {INodeRegistry} from "../interfaces/INodeRegistry.sol";

/// @title What a node may declare of itself
/// @notice Every list and text is bounded, so that reading a node has a known cost.
library Profiles {
    uint256 internal constant MAX_MULTIADDRS = 8;
    uint256 internal constant MAX_MULTIADDR_BYTES = 256;
    uint256 internal constant MAX_TEXT_BYTES = 64;

    /// @dev Reverts unless the profile is well-formed and holds at least what is in use.
    function check(Profile calldata profile, Capacity memory used) internal pure {
        if (profile.encryptionKey == 0) revert INodeRegistry.EncryptionKeyMissing();
        if (profile.vCpus == 0 || profile.memoryMiB == 0) {
            revert INodeRegistry.NothingDeclared(profile.vCpus, profile.memoryMiB);
        }
        if ((profile.gpus == 0) != (bytes(profile.gpuModel).length == 0)) {
            revert INodeRegistry.GpuModelMismatch(profile.gpus, profile.gpuModel);
        }
        _checkLength(profile.gpuModel, MAX_TEXT_BYTES);
        _checkLength(profile.region, MAX_TEXT_BYTES);
        if (profile.multiaddrs.length > MAX_MULTIADDRS) {
            revert INodeRegistry.TooManyMultiaddrs(profile.multiaddrs.length, MAX_MULTIADDRS);
        }
        for (uint256 i = 0; i < profile.multiaddrs.length; ++i) {
            _checkLength(profile.multiaddrs[i], MAX_MULTIADDR_BYTES);
        }
        if (profile.gpus < used.gpus || profile.vCpus < used.vCpus || profile.memoryMiB < used.memoryMiB) {
            revert INodeRegistry.CapacityInUse(used);
        }
    }

    function _checkLength(string calldata text, uint256 max) private pure {
        if (bytes(text).length > max) revert INodeRegistry.TextTooLong(bytes(text).length, max);
    }
}
