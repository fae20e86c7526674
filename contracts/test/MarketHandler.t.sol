// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {
    Lease,
    LeaseStatus,
    NodeStatus,
    Order,
    OutputAttestation,
    Profile,
    TaskParameters
} from "../interfaces/Types.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {PaymentEscrow} from "../PaymentEscrow.sol";
import {TaskRegistry} from "../TaskRegistry.sol";
import {DemoDollar} from "./DemoDollar.sol";
import {MarketUnderTest} from "./MarketUnderTest.t.sol";

/// @title All actors of a market, driven by the fuzzer
/// @notice Three consumers, two owners with two nodes each, the governor and passers-by. Every call that the contracts
/// accept is counted in `done`, and what they must not do is recorded as it happens.
contract MarketHandler is MarketUnderTest {
    uint256 public constant MAX_LEASES = 8;
    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(address owner,address operator,bytes32 encryptionKey,bytes32 profileDigest,uint256 deadline)"
    );

    address[] private _consumers = [address(0xC1), address(0xC2), address(0xC3)];
    address[] private _owners = [address(0xB1), address(0xB2)];
    address[] public nodeList;
    bytes32[] public leaseList;
    mapping(address node => uint256) private _keys;

    /// @dev Public keys of the private keys 0xD0 to 0xD3: the runner can sign, but not multiply points.
    bytes[4] private _publicKeys = [
        bytes(hex"7d86781855db1b17d7ce3765816076eba7163cb9fba082bb65348f778db0e595e2b99adfec86f8772e562e2bed4f88382937844e0e25d53299951e3abc733de8"),
        bytes(hex"7f30ea2476b399b4957509c88f77d0191afa2ff5cb7b14fd6d8e7d65aaab1193ca5ef7d4b231c94c3b15389a5f6311e9daff7bb67b103e9880ef4bff637acaec"),
        bytes(hex"59ae134c1a41cfee81c5c2cd51ac727b4e7759552d729e07b25031df15661815e0c2821689a92635bd7df32296a9fc38847a414a8455218d09cda7f01e8bfc2b"),
        bytes(hex"5098ff1e1d9f14fb46a210fada6c903fef0fb7b4a1dd1d9ac60a0361800b7a0009731141d81fc8f8084d37c6e7542006b3ee1b40d60dfe5362a5b132fd17ddc0")
    ];

    /// @dev Kept apart from `block.timestamp`, which the optimizer may read only once a call.
    uint256 private _clock = 1_900_000_000;

    mapping(string call => uint256) public done;
    mapping(bytes32 leaseId => uint256) public paidTo; // gross pay that left the reservation
    mapping(bytes32 leaseId => uint256) public slashedFor;
    mapping(bytes32 leaseId => uint256) public lockedFor;
    mapping(bytes32 leaseId => LeaseStatus) public lastStatus;
    uint256 public tokensIn;
    uint256 public tokensOut;
    bool public movedBackwards;

    address private immutable _test = msg.sender;

    constructor() {
        vm.warp(_clock);
        deployMarket();
        for (uint256 i = 0; i < 4; ++i) {
            _register(_owners[i % 2], 0xD0 + i);
        }
        for (uint256 i = 0; i < 3; ++i) {
            _deposit(_consumers[i], 1_000_000);
        }
    }

    modifier then(uint256 wait) {
        _clock += bound(wait, 0, 6);
        vm.warp(_clock);
        vm.roll(_clock - 1_800_000_000);
        _;
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
        if (forfeited != 0) tokensOut += escrow.burnForfeited();
        if (fees + forfeited != 0) ++done["sweep"];
    }

    // ---- stake and map

    function stake(uint256 which, uint256 amount, uint256 wait) external then(wait) {
        address node = nodeList[which % 4];
        address owner = nodes.ownerOf(node);
        uint256 free = escrow.freeOf(owner);
        if (free == 0) return;
        vm.prank(owner);
        nodes.stake(node, bound(amount, 1, free));
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
        address consumer = _consumers[who % 3];
        Order memory order;
        order.specDigest = keccak256("spec");
        order.gpus = uint32(rate % 4);
        order.vCpus = 1;
        order.memoryMiB = 100;
        order.maxDuration = uint32(bound(duration, 1, 400));
        order.ratePerHour = uint128(bound(rate, 1, 60_000));
        order.startWindow = 60;
        order.openUntil = uint64(_clock + bound(duration, 100, 1000));
        vm.prank(consumer);
        bytes32 leaseId = tasks.leaseIdOf(tasks.createTask(order), 0);
        leaseList.push(leaseId);
        _watch(leaseId);
        ++done["createTask"];
    }

    function acceptTask(uint256 which, uint256 by, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Open);
        if (leaseId == 0) return;
        bytes32 taskId = tasks.getLease(leaseId).taskId;
        vm.prank(nodeList[by % 4]);
        tasks.acceptTask(taskId);
        lockedFor[leaseId] = tasks.getLease(leaseId).lock;
        _watch(leaseId);
        ++done["acceptTask"];
    }

    function startLease(uint256 which, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Assigned);
        if (leaseId == 0) return;
        vm.prank(tasks.getLease(leaseId).node);
        tasks.startLease(leaseId, 1);
        _watch(leaseId);
        ++done["startLease"];
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
        bytes32 leaseId = _leaseIn(which, which % 2 == 0 ? LeaseStatus.Running : LeaseStatus.Stopping);
        if (leaseId == 0) return;
        OutputAttestation memory claim = _attestation(leaseId, "output");
        claim.started = uint64(_clock - 500 + started % 560);
        claim.ended = uint64(bound(ended, claim.started, _clock + 60));
        tasks.completeLease(claim, _sign(claim));
        _watch(leaseId);
        ++done["completeLease"];
    }

    function failLease(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(2 + state % 3));
        if (leaseId == 0) return;
        uint256 before = _paid();
        vm.prank(tasks.getLease(leaseId).node);
        tasks.failLease(leaseId, 1, "broken");
        paidTo[leaseId] += _paid() - before;
        _watch(leaseId);
        ++done["failLease"];
    }

    function cancelTask(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(1 + state % 3));
        if (leaseId == 0) return;
        uint256 before = _paid();
        bytes32 taskId = tasks.getLease(leaseId).taskId;
        vm.prank(tasks.getTask(taskId).consumer);
        tasks.cancelTask(taskId);
        paidTo[leaseId] += _paid() - before;
        _watch(leaseId);
        ++done["cancelTask"];
    }

    function approveOrSettle(uint256 which, uint256 how, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus.Completed);
        if (leaseId == 0) return;
        uint256 before = _paid();
        bool approves = how % 4 == 0;
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

    function expire(uint256 which, uint256 state, uint256 wait) external then(wait) {
        bytes32 leaseId = _leaseIn(which, LeaseStatus(1 + state % 4));
        if (leaseId == 0) return;
        uint256 before = _paid();
        tasks.expire(leaseId);
        paidTo[leaseId] += _paid() - before;
        _watch(leaseId);
        ++done["expire"];
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
            ++done["expire"];
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
        if (tasks.getLease(leaseId).node == address(0)) return;
        OutputAttestation memory first = _attestation(leaseId, "one");
        OutputAttestation memory second = _attestation(leaseId, "two");
        (,,,, uint256 before,) = escrow.totals();
        tasks.proveEquivocation(first, _sign(first), second, _sign(second));
        (,,,, uint256 left,) = escrow.totals();
        slashedFor[leaseId] += before - left;
        _watch(leaseId);
        ++done["proveEquivocation"];
    }

    // ---- governance, and time

    function govern(uint256 fee, uint256 lock, uint256 wait) external then(wait) {
        TaskParameters memory parameters = parametersOf(uint16(bound(fee, 0, 500)));
        parameters.terms.lockBps = uint16(bound(lock, 2000, 10_000));
        vm.prank(governor);
        tasks.setParameters(parameters);
        ++done["govern"];
    }

    function pauseOrUnpause(bool pauses, uint256 wait) external then(wait) {
        vm.prank(governor);
        if (pauses) tasks.pause();
        else tasks.unpause();
        ++done["pauseOrUnpause"];
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

    // ---- what the invariants look at

    function contracts() external view returns (DemoDollar, NodeRegistry, TaskRegistry, PaymentEscrow) {
        return (token, nodes, tasks, escrow);
    }

    function leaseCount() external view returns (uint256) {
        return leaseList.length;
    }

    function nodeCount() external view returns (uint256) {
        return nodeList.length;
    }

    function accounts() external view returns (address[] memory all) {
        all = new address[](7);
        for (uint256 i = 0; i < 5; ++i) {
            all[i] = _any(i);
        }
        (all[5], all[6]) = (address(this), governor);
    }

    function _register(address owner, uint256 key) private {
        bytes memory publicKey = _publicKeys[key - 0xD0];
        address node = address(uint160(uint256(keccak256(publicKey))));
        Profile memory declared = _profile(8);
        bytes32 structHash = keccak256(
            abi.encode(
                REGISTER_TYPEHASH,
                owner,
                node,
                declared.encryptionKey,
                keccak256(abi.encode(declared)),
                type(uint256).max
            )
        );
        bytes32 digest = MessageHashUtils.toTypedDataHash(nodes.domainSeparator(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        vm.prank(owner);
        nodes.register(
            declared, publicKey, type(uint256).max, abi.encodePacked(r, s, v)
        );
        nodeList.push(node);
        _keys[node] = key;
        _deposit(owner, 200_000);
        vm.prank(owner);
        nodes.stake(node, 100_000);
    }

    function _deposit(address account, uint256 amount) private {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(escrow), amount);
        vm.prank(account);
        escrow.deposit(amount);
        tokensIn += amount;
        ++done["deposit"];
    }

    function _watch(bytes32 leaseId) private {
        LeaseStatus status = tasks.getLease(leaseId).status;
        if (status == lastStatus[leaseId]) return;
        // Settled, Cancelled, Failed and Expired are ends; before them the order of the enum is the order of life.
        if (lastStatus[leaseId] >= LeaseStatus.Settled || status < lastStatus[leaseId]) movedBackwards = true;
        lastStatus[leaseId] = status;
    }

    /// @dev The first lease in this state, looking from a fuzzed place; zero if there is none.
    function _leaseIn(uint256 from, LeaseStatus status) private view returns (bytes32) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(from % count + i) % count];
            if (lastStatus[leaseId] == status) return leaseId;
        }
        return 0;
    }

    /// @dev All gross pay so far: what owners earned and the fees, withdrawn or not, only ever grow within one call.
    function _paid() private view returns (uint256) {
        (,, uint256 earnings, uint256 fees,,) = escrow.totals();
        return earnings + fees;
    }

    function _any(uint256 who) private view returns (address) {
        return who % 5 < 3 ? _consumers[who % 5] : _owners[who % 5 - 3];
    }

    function _attestation(
        bytes32 leaseId,
        string memory output
    ) private view returns (OutputAttestation memory claim) {
        Lease memory lease = tasks.getLease(leaseId);
        claim.taskId = lease.taskId;
        claim.leaseId = leaseId;
        claim.attempt = 1;
        claim.specDigest = keccak256("spec");
        claim.outputDigest = keccak256(bytes(output));
        claim.retainUntil = type(uint64).max;
    }

    function _sign(OutputAttestation memory claim) private view returns (bytes memory) {
        uint256 key = _keys[tasks.getLease(claim.leaseId).node];
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, tasks.attestationHash(claim));
        return abi.encodePacked(r, s, v);
    }

    function _profile(uint32 gpus) private pure returns (Profile memory declared) {
        declared.encryptionKey = keccak256("key");
        declared.gpus = gpus;
        declared.gpuModel = "T4";
        declared.vCpus = 8;
        declared.memoryMiB = 1000;
    }
}
