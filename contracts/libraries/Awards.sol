// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {
    Capacity,
    KeyWrap,
    Lease,
    LeaseRequest,
    LeaseStatus,
    Order,
    Quote,
    Task,
    Terms,
    Verification
} from "../interfaces/Types.sol";
import {Admission} from "./Admission.sol";
import {Billing} from "./Billing.sol";
import {Deadlines} from "./Deadlines.sol";
import {Market, Markets, Wiring} from "./Market.sol";
import {Orders} from "./Orders.sol";
import {Quotes} from "./Quotes.sol";

/// @title How an order is placed and a node gets a lease
/// @notice Linked to TaskRegistry, whose storage it works on; the interface says what each call requires.
library Awards {
    using Markets for Market;
    using Markets for Task;
    using SafeCast for uint256;

    uint256 internal constant MAX_WRAP_BYTES = 512;

    /// @dev See {ITaskRegistry-createTask}.
    function create(
        Market storage market,
        Wiring memory wiring,
        Order calldata order,
        address consumer
    ) external returns (bytes32 taskId) {
        if (order.verification != Verification.Signed) {
            revert ITaskRegistry.UnsupportedVerification(order.verification);
        }
        if (order.leases != 1) revert ITaskRegistry.OpenPathTakesOne(order.leases);
        (taskId,) = _place(market, order, consumer);
        Task storage task = market.tasks[taskId];
        task.seed = keccak256(abi.encode(blockhash(block.number - 1), taskId));
        uint128 reserved = Billing.reserve(order.ratePerHour, order.fundedSeconds).toUint128();
        Lease storage lease = _open(market, taskId, 0, order.ratePerHour, order.fundedSeconds, reserved);
        lease.status = LeaseStatus.Open;
        lease.deadline = order.openUntil;
        wiring.escrow.reserve(consumer, taskId, reserved);
    }

    /// @dev See {ITaskRegistry-createAndAward}.
    function createAndAward(
        Market storage market,
        Wiring memory wiring,
        Order calldata order,
        Quote[] calldata quotes,
        bytes[] calldata signatures,
        KeyWrap[] calldata wraps,
        address consumer
    ) external returns (bytes32 taskId) {
        bytes32 orderHash;
        (taskId, orderHash) = _place(market, order, consumer);
        if (quotes.length != order.leases || signatures.length != order.leases) {
            revert ITaskRegistry.QuotesMismatch(order.leases, quotes.length, signatures.length);
        }
        Task storage task = market.tasks[taskId];
        _grant(market, wiring, taskId, task, wraps);
        uint256 total;
        for (uint256 i = 0; i < quotes.length; ++i) {
            Quotes.redeem(market, wiring.domain, order, orderHash, consumer, i, quotes[i], signatures[i]);
            total += _award(market, wiring, taskId, task, i, quotes[i]);
        }
        if (task.isGang()) market.gangs[taskId].live = order.leases;
        else if (task.verification == Verification.Quorum) market.ballots[taskId].pending = order.leases;
        wiring.escrow.reserve(consumer, taskId, total);
    }

    /// @dev See {ITaskRegistry-acceptTask}.
    function accept(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        address node
    ) external returns (bytes32 leaseId) {
        leaseId = Markets.leaseIdOf(taskId, 0);
        Lease storage lease = market.leases[leaseId];
        if (lease.status != LeaseStatus.Open || lease.attempt != 0) {
            revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        }
        Task storage task = market.tasks[taskId];
        Deadlines.requireNotPassed(leaseId, lease.deadline);
        uint64 admitted = admittedAt(market, wiring, taskId, task.createdAt, node);
        if (block.timestamp < admitted) revert ITaskRegistry.NotAdmitted(taskId, node, admitted);
        wiring.liveness.noteAlive(node);
        _assign(market, wiring, leaseId, lease, task, node, task.startWindow);
    }

    /// @dev See {ITaskRegistry-takeOver}.
    function takeOver(Market storage market, Wiring memory wiring, bytes32 leaseId, address node) external {
        Lease storage lease = market.leases[leaseId];
        if (lease.status != LeaseStatus.Open || lease.attempt == 0) {
            revert ITaskRegistry.WrongStatus(leaseId, lease.status);
        }
        bytes32 taskId = lease.taskId;
        Task storage task = market.tasks[taskId];
        Deadlines.requireNotPassed(leaseId, lease.deadline);
        address owner = wiring.nodes.ownerOf(node);
        if (market.excluded[leaseId][owner]) revert ITaskRegistry.OwnerExcluded(leaseId, owner);
        uint64 admitted = takeOverFrom(market, wiring, leaseId, node);
        if (block.timestamp < admitted) revert ITaskRegistry.NotAdmitted(taskId, node, admitted);
        wiring.liveness.noteAlive(node);
        _assign(market, wiring, leaseId, lease, task, node, task.startWindow);
    }

    /// @dev See {ITaskRegistry-grantKeys}.
    function grantKeys(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        KeyWrap[] calldata wraps,
        address caller
    ) external {
        Task storage task = market.requireConsumer(taskId, caller);
        _grant(market, wiring, taskId, task, wraps);
        for (uint256 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            if (lease.status != LeaseStatus.Assigned || lease.hasKey) continue;
            if (market.granted[taskId][lease.node] == 0) continue;
            Deadlines.requireNotPassed(leaseId, lease.deadline);
            lease.hasKey = true;
            lease.deadline = uint64(block.timestamp) + task.startWindow;
            emit ITaskRegistry.StartWindowOpened(leaseId, lease.node, lease.attempt, lease.deadline);
        }
    }

    /// @dev See {ITaskRegistry-topUp}.
    function topUp(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        uint32 fundedSeconds,
        address caller
    ) external returns (uint256 amount) {
        Task storage task = market.requireConsumer(taskId, caller);
        uint32 funded = task.fundedSeconds;
        if (fundedSeconds > task.maxDuration) {
            revert ITaskRegistry.FundedOutOfRange(fundedSeconds, task.maxDuration);
        }
        if (fundedSeconds <= funded) revert ITaskRegistry.FundedAlready(taskId, funded);
        if (market.gangs[taskId].isOver) revert ITaskRegistry.TaskIsOver(taskId);
        uint32 extraSeconds = fundedSeconds - funded;
        task.fundedSeconds = fundedSeconds;
        for (uint256 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = Markets.leaseIdOf(taskId, i);
            Lease storage lease = market.leases[leaseId];
            LeaseStatus status = lease.status;
            if (status == LeaseStatus.Running) {
                Deadlines.requireNotPassed(leaseId, Deadlines.current(market, leaseId, lease));
            } else if (status != LeaseStatus.Open && status != LeaseStatus.Assigned) {
                continue;
            }
            uint256 more = Billing.reserve(lease.ratePerHour, extraSeconds);
            lease.reserved += more.toUint128();
            lease.maxSeconds += extraSeconds;
            amount += more;
        }
        if (amount == 0) revert ITaskRegistry.TaskIsOver(taskId);
        emit ITaskRegistry.TaskToppedUp(taskId, fundedSeconds, amount);
        wiring.escrow.reserve(caller, taskId, amount);
    }

    /// @dev From when a node's ticket is admitted to what opened at `openedAt`, the greatest timestamp: never.
    function admittedAt(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        uint64 openedAt,
        address node
    ) internal view returns (uint64) {
        Task storage task = market.tasks[taskId];
        Terms storage terms = market.termsOf(task);
        uint64 activeSince = wiring.nodes.activeSinceOf(node);
        if (activeSince == 0 || activeSince + terms.ticketAge > task.createdAt) return type(uint64).max;
        // A quoted task has no seed: its id was not known before it was created, which is all that a ticket needs here.
        bytes32 ticket = Admission.ticket(task.seed == 0 ? taskId : task.seed, node);
        return openedAt + Admission.waitOf(ticket, terms.firstShareBps, terms.widenTime);
    }

    /// @dev From when a node may take a lease that another has lost: who holds the key may at once.
    function takeOverFrom(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        address node
    ) internal view returns (uint64) {
        Lease storage lease = market.leases[leaseId];
        bytes32 taskId = lease.taskId;
        if (market.granted[taskId][node] != 0) return lease.acceptedAt;
        return admittedAt(market, wiring, taskId, lease.acceptedAt, node);
    }

    function _place(
        Market storage market,
        Order calldata order,
        address consumer
    ) private returns (bytes32 taskId, bytes32 orderHash) {
        Orders.check(order, market.parameters);
        uint256 nonce = market.nonces[consumer]++;
        orderHash = keccak256(abi.encode(order));
        taskId = keccak256(abi.encode(block.chainid, address(this), consumer, nonce, orderHash));
        Task storage task = market.tasks[taskId];
        task.consumer = consumer;
        task.createdAt = uint64(block.timestamp);
        task.termsVersion = uint32(market.terms.length - 1);
        task.maxDuration = order.maxDuration;
        task.fundedSeconds = order.fundedSeconds;
        task.startWindow = order.startWindow;
        task.failoverAfter = order.failoverAfter;
        task.ratePerHour = order.ratePerHour;
        task.capacity = Capacity(order.gpus, order.vCpus, order.memoryMiB);
        task.storageMiB = order.storageMiB;
        task.isolation = order.isolation;
        task.verification = order.verification;
        task.leaseCount = order.leases;
        task.threshold = order.threshold;
        task.maxAttempts = order.maxAttempts;
        task.isPrivate = order.isPrivate;
        task.openUntil = order.openUntil;
        task.specDigest = order.specDigest;
        if (bytes(order.gpuModel).length != 0) task.gpuModelHash = keccak256(bytes(order.gpuModel));
        emit ITaskRegistry.TaskCreated(taskId, consumer, order, nonce);
    }

    function _award(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        Task storage task,
        uint256 index,
        Quote calldata quote
    ) private returns (uint256 reserved) {
        reserved = Billing.reserve(quote.ratePerHour, task.fundedSeconds);
        Lease storage lease =
            _open(market, taskId, index, quote.ratePerHour, task.fundedSeconds, reserved.toUint128());
        bytes32 leaseId = Markets.leaseIdOf(taskId, index);
        if (task.isPrivate && market.granted[taskId][quote.node] == 0) {
            revert ITaskRegistry.KeyMissing(leaseId, quote.node);
        }
        _assign(market, wiring, leaseId, lease, task, quote.node, quote.startWindow);
    }

    function _open(
        Market storage market,
        bytes32 taskId,
        uint256 index,
        uint128 ratePerHour,
        uint32 maxSeconds,
        uint128 reserved
    ) private returns (Lease storage lease) {
        lease = market.leases[Markets.leaseIdOf(taskId, index)];
        lease.taskId = taskId;
        lease.index = uint8(index);
        lease.maxSeconds = maxSeconds;
        lease.ratePerHour = ratePerHour;
        lease.reserved = reserved;
    }

    function _assign(
        Market storage market,
        Wiring memory wiring,
        bytes32 leaseId,
        Lease storage lease,
        Task storage task,
        address node,
        uint32 startWindow
    ) private {
        Terms storage terms = market.termsOf(task);
        bytes32 taskId = lease.taskId;
        uint128 lock = Billing.lock(lease.reserved, terms.lockBps, terms.minLock).toUint128();
        bool hasKey = !task.isPrivate || market.granted[taskId][node] != 0;
        lease.status = LeaseStatus.Assigned;
        lease.node = node;
        ++lease.attempt;
        lease.hasKey = hasKey;
        lease.acceptedAt = uint64(block.timestamp);
        lease.deadline = uint64(block.timestamp) + (hasKey ? startWindow : terms.grantWindow);
        lease.lock = lock;
        emit ITaskRegistry.LeaseAssigned(
            leaseId, taskId, node, lease.attempt, lease.ratePerHour, lease.deadline, hasKey
        );
        wiring.nodes.takeLease(
            node,
            leaseId,
            LeaseRequest(
                task.capacity, task.storageMiB, task.isolation, task.gpuModelHash, lease.ratePerHour, lock
            )
        );
    }

    function _grant(
        Market storage market,
        Wiring memory wiring,
        bytes32 taskId,
        Task storage task,
        KeyWrap[] calldata wraps
    ) private {
        if (wraps.length != 0 && !task.isPrivate) revert ITaskRegistry.NoKeyNeeded(taskId);
        uint256 most = 2 * uint256(Orders.MAX_LEASES);
        if (wraps.length > most) revert ITaskRegistry.TooManyWraps(wraps.length, most);
        for (uint256 i = 0; i < wraps.length; ++i) {
            KeyWrap calldata wrap = wraps[i];
            uint32 version = wiring.nodes.encryptionKeyVersionOf(wrap.node);
            if (version == 0 || wrap.keyVersion != version) {
                revert ITaskRegistry.WrongKeyVersion(wrap.node, wrap.keyVersion, version);
            }
            if (wrap.wrap.length == 0 || wrap.wrap.length > MAX_WRAP_BYTES) {
                revert ITaskRegistry.WrapLength(wrap.wrap.length, MAX_WRAP_BYTES);
            }
            market.granted[taskId][wrap.node] = version;
            emit ITaskRegistry.KeyGranted(taskId, wrap.node, version, wrap.wrap);
        }
    }
}
