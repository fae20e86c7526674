// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeRegistry} from "../interfaces/INodeRegistry.sol";
import {Capacity, LeaseRequest, Profile} from "../interfaces/Types.sol";

/// @title Whether a node's declared offer covers a lease (rule 8), and what leases hold of it
library Offers {
    /// @dev Reverts unless storage, isolation, GPU model and the owner's floor allow the lease.
    function check(INodeRegistry.Node storage entry, LeaseRequest calldata request) internal view {
        Profile storage declared = entry.profile;
        if (request.storageMiB > declared.storageMiB) {
            revert INodeRegistry.StorageTooSmall(request.storageMiB, declared.storageMiB);
        }
        if (request.isolation > declared.isolation) {
            revert INodeRegistry.IsolationTooWeak(request.isolation, declared.isolation);
        }
        if (request.gpuModelHash != 0) {
            bytes32 model = keccak256(bytes(declared.gpuModel));
            if (request.gpuModelHash != model) revert INodeRegistry.WrongGpuModel(request.gpuModelHash, model);
        }
        uint256 floor = uint256(entry.floor.perGpuHour) * request.capacity.gpus
            + uint256(entry.floor.perVCpuHour) * request.capacity.vCpus;
        if (request.ratePerHour < floor) revert INodeRegistry.RateBelowFloor(request.ratePerHour, floor);
    }

    /// @dev Declared capacity that no live lease holds.
    function available(INodeRegistry.Node storage entry) internal view returns (Capacity memory) {
        Profile storage declared = entry.profile;
        Capacity storage used = entry.used;
        return Capacity(
            declared.gpus - used.gpus, declared.vCpus - used.vCpus, declared.memoryMiB - used.memoryMiB
        );
    }

    function take(INodeRegistry.Node storage entry, address node, Capacity calldata wanted) internal {
        Capacity memory left = available(entry);
        if (wanted.gpus > left.gpus || wanted.vCpus > left.vCpus || wanted.memoryMiB > left.memoryMiB) {
            revert INodeRegistry.CapacityExceeded(node, wanted, left);
        }
        entry.used.gpus += wanted.gpus;
        entry.used.vCpus += wanted.vCpus;
        entry.used.memoryMiB += wanted.memoryMiB;
    }

    function giveBack(INodeRegistry.Node storage entry, Capacity calldata capacity) internal {
        entry.used.gpus -= capacity.gpus;
        entry.used.vCpus -= capacity.vCpus;
        entry.used.memoryMiB -= capacity.memoryMiB;
    }
}
