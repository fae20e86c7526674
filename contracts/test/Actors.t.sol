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
        "sweep",
        "stake",
        "unstake",
        "releaseUnbonded",
        "drainOrResume",
        "revoke",
        "shrink",
        "createTask",
        "lockAll",
        "acceptTask",
        "startLease",
        "checkpoint",
        "completeLease while Running",
        "completeLease while Stopping",
        "failLease while Assigned",
        "failLease while Running",
        "failLease while Stopping",
        "cancelTask while Open",
        "cancelTask while Assigned",
        "cancelTask while Running",
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
        "slash that leaves a rest",
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

    /// @dev One call of the walk. What carries a task forward is drawn twice as often as the rest.
    function _call(uint256 seed) private pure returns (bytes memory) {
        bytes4[33] memory selectors = [
            MarketHandler.deposit.selector,
            MarketHandler.withdraw.selector,
            MarketHandler.withdrawEarnings.selector,
            MarketHandler.sweep.selector,
            MarketHandler.stake.selector,
            MarketHandler.unstake.selector,
            MarketHandler.releaseUnbonded.selector,
            MarketHandler.drainOrResume.selector,
            MarketHandler.revoke.selector,
            MarketHandler.shrink.selector,
            MarketHandler.createTask.selector,
            MarketHandler.createTask.selector,
            MarketHandler.lockAll.selector,
            MarketHandler.acceptTask.selector,
            MarketHandler.acceptTask.selector,
            MarketHandler.startLease.selector,
            MarketHandler.startLease.selector,
            MarketHandler.checkpoint.selector,
            MarketHandler.checkpoint.selector,
            MarketHandler.completeLease.selector,
            MarketHandler.completeLease.selector,
            MarketHandler.failLease.selector,
            MarketHandler.cancelTask.selector,
            MarketHandler.cancelTask.selector,
            MarketHandler.approveOrSettle.selector,
            MarketHandler.expire.selector,
            MarketHandler.again.selector,
            MarketHandler.proveEquivocation.selector,
            MarketHandler.govern.selector,
            MarketHandler.pauseOrUnpause.selector,
            MarketHandler.advance.selector,
            MarketHandler.waitLong.selector,
            MarketHandler.waitLong.selector
        ];
        return abi.encodePacked(
            selectors[seed % 33],
            seed >> 8,
            seed >> 16 & type(uint16).max,
            seed >> 24 & type(uint32).max,
            seed >> 32 & type(uint64).max,
            seed >> 40
        );
    }
}
