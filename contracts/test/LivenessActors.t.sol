// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LeaseStatus} from "../interfaces/Types.sol";
import {Report} from "../interfaces/ILiveness.sol";
import {AccountActors} from "./AccountActors.t.sol";

/// @title The committee and its reports, driven by the fuzzer: the real Liveness, signed by its seats
abstract contract LivenessActors is AccountActors {
    /// @dev Reports a node that holds a lease, or any other, as gone or as back.
    function report(uint256 which, uint256 how, uint256 age, uint256 wait) external then(wait) {
        _rotateIfDue();
        address node = _leaseNode(which);
        if (node == address(0) || how % 4 == 0) node = nodeList[which % NODES];
        (uint64 epoch, uint32 version,, address[] memory seats) = liveness.committee();
        Report memory report_;
        report_.epoch = epoch;
        report_.committeeVersion = version;
        report_.issuedAt = uint64(_clock - bound(age, 0, 3));
        bool isBack = how % 8 < 2;
        address[] memory list = new address[](1);
        list[0] = node;
        if (isBack) report_.online = list;
        else report_.offline = list;
        bytes32 digest = liveness.reportHash(report_);
        bytes[] memory signatures = new bytes[](seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            signatures[i] = _sign(seats[i], digest);
        }
        if (liveness.report(report_, signatures) == 0) return;
        ++done[isBack ? "reported as back" : "reported as offline"];
    }

    function stillAlive(uint256 which, uint256 wait) external then(wait) {
        vm.prank(nodeList[which % NODES]);
        liveness.stillAlive();
        ++done["stillAlive"];
    }

    /// @dev An owner without a bid places one again, one that has a bid raises it.
    function bid(uint256 which, uint256 more, uint256 wait) external then(wait) {
        address owner = _owners[which % OWNERS];
        address node = liveness.bidOf(owner);
        uint256 held = node == address(0) ? SEAT / 2 : nodes.seatLockedOf(node);
        if (node == address(0)) node = nodeList[which % OWNERS];
        vm.prank(owner);
        liveness.bid(node, held + bound(more, 1, 100));
        ++done["bid"];
    }

    function rotate(uint256 wait) external then(wait) {
        _rotateIfDue();
    }

    function _rotateIfDue() private {
        (,, uint64 endsAt,) = liveness.committee();
        if (_clock <= endsAt) return;
        liveness.rotate();
        ++done["rotate"];
    }

    /// @dev The node of a lease that has one, looking from a fuzzed place.
    function _leaseNode(uint256 from) private view returns (address) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(from % count + i) % count];
            LeaseStatus status = _stories[leaseId].status;
            if (status >= LeaseStatus.Assigned && status <= LeaseStatus.Stopping) return _stories[leaseId].node;
        }
        return address(0);
    }
}
