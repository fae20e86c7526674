// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeStatus} from "../interfaces/Types.sol";
import {MarketWitness} from "./MarketWitness.t.sol";

/// @title Accounts, stake and the map, driven by the fuzzer
abstract contract AccountActors is MarketWitness {
    uint256 public burned; // of what was slashed

    // ---- money

    function deposit(uint256 who, uint256 amount, uint256 wait) external then(wait) {
        _deposit(_any(who), bound(amount, 1, 100_000));
    }

    function withdraw(uint256 who, uint256 amount, uint256 wait) external then(wait) {
        address account = _any(who);
        uint256 free = escrow.freeOf(account);
        if (free == 0) return;
        amount = bound(amount, 1, free / 8 + 1);
        vm.prank(account);
        escrow.withdraw(account, amount);
        tokensOut += amount;
        ++done["withdraw"];
    }

    function withdrawEarnings(uint256 who, uint256 wait) external then(wait) {
        address owner = _owners[who % OWNERS];
        uint256 earnings = escrow.earningsOf(owner);
        if (earnings == 0) return;
        vm.prank(owner);
        escrow.withdrawEarnings(owner, earnings);
        tokensOut += earnings;
        ++done["withdrawEarnings"];
    }

    function transferFree(uint256 who, uint256 to, uint256 amount, uint256 wait) external then(wait) {
        address account = _any(who);
        uint256 free = escrow.freeOf(account);
        if (free == 0) return;
        vm.prank(account);
        escrow.transferFree(_any(to), bound(amount, 1, free / 8 + 1));
        ++done["transferFree"];
    }

    function sweep(uint256 wait) external then(wait) {
        (,,, uint256 fees,, uint256 forfeited) = escrow.totals();
        if (fees != 0) tokensOut += escrow.withdrawFees();
        if (forfeited != 0) {
            burned += escrow.burnForfeited();
            tokensOut += forfeited;
        }
        if (fees + forfeited != 0) ++done["sweep"];
    }

    // ---- stake and map

    function stake(uint256 which, uint256 amount, uint256 wait) external then(wait) {
        address node = nodeList[which % NODES];
        address owner = nodes.ownerOf(node);
        uint256 free = escrow.freeOf(owner);
        if (free == 0) return;
        vm.prank(owner);
        nodes.stake(node, bound(amount, 1, free / 64 + 1));
        ++done["stake"];
    }

    function unstake(uint256 which, uint256 amount, uint256 wait) external then(wait) {
        address node = nodeList[which % NODES];
        (uint256 staked, uint256 locked,,) = nodes.stakeOf(node);
        if (staked == locked) return;
        vm.prank(nodes.ownerOf(node));
        nodes.unstake(node, bound(amount, 1, (staked - locked) / 16 + 1));
        ++done["unstake"];
    }

    function releaseUnbonded(uint256 which, uint256 wait) external then(wait) {
        nodes.releaseUnbonded(nodeList[which % NODES]);
        ++done["releaseUnbonded"];
    }

    /// @dev To the owner's other node. Most often from one that is revoked: else half of the market would lack stake.
    function migrate(uint256 which, uint256 wait) external then(wait) {
        uint256 from = which % NODES;
        if (nodes.statusOf(nodeList[from]) != NodeStatus.Retired && which % 8 != 0) return;
        vm.prank(_owners[from % OWNERS]);
        nodes.migrate(nodeList[from], nodeList[(from + OWNERS) % NODES]);
        ++done["migrate"];
    }

    function drainOrResume(uint256 which, uint256 wait) external then(wait) {
        address node = nodeList[which % NODES];
        bool drains = nodes.statusOf(node) == NodeStatus.Active;
        if (drains && which % 4 != 0) return; // most stay open
        vm.prank(nodes.ownerOf(node));
        if (drains) nodes.drain(node);
        else nodes.resume(node);
        ++done["drainOrResume"];
    }

    /// @dev Rare, and only the last two nodes: the market must go on.
    function revoke(uint256 which, uint256 wait) external then(wait) {
        if (which % 16 > 1) return;
        address node = nodeList[4 + which % 2];
        vm.prank(nodes.ownerOf(node));
        nodes.revokeOperator(node);
        ++done["revoke"];
    }

    function shrink(uint256 which, uint256 gpus, uint256 wait) external then(wait) {
        address node = nodeList[which % NODES];
        vm.prank(node);
        nodes.updateProfile(node, _profile(uint32(bound(gpus, 4, 8))));
        ++done["shrink"];
    }
}
