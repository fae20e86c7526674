// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Lease, LeaseStatus, NodeStatus, Order, OutputAttestation, TaskParameters
} from "../interfaces/Types.sol";
import {MarketActors} from "./MarketActors.t.sol";

/// @title All actors of a market, driven by the fuzzer
/// @notice Every call that the contracts accept is counted in `done`, and what they must not do is recorded as it happens.
contract MarketHandler is MarketActors {
    uint256 public constant MAX_LEASES = 10;

    /// @dev One lease each that is open, accepted, running and completed: every run of the fuzzer has all paths before it.
    constructor() {
        for (uint256 i = 0; i < 4; ++i) {
            bytes32 leaseId = _create(i, 3600 + i, 300);
            if (i > 0) _accept(leaseId, i);
            if (i > 1) _start(leaseId);
            if (i > 2) _complete(leaseId, 0, 0);
        }
    }

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
        address owner = _owners[who % 2];
        uint256 earnings = escrow.earningsOf(owner);
        if (earnings == 0) return;
        vm.prank(owner);
        escrow.withdrawEarnings(owner, earnings);
        tokensOut += earnings;
        ++done["withdrawEarnings"];
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
        address node = nodeList[which % 4];
        address owner = nodes.ownerOf(node);
        uint256 free = escrow.freeOf(owner);
        if (free == 0) return;
        vm.prank(owner);
        nodes.stake(node, bound(amount, 1, free / 64 + 1));
        ++done["stake"];
    }

    function unstake(uint256 which, uint256 amount, uint256 wait) external then(wait) {
        address node = nodeList[which % 4];
        (uint256 staked, uint256 locked,,) = nodes.stakeOf(node);
        if (staked == locked) return;
        vm.prank(nodes.ownerOf(node));
        nodes.unstake(node, bound(amount, 1, (staked - locked) / 16 + 1));
        ++done["unstake"];
    }

    function releaseUnbonded(uint256 which, uint256 wait) external then(wait) {
        nodes.releaseUnbonded(nodeList[which % 4]);
        ++done["releaseUnbonded"];
    }

    function drainOrResume(uint256 which, uint256 wait) external then(wait) {
        address node = nodeList[which % 4];
        bool drains = nodes.statusOf(node) == NodeStatus.Active;
        if (drains && which % 3 != 0) return; // most stay open
        vm.prank(nodes.ownerOf(node));
        if (drains) nodes.drain(node);
        else nodes.resume(node);
        ++done["drainOrResume"];
    }

    /// @dev Rare, and only the last node: the market must go on.
    function revoke(uint256 which, uint256 wait) external then(wait) {
        if (which % 16 != 0) return;
        address node = nodeList[3];
        vm.prank(nodes.ownerOf(node));
        nodes.revokeOperator(node);
        ++done["revoke"];
    }

    function shrink(uint256 which, uint32 gpus, uint256 wait) external then(wait) {
        address node = nodeList[which % 4];
        vm.prank(node);
        nodes.updateProfile(node, _profile(uint32(bound(gpus, 4, 8))));
        ++done["shrink"];
    }

    // ---- tasks

    function createTask(uint256 who, uint256 rate, uint256 duration, uint256 wait) external then(wait) {
        if (leaseList.length == MAX_LEASES) return;
        _create(who, bound(rate, 1, 60_000), bound(duration, 1, 400));
    }

    /// @dev Takes an order of one's own whose lock is all the stake that a node has free.
    function lockAll(uint256 which, uint256 who, uint256 wait) external then(wait) {
        if (leaseList.length == MAX_LEASES) return;
        (uint256 staked, uint256 locked,,) = nodes.stakeOf(nodeList[which % 4]);
        uint256 reserved = (staked - locked) * 10_000 / tasks.terms().lockBps;
        if (reserved == 0) return;
        _accept(_create(who, reserved * 9, 400), which); // 400 seconds are a ninth of an hour
        ++done["lockAll"];
    }

    function acceptTask(uint256 which, uint256 by, uint256 wait) external then(wait) {
        _accept(_leaseIn(which, LeaseStatus.Open), by);
    }

    function startLease(uint256 which, uint256 wait) external then(wait) {
        _start(_leaseIn(which, LeaseStatus.Assigned));
    }

    function checkpoint(uint256 which, uint64 step, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Running);
        if (leaseId == 0) return;
        Lease memory lease = tasks.getLease(leaseId);
        vm.prank(lease.node);
        tasks.checkpoint(leaseId, 1, lease.lastStep + 1 + step % 3, keccak256("checkpoint"));
        _watch(leaseId);
        ++done["checkpoint"];
    }

    function completeLease(uint256 which, uint64 started, uint64 ended, uint256 wait) external then(wait) {
        bytes32 leaseId = which % 2 == 0 ? bytes32(0) : _leaseIn(which, LeaseStatus.Stopping);
        _complete(leaseId == 0 ? _leaseIn(which, LeaseStatus.Running) : leaseId, started, ended);
    }

    /// @dev Brings a lease one step further on the way that most go, or many runs would never see an end.
    function advance(uint256 which, uint256 by, uint64 started, uint64 ended, uint256 wait) external then(wait) {
        if (leaseList.length == 0) return;
        bytes32 leaseId = leaseList[which % leaseList.length];
        LeaseStatus status = lastStatus[leaseId];
        if (status == LeaseStatus.Open) _accept(leaseId, by);
        else if (status == LeaseStatus.Assigned) _start(leaseId);
        else if (status < LeaseStatus.Completed) _complete(leaseId, started, ended);
        else if (status == LeaseStatus.Completed) _settle(leaseId, by % 4 == 0);
    }

    function failLease(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(2 + state % 3));
        if (leaseId == 0) return;
        uint256 before = _paid();
        _count("failLease", leaseId);
        vm.prank(tasks.getLease(leaseId).node);
        tasks.failLease(leaseId, 1, "broken");
        _lost(leaseId, _paid() - before);
    }

    function cancelTask(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(1 + state % 3));
        if (leaseId == 0) return;
        uint256 before = _paid();
        bytes32 taskId = tasks.getLease(leaseId).taskId;
        _count("cancelTask", leaseId);
        vm.prank(tasks.getTask(taskId).consumer);
        tasks.cancelTask(taskId);
        paidTo[leaseId] += _paid() - before;
        _watch(leaseId);
    }

    function approveOrSettle(uint256 which, uint256 how, uint256 wait) external then(wait) {
        _settle(_leaseIn(which, LeaseStatus.Completed), how % 4 == 0);
    }

    function expire(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId;
        for (uint256 i = 0; i < 4 && leaseId == 0; ++i) {
            leaseId = _leaseIn(which, LeaseStatus(4 - (state + i) % 4));
        }
        if (leaseId == 0) return;
        uint256 before = _paid();
        _count("expire", leaseId);
        tasks.expire(leaseId);
        _lost(leaseId, _paid() - before);
    }

    /// @dev Tries to be paid or punished again for any lease, whatever its state.
    function again(uint256 which, uint256 wait) external then(wait) {
        if (leaseList.length == 0) return;
        bytes32 leaseId = leaseList[which % leaseList.length];
        uint256 before = _paid();
        try tasks.settle(leaseId) {
            ++done["settle"];
        } catch {
            ++done["refused"];
        }
        try tasks.expire(leaseId) {
            _count("expire", leaseId);
        } catch {
            ++done["refused"];
        }
        paidTo[leaseId] += _paid() - before;
        _watch(leaseId);
        ++done["again"];
    }

    function proveEquivocation(uint256 which, uint256 wait) external then(wait) {
        if (leaseList.length == 0) return;
        bytes32 leaseId = leaseList[which % leaseList.length];
        Lease memory lease = tasks.getLease(leaseId);
        if (lease.node == address(0)) return;
        OutputAttestation memory first = _attestation(leaseId, "one");
        OutputAttestation memory second = _attestation(leaseId, "two");
        (,,,, uint256 before,) = escrow.totals();
        uint256 free = escrow.freeOf(address(this));
        tasks.proveEquivocation(first, _sign(first), second, _sign(second));
        (,,,, uint256 left,) = escrow.totals();
        slashedFor[leaseId] += before - left;
        slashed += before - left;
        rewarded += escrow.freeOf(address(this)) - free;
        _watch(leaseId);
        ++done[lease.status < LeaseStatus.Settled ? "slash of a held lock" : "slash after the end"];
        if (before - left < lease.lock) ++done["slash that leaves a rest"];
    }

    // ---- governance, and time

    function govern(uint256 fee, uint256 lock, uint256 wait) external then(wait) {
        TaskParameters memory parameters = parametersOf(uint16(bound(fee, 0, 500)));
        parameters.terms.lockBps = uint16(bound(lock, 2000, 10_000));
        vm.prank(governor);
        tasks.setParameters(parameters);
        ++done["govern"];
    }

    /// @dev A pause is rare, or most runs would stand still from its beginning.
    function pauseOrUnpause(uint256 which, uint256 wait) external then(wait) {
        bool pauses = !tasks.isPaused();
        if (pauses && which % 8 != 0) return;
        vm.prank(governor);
        if (pauses) tasks.pause();
        else tasks.unpause();
        ++done[pauses ? "pause" : "unpause"];
    }

    function waitLong(uint256 wait) external then(wait) {
        if (wait % 4 != 0) return; // rare, or nothing would live to its end
        _clock += bound(wait, 40, 800);
        vm.warp(_clock);
        ++done["waitLong"];
    }

    /// @dev Ends every live lease by calls that anyone may make, long after; false if one cannot be ended.
    function everyoneLeaves() external returns (bool) {
        if (msg.sender != _test) return true; // the fuzzer may not: it would end every lease
        vm.warp(_clock + 10 days);
        for (uint256 i = 0; i < leaseList.length; ++i) {
            LeaseStatus status = lastStatus[leaseList[i]];
            if (status == LeaseStatus.Completed) tasks.settle(leaseList[i]);
            else if (status < LeaseStatus.Completed) tasks.expire(leaseList[i]);
        }
        (, uint256 reserved,,,,) = escrow.totals();
        bool free = reserved == 0;
        for (uint256 i = 0; i < nodeList.length; ++i) {
            (, uint256 locked,,) = nodes.stakeOf(nodeList[i]);
            free = free && locked == 0 && nodes.getNode(nodeList[i]).used.vCpus == 0;
        }
        return free;
    }

    // ---- the steps themselves; no lease, no step

    function _create(uint256 who, uint256 rate, uint256 duration) private returns (bytes32 leaseId) {
        Order memory order;
        order.specDigest = keccak256("spec");
        order.gpus = uint32(rate % 4);
        order.vCpus = 1;
        order.memoryMiB = 100;
        order.maxDuration = uint32(duration);
        order.ratePerHour = uint128(rate);
        order.startWindow = 60;
        order.openUntil = uint64(_clock + 100 + 2 * duration);
        vm.prank(_consumers[who % 3]);
        leaseId = tasks.leaseIdOf(tasks.createTask(order), 0);
        leaseList.push(leaseId);
        _watch(leaseId);
        ++done["createTask"];
    }

    function _accept(bytes32 leaseId, uint256 by) private {
        if (leaseId == 0) return;
        bytes32 taskId = tasks.getLease(leaseId).taskId;
        vm.prank(nodeList[by % 4]);
        tasks.acceptTask(taskId);
        lockedFor[leaseId] = tasks.getLease(leaseId).lock;
        _watch(leaseId);
        ++done["acceptTask"];
    }

    function _start(bytes32 leaseId) private {
        if (leaseId == 0) return;
        vm.prank(tasks.getLease(leaseId).node);
        tasks.startLease(leaseId, 1);
        _watch(leaseId);
        ++done["startLease"];
    }

    function _complete(bytes32 leaseId, uint64 started, uint64 ended) private {
        if (leaseId == 0) return;
        OutputAttestation memory claim = _attestation(leaseId, "output");
        claim.started = uint64(_clock - 500 + started % 560);
        claim.ended = uint64(bound(ended, claim.started, _clock + 60));
        _count("completeLease", leaseId);
        tasks.completeLease(claim, _sign(claim));
        _watch(leaseId);
    }

    function _settle(bytes32 leaseId, bool approves) private {
        if (leaseId == 0) return;
        uint256 before = _paid();
        if (approves) {
            vm.prank(tasks.getTask(tasks.getLease(leaseId).taskId).consumer);
            tasks.approve(leaseId);
        } else {
            tasks.settle(leaseId);
        }
        paidTo[leaseId] += _paid() - before;
        _watch(leaseId);
        ++done[approves ? "approve" : "settle"];
    }
}
