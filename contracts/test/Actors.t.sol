// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Cheats} from "./Cheats.sol";
import {MarketHandler} from "./MarketHandler.t.sol";

/// @title The actors of the money tests, held to act
contract ActorsTest is Cheats {
    uint256 private constant WALKS = 16;
    uint256 private constant STEPS = 300;
    MarketHandler private _handler;
    uint256 private _accepted;
    mapping(string path => uint256) private _reached;
    string[] private _paths = [
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
        "acceptTask",
        "takeOver",
        "third attempt",
        "grantKeys",
        "grantKeys to a standby",
        "topUp",
        "startLease",
        "gang started",
        "gang waits for a replacement",
        "gang started again",
        "waiting paid",
        "standby paid",
        "checkpoint",
        "downtime taken off",
        "peer loss",
        "completeLease while Running",
        "completeLease while Stopping",
        "failLease while Assigned",
        "failLease while Running",
        "failLease while Stopping",
        "failover of a revoked node",
        "failover of an offline node",
        "attempt lost",
        "cancelTask while Open",
        "cancelTask while Assigned",
        "cancelTask while Running",
        "cancel of a gang while Open",
        "cancel of a gang while Assigned",
        "cancel of a gang while Running",
        "cancelAtTheEnd",
        "approve",
        "settle",
        "expire while Open",
        "expire while Assigned",
        "expire while Running",
        "expire while Stopping",
        "pay of a lost lease",
        "again",
        "slash of a held lock",
        "slash after the end",
        "slash of a waiting lock",
        "slash of a lost attempt",
        "slash that leaves a rest",
        "reported as offline",
        "reported as back",
        "stillAlive",
        "bid",
        "rotate",
        "govern",
        "pause",
        "unpause"
    ];

    /// @notice The handler is no proof if its calls all revert: long walks must reach every call in every state that allows it.
    function test_TheActorsReachEveryPath() public {
        uint256 seed = 1;
        for (uint256 walk = 0; walk < WALKS; ++walk) {
            _handler = new MarketHandler();
            for (uint256 step = 0; step < STEPS; ++step) {
                seed = uint256(keccak256(abi.encode(seed)));
                // Many are refused, as in any market.
                // solhint-disable-next-line avoid-low-level-calls
                (bool success,) = address(_handler).call(_call(seed));
                if (success) ++_accepted;
            }
            for (uint256 i = 0; i < _paths.length; ++i) {
                _reached[_paths[i]] += _handler.done(_paths[i]);
            }
        }
        string memory missing;
        for (uint256 i = 0; i < _paths.length; ++i) {
            if (_reached[_paths[i]] == 0) missing = string.concat(missing, _paths[i], "; ");
        }
        assertTrue(bytes(missing).length == 0, missing);
        assertLe(WALKS * STEPS / 2, _accepted, "half of the calls against the accepted");
    }

    /// @dev One call of the walk. What carries a task forward is drawn more often than the rest.
    function _call(uint256 seed) private view returns (bytes memory) {
        bytes4[52] memory selectors = [
            _handler.deposit.selector,
            _handler.withdraw.selector,
            _handler.withdrawEarnings.selector,
            _handler.transferFree.selector,
            _handler.sweep.selector,
            _handler.stake.selector,
            _handler.unstake.selector,
            _handler.releaseUnbonded.selector,
            _handler.migrate.selector,
            _handler.drainOrResume.selector,
            _handler.revoke.selector,
            _handler.shrink.selector,
            _handler.createTask.selector,
            _handler.lockAll.selector,
            _handler.award.selector,
            _handler.forwardOrder.selector,
            _handler.acceptTask.selector,
            _handler.takeOver.selector,
            _handler.grantKeys.selector,
            _handler.topUp.selector,
            _handler.startLease.selector,
            _handler.checkpoint.selector,
            _handler.completeLease.selector,
            _handler.startGang.selector,
            _handler.failLease.selector,
            _handler.failover.selector,
            _handler.cancelTask.selector,
            _handler.cancelAtTheEnd.selector,
            _handler.approveOrSettle.selector,
            _handler.expire.selector,
            _handler.again.selector,
            _handler.proveEquivocation.selector,
            _handler.report.selector,
            _handler.stillAlive.selector,
            _handler.bid.selector,
            _handler.rotate.selector,
            _handler.govern.selector,
            _handler.pauseOrUnpause.selector,
            _handler.advance.selector,
            _handler.waitLong.selector,
            _handler.award.selector,
            _handler.startGang.selector,
            _handler.startGang.selector,
            _handler.takeOver.selector,
            _handler.checkpoint.selector,
            _handler.checkpoint.selector,
            _handler.completeLease.selector,
            _handler.failover.selector,
            _handler.report.selector,
            _handler.expire.selector,
            _handler.advance.selector,
            _handler.waitLong.selector
        ];
        return abi.encodePacked(
            selectors[seed % 52], seed >> 8, seed >> 16, seed >> 24, seed >> 32, seed >> 40, seed >> 48
        );
    }
}
