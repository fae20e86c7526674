// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {TaskRegistry} from "../TaskRegistry.sol";
import {Cheats} from "./Cheats.sol";
import {MarketHandler} from "./MarketHandler.t.sol";

/// @title The actors of the money tests, held to act
/// @notice The handler is no proof if its calls all revert: random walks must reach every call in every state that allows it.
contract ActorsTest is Cheats {
    uint256 private constant WALKS = 16;
    uint256 private constant STEPS = 200;
    /// @dev The runner keeps all that a test has done until it ends, and a gang does much: its walks are short.
    uint256 private constant GANG_WALKS = 8;
    uint256 private constant GANG_STEPS = 50;
    MarketHandler private _handler;
    mapping(string path => uint256) private _reached;
    uint256 private _walked;
    uint256 private _accepted;

    string[] private _pathsAccountsAndOrders = [
        "deposit",
        "withdraw",
        "withdrawEarnings",
        "transferFree",
        "sweep",
        "stake",
        "unstake",
        "releaseUnbonded",
        "migrate",
        "drainOrResume",
        "revoke",
        "shrink",
        "createTask",
        "lockAll",
        "award",
        "award of a gang",
        "forwardOrder",
        "forwardInVain",
        "acceptTask",
        "grantKeys",
        "grantKeys to a standby",
        "topUp",
        "reported as offline",
        "reported as back",
        "stillAlive",
        "bid",
        "rotate",
        "govern",
        "pause",
        "unpause"
    ];

    string[] private _pathsSingleLeases = [
        "startLease",
        "checkpoint",
        "downtime taken off",
        "completeLease while Running",
        "completeLease while Stopping",
        "failLease while Assigned",
        "failLease while Running",
        "failLease while Stopping",
        "failover of a revoked node",
        "failover of an offline node",
        "attempt lost",
        "takeOver",
        "third attempt",
        "cancelTask while Open",
        "cancelTask while Assigned",
        "cancelTask while Running",
        "cancelAtTheEnd",
        "approve",
        "settle",
        "expire while Open",
        "expire while Assigned",
        "expire while Running",
        "expire while Stopping",
        "pay of a lost lease",
        "again"
    ];

    string[] private _pathsGangsThatGoOn =
        ["gang started", "gang waits for a replacement", "gang started again", "standby paid"];

    string[] private _pathsGangsThatEnd = [
        "peer loss",
        "cancel of a gang while Open",
        "cancel of a gang while Running",
        "slash of a waiting lock"
    ];

    string[] private _pathsGangsThatWait = ["waiting paid", "cancel of a gang while Assigned"];

    string[] private _pathsQuorumsAndClaims = [
        "award of a quorum",
        "commitResult",
        "revealResult",
        "changed result refused",
        "tally with a majority",
        "tally without a majority",
        "replica agreed",
        "slash of who did not reveal",
        "claimUndelivered",
        "answerWithReceipt",
        "forged receipt refused",
        "verdict: fetched",
        "verdict: not fetched",
        "minority refused",
        "lapseClaim"
    ];

    string[] private _pathsSlashes = [
        "slash of a held lock",
        "slash after the end",
        "slash of a lost attempt",
        "slash that leaves a rest",
        "a forwarded proof"
    ];

    /// @notice Accounts, stake, the map, orders and governance.
    function test_AccountsAndOrdersReachEveryPath() public {
        bytes4[39] memory selectors = [
            _handler.deposit.selector,
            _handler.withdraw.selector,
            _handler.withdrawEarnings.selector,
            _handler.transferFree.selector,
            _handler.sweep.selector,
            _handler.stake.selector,
            _handler.unstake.selector,
            _handler.releaseUnbonded.selector,
            _handler.migrate.selector,
            _handler.migrate.selector,
            _handler.drainOrResume.selector,
            _handler.revoke.selector,
            _handler.revoke.selector,
            _handler.shrink.selector,
            _handler.createTask.selector,
            _handler.createTask.selector,
            _handler.lockAll.selector,
            _handler.award.selector,
            _handler.forwardOrder.selector,
            _handler.forwardInVain.selector,
            _handler.acceptTask.selector,
            _handler.acceptTask.selector,
            _handler.grantKeys.selector,
            _handler.grantKeys.selector,
            _handler.topUp.selector,
            _handler.report.selector,
            _handler.report.selector,
            _handler.stillAlive.selector,
            _handler.bid.selector,
            _handler.rotate.selector,
            _handler.govern.selector,
            _handler.pauseOrUnpause.selector,
            _handler.pauseOrUnpause.selector,
            _handler.proveEquivocation.selector,
            _handler.advance.selector,
            _handler.advance.selector,
            _handler.advance.selector,
            _handler.waitLong.selector,
            _handler.waitLong.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsAccountsAndOrders, WALKS, STEPS);
    }

    /// @notice Leases that run alone.
    function test_SingleLeasesReachEveryPath() public {
        bytes4[35] memory selectors = [
            _handler.createTask.selector,
            _handler.createTask.selector,
            _handler.acceptTask.selector,
            _handler.takeOver.selector,
            _handler.takeOver.selector,
            _handler.takeOver.selector,
            _handler.grantKeys.selector,
            _handler.topUp.selector,
            _handler.startLease.selector,
            _handler.startLease.selector,
            _handler.checkpoint.selector,
            _handler.checkpoint.selector,
            _handler.completeLease.selector,
            _handler.failLease.selector,
            _handler.failLease.selector,
            _handler.failover.selector,
            _handler.failover.selector,
            _handler.cancelTask.selector,
            _handler.cancelTask.selector,
            _handler.cancelAtTheEnd.selector,
            _handler.cancelAtTheEnd.selector,
            _handler.approveOrSettle.selector,
            _handler.expire.selector,
            _handler.expire.selector,
            _handler.again.selector,
            _handler.report.selector,
            _handler.report.selector,
            _handler.report.selector,
            _handler.stillAlive.selector,
            _handler.rotate.selector,
            _handler.revoke.selector,
            _handler.advance.selector,
            _handler.advance.selector,
            _handler.waitLong.selector,
            _handler.waitLong.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsSingleLeases, WALKS, STEPS);
    }

    /// @notice Gangs that lose a member and go on with another.
    function test_GangsThatGoOnReachEveryPath() public {
        bytes4[14] memory selectors = [
            _handler.award.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.checkpoint.selector,
            _handler.takeOver.selector,
            _handler.takeOver.selector,
            _handler.takeOver.selector,
            _handler.startLease.selector,
            _handler.startLease.selector,
            _handler.failLease.selector,
            _handler.completeLease.selector,
            _handler.topUp.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsGangsThatGoOn, GANG_WALKS, GANG_STEPS);
    }

    /// @notice Gangs that end while they run or look for another member.
    function test_GangsThatEndReachEveryPath() public {
        bytes4[15] memory selectors = [
            _handler.award.selector,
            _handler.award.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.failLease.selector,
            _handler.failLease.selector,
            _handler.completeLease.selector,
            _handler.completeLease.selector,
            _handler.completeLease.selector,
            _handler.cancelTask.selector,
            _handler.cancelTask.selector,
            _handler.proveEquivocation.selector,
            _handler.proveEquivocation.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsGangsThatEnd, GANG_WALKS, GANG_STEPS);
    }

    /// @notice Gangs of which not all start, and what their waiting costs.
    function test_GangsThatWaitReachEveryPath() public {
        bytes4[9] memory selectors = [
            _handler.award.selector,
            _handler.award.selector,
            _handler.startLease.selector,
            _handler.startLease.selector,
            _handler.startGang.selector,
            _handler.failLease.selector,
            _handler.cancelTask.selector,
            _handler.expire.selector,
            _handler.waitLong.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsGangsThatWait, GANG_WALKS, GANG_STEPS);
    }

    /// @notice Replicas that must agree, and results that are said to be missing.
    function test_QuorumsAndClaimsReachEveryPath() public {
        bytes4[20] memory selectors = [
            _handler.awardQuorum.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.commitResult.selector,
            _handler.commitResult.selector,
            _handler.commitResult.selector,
            _handler.commitResult.selector,
            _handler.revealResult.selector,
            _handler.revealResult.selector,
            _handler.revealResult.selector,
            _handler.tallyResults.selector,
            _handler.tallyResults.selector,
            _handler.createTask.selector,
            _handler.advance.selector,
            _handler.claimUndelivered.selector,
            _handler.claimUndelivered.selector,
            _handler.answerWithReceipt.selector,
            _handler.answerWithAttesters.selector,
            _handler.lapseClaim.selector,
            _handler.waitLong.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsQuorumsAndClaims, WALKS, STEPS);
    }

    /// @notice Evidence against attempts of every kind.
    function test_SlashesReachEveryPath() public {
        bytes4[21] memory selectors = [
            _handler.createTask.selector,
            _handler.award.selector,
            _handler.lockAll.selector,
            _handler.lockAll.selector,
            _handler.acceptTask.selector,
            _handler.startLease.selector,
            _handler.startGang.selector,
            _handler.checkpoint.selector,
            _handler.takeOver.selector,
            _handler.failLease.selector,
            _handler.failLease.selector,
            _handler.failover.selector,
            _handler.cancelTask.selector,
            _handler.expire.selector,
            _handler.approveOrSettle.selector,
            _handler.unstake.selector,
            _handler.releaseUnbonded.selector,
            _handler.proveEquivocation.selector,
            _handler.proveEquivocation.selector,
            _handler.advance.selector,
            _handler.advance.selector
        ];
        _walk(_list(abi.encode(selectors)), _pathsSlashes, WALKS, STEPS);
    }

    /// @notice The fuzzer may ask whether every lease has a way out, and goes on with the market as it was.
    function test_TheWayOutChangesNothing() public {
        bytes4[4] memory selectors = [
            _handler.createTask.selector,
            _handler.acceptTask.selector,
            _handler.acceptTask.selector,
            _handler.startLease.selector
        ];
        _handler = new MarketHandler();
        for (uint256 seed = 1; seed <= 60; ++seed) {
            // solhint-disable-next-line avoid-low-level-calls
            (bool success,) = address(_handler).call(
                _call(_list(abi.encode(selectors)), uint256(keccak256(abi.encode(seed))))
            );
            if (success) ++_accepted;
        }
        assertLe(1, _handler.done("startLease"), "no lease runs");
        bytes32 before = _market();
        assertTrue(_handler.everyoneLeaves(), "a lease has no way out");
        assertTrue(_market() == before, "the question has changed the market");
    }

    function _market() private view returns (bytes32 all) {
        (,, TaskRegistry tasks,,,) = _handler.contracts();
        all = bytes32(block.timestamp);
        for (uint256 i = 0; i < _handler.leaseCount(); ++i) {
            all = keccak256(abi.encode(all, tasks.getLease(_handler.leaseList(i))));
        }
    }

    /// @dev Walks until all is reached. Many calls are refused, as in any market.
    function _walk(bytes4[] memory selectors, string[] storage paths, uint256 walks, uint256 steps) private {
        uint256 seed = 1;
        string memory missing = "all";
        for (uint256 walk = 0; walk < walks && bytes(missing).length != 0; ++walk) {
            _handler = new MarketHandler();
            for (uint256 step = 0; step < steps; ++step) {
                seed = uint256(keccak256(abi.encode(seed)));
                // solhint-disable-next-line avoid-low-level-calls
                (bool success,) = address(_handler).call(_call(selectors, seed));
                ++_walked;
                if (success) ++_accepted;
            }
            missing = "";
            for (uint256 i = 0; i < paths.length; ++i) {
                _reached[paths[i]] += _handler.done(paths[i]);
                if (_reached[paths[i]] == 0) missing = string.concat(missing, paths[i], "; ");
            }
        }
        assertTrue(bytes(missing).length == 0, missing);
        assertLe(_walked / 2, _accepted, "half of the calls against the accepted");
    }

    /// @dev Each argument is other bits of the seed; a call reads as many as it takes.
    function _call(bytes4[] memory selectors, uint256 seed) private pure returns (bytes memory) {
        return abi.encodePacked(
            selectors[seed % selectors.length], seed >> 8, seed >> 16, seed >> 24, seed >> 32, seed >> 40, seed >> 48
        );
    }

    /// @dev An array of a length of its own as one of any: its encoding lacks only the length.
    function _list(bytes memory encoded) private pure returns (bytes4[] memory) {
        return abi.decode(abi.encodePacked(uint256(32), encoded.length / 32, encoded), (bytes4[]));
    }
}
