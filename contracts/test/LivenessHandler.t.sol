// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {LivenessParameters, Report} from "../interfaces/ILiveness.sol";
import {NodeStatus, Profile} from "../interfaces/Types.sol";
import {Liveness} from "../Liveness.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {Keys} from "./Keys.sol";
import {MarketUnderTest} from "./MarketUnderTest.t.sol";

/// @title Bidders, seats, reporters and operators, driven by the fuzzer
/// @notice 36 nodes of 34 owners, 32 of them with a bid and 16 with a seat from the start. Beside Liveness it keeps its own
/// account of six watched nodes: which reports must take effect, and what they must cost.
contract LivenessHandler is MarketUnderTest {
    uint256 public constant NODES = 36;
    uint256 public constant OWNERS = 34;
    uint256 public constant WATCHED = 6;
    uint256 private constant GRACE = 5; // seconds, as deployed
    uint256 private constant COOLDOWN = 8; // seconds
    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(address owner,address operator,bytes32 encryptionKey,bytes32 profileDigest,uint256 deadline)"
    );

    /// @dev What must be so, by the rules of {ILiveness}.
    struct Account {
        uint256 ended; // seconds of periods that are over
        uint256 since; // of the running period, 0: none
        uint256 reportedAt;
        uint256 knownAt;
    }

    address[] public nodeList;
    address[] private _watched; // ascending
    mapping(address node => uint256) private _keys;
    mapping(address node => Account) private _accounts;
    mapping(address node => uint256) private _lastSeconds;

    /// @dev Kept apart from `block.timestamp`, which the optimizer may read only once a call.
    uint256 private _clock = 1_900_000_000;
    uint256 public immutable deployedAt = _clock;
    Report private _lastReport;
    bytes[] private _lastSignatures;

    bool public decreased;
    mapping(string call => uint256) public done;

    constructor() {
        vm.warp(_clock);
        deployMarket();
        bytes[] memory publicKeys = Keys.publicKeys(NODES);
        for (uint256 i = 0; i < NODES; ++i) {
            _register(ownerAt(i), Keys.FIRST + i, publicKeys[i]);
        }
        for (uint256 i = 0; i < WATCHED; ++i) {
            _watch(nodeList[i]);
        }
        for (uint256 i = 0; i < 32; ++i) {
            if (i == 16) _rotate();
            vm.prank(ownerAt(i));
            liveness.bid(nodeList[i], 100 + i % 16 * 10);
        }
    }

    modifier then(uint256 wait) {
        _clock += bound(wait, 0, 6);
        vm.warp(_clock);
        _;
        for (uint256 i = 0; i < WATCHED; ++i) {
            uint256 secondsNow = liveness.offlineSecondsOf(_watched[i]);
            if (secondsNow < _lastSeconds[_watched[i]]) decreased = true;
            _lastSeconds[_watched[i]] = secondsNow;
        }
    }

    // ---- the committee

    function bid(uint256 which, uint256 amount, uint256 wait) external then(wait) {
        uint256 index = which % NODES;
        uint256 before = liveness.bids().length;
        bool isNew = liveness.candidateOf(nodeList[index]).owner == address(0);
        vm.prank(ownerAt(index));
        liveness.bid(nodeList[index], bound(amount, 90, 1010));
        if (!isNew) ++done["raise"];
        else if (liveness.bids().length == before) ++done["bid that evicts"];
        else ++done["bid"];
    }

    /// @dev Whoever can bids, until the list is full.
    function fill(uint256 wait) external then(wait) {
        for (uint256 i = 0; i < OWNERS && liveness.bids().length < liveness.MAX_BIDS(); ++i) {
            (uint256 staked, uint256 locked,,) = nodes.stakeOf(nodeList[i]);
            bool canBid = staked - locked >= 150 && nodes.statusOf(nodeList[i]) == NodeStatus.Active;
            if (!canBid || liveness.bidOf(ownerAt(i)) != address(0)) continue;
            vm.prank(ownerAt(i));
            liveness.bid(nodeList[i], 150);
        }
        if (liveness.bids().length == liveness.MAX_BIDS()) ++done["fill"];
    }

    function withdrawBid(uint256 which, uint256 wait) external then(wait) {
        uint256 index = which % NODES;
        bool isSeated = liveness.candidateOf(nodeList[index]).isSeated;
        vm.prank(ownerAt(index));
        liveness.withdrawBid(nodeList[index]);
        ++done[isSeated ? "leave a seat" : "withdraw a bid"];
    }

    function checkIn(uint256 which, uint256 wait) external then(wait) {
        vm.prank(nodeList[which % NODES]);
        liveness.checkIn();
        ++done["checkIn"];
    }

    function rotate(uint256 wait) external then(wait) {
        _rotate();
        ++done["rotate"];
    }

    /// @dev Rare: most must stay.
    function revoke(uint256 which, uint256 wait) external then(wait) {
        if (which % 8 != 0) return;
        uint256 index = WATCHED + which / 8 % (NODES - WATCHED);
        vm.prank(ownerAt(index));
        nodes.revokeOperator(nodeList[index]);
        ++done["revoke"];
    }

    function unstake(uint256 which, uint256 amount, uint256 wait) external then(wait) {
        uint256 index = which % NODES;
        vm.prank(ownerAt(index));
        nodes.unstake(nodeList[index], bound(amount, 1, 200));
        ++done["unstake"];
    }

    function govern(uint256 minSeatStake, uint256 maxMissed, uint256 wait) external then(wait) {
        LivenessParameters memory rules = liveness.parameters();
        rules.minSeatStake = uint128(bound(minSeatStake, 50, 150));
        rules.maxMissed = uint32(bound(maxMissed, 1, 4));
        vm.prank(governor);
        liveness.setParameters(rules);
        ++done["govern"];
    }

    // ---- life and death

    /// @dev `mask`: two bits for each watched node, so that some are in both lists.
    function report(uint256 mask, uint256 age, uint256 fewer, uint256 wait) external then(wait) {
        (uint64 epoch, uint32 version,,) = liveness.committee();
        Report memory report_ =
            Report(epoch, version, uint64(_clock - bound(age, 0, 13)), _chosen(mask), _chosen(mask >> WATCHED));
        bytes[] memory signatures = _sign(report_, bound(fewer, 0, 7));
        liveness.report(report_, signatures);
        _account(report_);
        _lastReport = report_;
        _lastSignatures = signatures;
        ++done["report"];
    }

    /// @dev The last report once more.
    function replay(uint256 wait) external then(wait) {
        liveness.report(_lastReport, _lastSignatures);
        _account(_lastReport);
        ++done["replay"];
    }

    function stillAlive(uint256 which, uint256 wait) external then(wait) {
        address node = _watched[which % WATCHED];
        vm.prank(node);
        liveness.stillAlive();
        ++done[_touch(node)];
    }

    function noteAlive(uint256 which, uint256 wait) external then(wait) {
        address node = _watched[which % WATCHED];
        vm.prank(address(tasks));
        uint64 given = liveness.noteAlive(node);
        ++done[_touch(node)];
        assertEq(given, _accounts[node].ended, "seconds as TaskRegistry is told them");
    }

    function finalise(uint256 which, uint256 wait) external then(wait) {
        liveness.finalise(_watched[which % WATCHED]);
        ++done["finalise"];
    }

    // ---- what the invariants look at

    function contracts() external view returns (Liveness, NodeRegistry) {
        return (liveness, nodes);
    }

    function clock() external view returns (uint256) {
        return _clock;
    }

    function watched(uint256 index) external view returns (address) {
        return _watched[index];
    }

    /// @dev The seconds that the node must have been offline, and since when it must be.
    function expected(address node) external view returns (uint256 total, uint256 since) {
        Account memory account = _accounts[node];
        if (account.since == 0 || _clock <= account.since + GRACE) return (account.ended, 0);
        return (account.ended + _clock - account.since, account.since);
    }

    /// @dev The last two nodes are second ones of the first two owners.
    function ownerAt(uint256 index) public pure returns (address) {
        return address(uint160(0xB000 + index % OWNERS));
    }

    function _rotate() private {
        (,, uint64 endsAt,) = liveness.committee();
        if (_clock <= endsAt) _clock = endsAt + 1;
        vm.warp(_clock);
        liveness.rotate();
    }

    function _account(Report memory report_) private {
        for (uint256 i = 0; i < report_.offline.length; ++i) {
            Account storage account = _accounts[report_.offline[i]];
            bool isStale = report_.issuedAt <= account.knownAt;
            bool isCooling = account.reportedAt != 0 && _clock < account.reportedAt + COOLDOWN;
            if (account.since != 0 || isStale || isCooling) continue;
            (account.since, account.reportedAt, account.knownAt) = (_clock, _clock, report_.issuedAt);
        }
        for (uint256 i = 0; i < report_.online.length; ++i) {
            Account storage account = _accounts[report_.online[i]];
            if (account.since == 0 || report_.issuedAt <= account.knownAt) continue;
            _touch(report_.online[i]);
            account.knownAt = report_.issuedAt;
        }
    }

    /// @dev A sign of life; says what it met.
    function _touch(address node) private returns (string memory met) {
        Account storage account = _accounts[node];
        met = "life of an online node";
        if (account.since != 0) {
            bool isFinal = _clock > account.since + GRACE;
            met = isFinal ? "life that ends a period" : "life that voids a report";
            if (isFinal) account.ended += _clock - account.since;
        }
        account.since = 0;
        account.knownAt = _clock;
    }

    function _watch(address node) private {
        _watched.push(node);
        for (uint256 i = _watched.length - 1; i > 0 && _watched[i - 1] > _watched[i]; --i) {
            (_watched[i - 1], _watched[i]) = (_watched[i], _watched[i - 1]);
        }
    }

    function _register(address owner, uint256 key, bytes memory publicKey) private {
        address node = address(uint160(uint256(keccak256(publicKey))));
        Profile memory declared;
        declared.encryptionKey = keccak256("key");
        declared.vCpus = 8;
        declared.memoryMiB = 1000;
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
        nodes.register(declared, publicKey, type(uint256).max, abi.encodePacked(r, s, v));
        nodeList.push(node);
        _keys[node] = key;
        token.mint(owner, 1000);
        vm.prank(owner);
        token.approve(address(escrow), 1000);
        vm.prank(owner);
        escrow.deposit(1000);
        vm.prank(owner);
        nodes.stake(node, 1000);
    }

    /// @dev The watched nodes whose bits are set, ascending.
    function _chosen(uint256 mask) private view returns (address[] memory chosen) {
        uint256 count;
        for (uint256 i = 0; i < WATCHED; ++i) {
            count += mask >> i & 1;
        }
        chosen = new address[](count);
        for (uint256 i = WATCHED; i > 0; --i) {
            if (mask >> i - 1 & 1 == 1) chosen[--count] = _watched[i - 1];
        }
    }

    /// @dev By all seats but `fewer`.
    function _sign(Report memory report_, uint256 fewer) private view returns (bytes[] memory signatures) {
        address[] memory seats = liveness.seats();
        signatures = new bytes[](seats.length > fewer ? seats.length - fewer : 0);
        bytes32 digest = liveness.reportHash(report_);
        for (uint256 i = 0; i < signatures.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys[seats[i]], digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
    }
}
