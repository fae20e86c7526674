// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC2771Forwarder} from "@openzeppelin/contracts/metatx/ERC2771Forwarder.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {KeyWrap, Lease, LeaseStatus, NodeStatus, Order, Quote, Task, Verification} from "../interfaces/Types.sol";
import {IPaymentEscrow} from "../interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {LivenessActors} from "./LivenessActors.t.sol";

/// @title Orders, quotes, keys and top-ups, driven by the fuzzer
abstract contract OrderActors is LivenessActors {
    uint256 public constant MAX_LEASES = 24;
    /// @dev Of the seed of an order of three leases: these bits make it a quorum's.
    uint256 internal constant QUORUM_MASK = 3 << 40;
    uint256 internal constant QUORUM_BITS = 1 << 40;
    bytes32 private constant FORWARD_TYPEHASH = keccak256(
        "ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)"
    );
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    uint256 private constant CARRIED = 40; // base units that carrying a batch costs

    uint256 private _quoteNonce;

    function createTask(uint256 who, uint256 rate, uint256 duration, uint256 seed, uint256 wait) external then(wait) {
        if (leaseList.length == MAX_LEASES) return;
        _create(who, bound(rate, 1, 60_000), bound(duration, 1, 400), seed);
    }

    /// @dev Takes an order of one's own whose lock is all the stake that a node has free.
    function lockAll(uint256 which, uint256 who, uint256 wait) external then(wait) {
        if (leaseList.length == MAX_LEASES) return;
        (uint256 staked, uint256 locked,,) = nodes.stakeOf(nodeList[which % NODES]);
        uint256 reserved = (staked - locked) * 10_000 / tasks.terms().lockBps;
        if (reserved == 0) return;
        _accept(_create(who, reserved * 9, 400, 0x100), which); // 400 seconds are a ninth of an hour
        ++done["lockAll"];
    }

    /// @dev A quoted order of one to four leases, each on a node of its own, of the same owner, or on the same node.
    function award(
        uint256 who,
        uint256 members,
        uint256 rate,
        uint256 duration,
        uint256 seed,
        uint256 wait
    ) external then(wait) {
        members = bound(members, 1, 4);
        if (leaseList.length + members > MAX_LEASES) return;
        _award(who, members, bound(rate, 1, 30_000), bound(duration, 1, 400), seed);
    }

    /// @dev A consumer without gas: deposits, pays whoever carries it and orders, in one transaction of another.
    function forwardOrder(uint256 who, uint256 rate, uint256 seed, uint256 wait) external then(wait) {
        if (leaseList.length == MAX_LEASES) return;
        address consumer = _consumers[who % 3];
        Order memory order = _order(bound(rate, 1, 60_000), 300, 1, seed);
        _mintFor(consumer, 5000);
        uint256 nonce = tasks.nonces(consumer);
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(IPaymentEscrow.deposit, (5000));
        calls[1] = abi.encodeCall(IPaymentEscrow.transferFree, (address(this), CARRIED));
        calls[2] = abi.encodeCall(ITaskRegistry.createTask, (order));
        forwarder.executeBatch(_requests(consumer, calls), payable(address(0)));
        _remember(tasks.taskIdOf(consumer, nonce, keccak256(abi.encode(order))));
        ++done["forwardOrder"];
    }

    /// @dev The same with an order that nobody could pay: whoever carries it must not be paid for it.
    function forwardInVain(uint256 who, uint256 wait) external then(wait) {
        address consumer = _consumers[who % 3];
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IPaymentEscrow.transferFree, (address(this), CARRIED));
        calls[1] = abi.encodeCall(ITaskRegistry.createTask, (_order(1e30, 300, 1, 0)));
        try forwarder.executeBatch(_requests(consumer, calls), payable(address(0))) {
            _hold(false, "BatchesHappenWhole", "half of a batch happened");
        } catch {
            ++done["forwardInVain"];
        }
    }

    function acceptTask(uint256 which, uint256 by, uint256 wait) external then(wait) {
        _accept(_open(which, false), by);
    }

    function takeOver(uint256 which, uint256 by, uint256 wait) external then(wait) {
        _takeOver(_open(which, true), by);
    }

    /// @dev Hands the key to who waits for it, to a standby, or never.
    function grantKeys(uint256 which, uint256 by, uint256 wait) external then(wait) {
        if (taskList.length == 0) return;
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count && by % 4 != 0; ++i) {
            bytes32 leaseId = leaseList[(which % count + i) % count];
            if (!_waitsForKey(leaseId)) continue;
            _grant(_stories[leaseId].taskId, _stories[leaseId].node);
            ++done["grantKeys"];
            return;
        }
        _grant(taskList[which % taskList.length], nodeList[by % NODES]);
        ++done["grantKeys to a standby"];
    }

    function topUp(uint256 which, uint256 extra, uint256 wait) external then(wait) {
        if (taskList.length == 0) return;
        bytes32 taskId = taskList[which % taskList.length];
        Task memory task = tasks.getTask(taskId);
        extra = bound(extra, 1, 100);
        vm.prank(task.consumer);
        tasks.topUp(taskId, task.fundedSeconds + uint32(extra));
        for (uint32 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = tasks.leaseIdOf(taskId, i);
            if (_stories[leaseId].status > LeaseStatus.Running) continue;
            _promise(leaseId, extra);
            _look(leaseId);
        }
        ++done["topUp"];
    }

    // ---- the steps themselves; no lease, no step

    function _create(uint256 who, uint256 rate, uint256 duration, uint256 seed) internal returns (bytes32 leaseId) {
        Order memory order = _order(rate, duration, 1, seed);
        vm.prank(_consumers[who % 3]);
        bytes32 taskId = tasks.createTask(order);
        _remember(taskId);
        ++done["createTask"];
        return tasks.leaseIdOf(taskId, 0);
    }

    function _award(
        uint256 who,
        uint256 members,
        uint256 rate,
        uint256 duration,
        uint256 seed
    ) internal returns (bytes32 taskId) {
        Order memory order = _order(rate, duration, members, seed);
        Quote[] memory quotes = new Quote[](members);
        bytes[] memory signatures = new bytes[](members);
        KeyWrap[] memory wraps = new KeyWrap[](order.isPrivate ? members : 0);
        address consumer = _consumers[who % 3];
        for (uint256 i = 0; i < members; ++i) {
            // Steps of three lead to the same owner's nodes.
            address node = _active(seed % NODES + i * (seed >> 24 & 3 == 0 ? OWNERS : 1));
            quotes[i] = _quote(order, consumer, node, i, seed);
            signatures[i] = _sign(node, tasks.quoteHash(quotes[i]));
            if (order.isPrivate) wraps[i] = _wrap(node);
        }
        vm.prank(consumer);
        taskId = tasks.createAndAward(order, quotes, signatures, wraps);
        _remember(taskId);
        if (_isQuorum(taskId)) ++done["award of a quorum"];
        else ++done[members == 1 ? "award" : "award of a gang"];
    }

    function _accept(bytes32 leaseId, uint256 by) internal {
        if (leaseId == 0) return;
        vm.prank(nodeList[by % NODES]);
        tasks.acceptTask(_stories[leaseId].taskId);
        ++done["acceptTask"];
    }

    /// @dev The first of the nodes that may.
    function _takeOver(bytes32 leaseId, uint256 by) internal {
        if (leaseId == 0) return;
        for (uint256 i = 0; i < NODES; ++i) {
            vm.prank(nodeList[(by % NODES + i) % NODES]);
            try tasks.takeOver(leaseId) {
                ++done["takeOver"];
                return;
            } catch {
                ++done["refused"];
            }
        }
    }

    function _grant(bytes32 taskId, address node) internal {
        KeyWrap[] memory wraps = new KeyWrap[](1);
        wraps[0] = _wrap(node);
        vm.prank(tasks.getTask(taskId).consumer);
        tasks.grantKeys(taskId, wraps);
    }

    function _waitsForKey(bytes32 leaseId) internal view returns (bool) {
        Lease memory lease = tasks.getLease(leaseId);
        return lease.status == LeaseStatus.Assigned && !lease.hasKey;
    }

    /// @dev The first lease that is open, for the first time or again, looking from a fuzzed place.
    function _open(uint256 from, bool isAgain) internal view returns (bytes32) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(from % count + i) % count];
            if (_stories[leaseId].status != LeaseStatus.Open) continue;
            if ((tasks.getLease(leaseId).attempt != 0) == isAgain) return leaseId;
        }
        return 0;
    }

    /// @dev The consumer's signed calls: the last to TaskRegistry, those before it to the escrow.
    function _requests(
        address from,
        bytes[] memory calls
    ) internal view returns (ERC2771Forwarder.ForwardRequestData[] memory requests) {
        requests = new ERC2771Forwarder.ForwardRequestData[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            address to = i == calls.length - 1 ? address(tasks) : address(escrow);
            requests[i] = ERC2771Forwarder.ForwardRequestData(from, to, 0, 2_000_000, type(uint48).max, calls[i], "");
            bytes32 structHash = keccak256(
                abi.encode(
                    FORWARD_TYPEHASH,
                    from,
                    to,
                    0,
                    requests[i].gas,
                    forwarder.nonces(from) + i,
                    requests[i].deadline,
                    keccak256(calls[i])
                )
            );
            requests[i].signature = _sign(from, MessageHashUtils.toTypedDataHash(_forwardDomain(), structHash));
        }
    }

    function _forwardDomain() private view returns (bytes32) {
        bytes32 name = keccak256("Dekuper Forwarder");
        return keccak256(abi.encode(DOMAIN_TYPEHASH, name, keccak256("1"), block.chainid, address(forwarder)));
    }

    function _order(
        uint256 rate,
        uint256 duration,
        uint256 members,
        uint256 seed
    ) private view returns (Order memory order) {
        order.specDigest = keccak256("spec");
        order.leases = uint8(members);
        order.maxAttempts = uint8(1 + seed % 3);
        order.isPrivate = seed >> 8 & 3 == 0;
        order.gpus = uint32(seed >> 16 & 3);
        order.vCpus = 1;
        order.memoryMiB = 100;
        order.maxDuration = uint32(2 * duration);
        order.fundedSeconds = uint32(duration);
        order.ratePerHour = uint128(rate);
        order.startWindow = 60;
        order.failoverAfter = 5;
        order.openUntil = uint64(_clock + 100 + 2 * duration);
        if (members != 3 || seed & QUORUM_MASK != QUORUM_BITS) return order;
        order.verification = Verification.Quorum;
        order.threshold = 2;
        order.maxAttempts = 1;
    }

    function _quote(
        Order memory order,
        address consumer,
        address node,
        uint256 index,
        uint256 seed
    ) private returns (Quote memory quote) {
        quote.node = node;
        quote.consumer = consumer;
        quote.orderHash = keccak256(abi.encode(order));
        quote.memberIndex = uint32(index);
        quote.ratePerHour = order.ratePerHour - uint128((seed >> index * 8) % (order.ratePerHour / 4 + 1));
        quote.startWindow = uint32(20 + (seed >> index * 8) % 41);
        quote.expiry = uint64(_clock + seed % 61);
        quote.nonce = ++_quoteNonce;
        quote.verification = order.verification;
    }

    /// @dev The first node that takes leases, looking from a fuzzed place.
    function _active(uint256 from) private view returns (address) {
        for (uint256 i = 0; i < NODES; ++i) {
            address node = nodeList[(from % NODES + i) % NODES];
            if (nodes.statusOf(node) == NodeStatus.Active) return node;
        }
        return nodeList[0];
    }

    function _wrap(address node) private view returns (KeyWrap memory) {
        return KeyWrap(node, nodes.encryptionKeyVersionOf(node), "wrapped");
    }
}
