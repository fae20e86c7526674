// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The runner knows its tests by `test`, `testFuzz_` and `invariant_`.
// solhint-disable func-name-mixedcase

import {Bid, Candidate} from "../interfaces/ILiveness.sol";
import {Liveness} from "../Liveness.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {Cheats} from "./Cheats.sol";
import {LivenessHandler} from "./LivenessHandler.t.sol";

/// @title The rules of the network's state (rules 24 and 25), held against any sequence of calls by all actors
/// @notice Each invariant has the name that it has in the header of the contract that promises it.
contract LivenessTest is Cheats {
    uint256 private constant WALKS = 8;
    uint256 private constant STEPS = 250;

    LivenessHandler private _handler;
    Liveness private _liveness;
    NodeRegistry private _nodes;
    mapping(string path => uint256) private _reached;
    string[] private _paths = [
        "bid",
        "bid that evicts",
        "fill",
        "raise",
        "leave a seat",
        "withdraw a bid",
        "checkIn",
        "rotate",
        "revoke",
        "unstake",
        "govern",
        "report",
        "replay",
        "life of an online node",
        "life that ends a period",
        "life that voids a report",
        "finalise"
    ];

    function setUp() public {
        _handler = new LivenessHandler();
        (_liveness, _nodes) = _handler.contracts();
    }

    /// @dev The fuzzer calls the actors, not the contracts.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_OfflineSecondsNeverDecrease() public view {
        assertTrue(!_handler.decreased(), "seconds were given back");
        for (uint256 i = 0; i < _handler.WATCHED(); ++i) {
            uint256 total = _liveness.offlineSecondsOf(_handler.watched(i));
            assertLe(total, _handler.clock() - _handler.deployedAt(), "offline seconds against the clock");
        }
    }

    function invariant_SecondsAreTheFinalPeriods() public view {
        for (uint256 i = 0; i < _handler.WATCHED(); ++i) {
            address node = _handler.watched(i);
            (uint256 total, uint256 since) = _handler.expected(node);
            assertEq(_liveness.offlineSecondsOf(node), total, "offline seconds");
            assertEq(_liveness.offlineSince(node), since, "offline since");
        }
    }

    function invariant_OneSeatPerOwner() public view {
        Bid[] memory bids = _liveness.bids();
        for (uint256 i = 0; i < bids.length; ++i) {
            Candidate memory candidate = _liveness.candidateOf(bids[i].node);
            assertTrue(candidate.owner == _nodes.ownerOf(bids[i].node), "the node's owner");
            assertTrue(_liveness.bidOf(candidate.owner) == bids[i].node, "the owner's only bid");
        }
        for (uint256 i = 0; i < _handler.OWNERS(); ++i) {
            address node = _liveness.bidOf(_handler.ownerAt(i));
            if (node == address(0)) continue;
            assertTrue(_liveness.candidateOf(node).owner == _handler.ownerAt(i), "a bid that is there");
        }
    }

    function invariant_SeatLocksAreTheBids() public view {
        Bid[] memory bids = _liveness.bids();
        uint256 bidInAll;
        for (uint256 i = 0; i < bids.length; ++i) {
            assertEq(_nodes.seatLockedOf(bids[i].node), bids[i].amount, "locked for a seat against the bid");
            bidInAll += bids[i].amount;
        }
        uint256 lockedInAll;
        for (uint256 i = 0; i < _handler.NODES(); ++i) {
            address node = _handler.nodeList(i);
            (uint256 staked, uint256 locked,,) = _nodes.stakeOf(node);
            uint256 seatLocked = _nodes.seatLockedOf(node);
            assertLe(seatLocked, locked, "locked for a seat against locked");
            assertLe(locked, staked, "locked against staked");
            lockedInAll += seatLocked;
        }
        assertEq(lockedInAll, bidInAll, "locked for seats in all");
    }

    function invariant_SeatsAreBids() public view {
        address[] memory seats = _liveness.seats();
        Bid[] memory bids = _liveness.bids();
        assertLe(seats.length, _liveness.MAX_SEATS(), "seats");
        assertLe(bids.length, _liveness.MAX_BIDS(), "bids");
        uint256 seated;
        for (uint256 i = 0; i < bids.length; ++i) {
            Candidate memory candidate = _liveness.candidateOf(bids[i].node);
            assertEq(candidate.position, i, "position");
            if (candidate.isSeated) ++seated;
        }
        assertEq(seated, seats.length, "bids with a seat against seats");
        for (uint256 i = 0; i < seats.length; ++i) {
            assertTrue(_liveness.candidateOf(seats[i]).isSeated, "a seat without a bid");
            assertTrue(i == 0 || seats[i - 1] < seats[i], "seats ascending");
        }
    }

    /// @notice The handler is no proof if its calls all revert: long walks must reach every path.
    function test_TheActorsReachEveryPath() public {
        uint256 seed = 1;
        for (uint256 walk = 0; walk < WALKS; ++walk) {
            _handler = new LivenessHandler();
            for (uint256 step = 0; step < STEPS; ++step) {
                seed = uint256(keccak256(abi.encode(seed)));
                // Many are refused, as in any network.
                // solhint-disable-next-line avoid-low-level-calls
                (bool success,) = address(_handler).call(_call(seed));
                success; // counted by the handler
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
    }

    function _call(uint256 seed) private pure returns (bytes memory) {
        bytes4[18] memory selectors = [
            LivenessHandler.bid.selector,
            LivenessHandler.bid.selector,
            LivenessHandler.fill.selector,
            LivenessHandler.bid.selector,
            LivenessHandler.withdrawBid.selector,
            LivenessHandler.checkIn.selector,
            LivenessHandler.checkIn.selector,
            LivenessHandler.rotate.selector,
            LivenessHandler.revoke.selector,
            LivenessHandler.unstake.selector,
            LivenessHandler.govern.selector,
            LivenessHandler.report.selector,
            LivenessHandler.report.selector,
            LivenessHandler.report.selector,
            LivenessHandler.replay.selector,
            LivenessHandler.stillAlive.selector,
            LivenessHandler.noteAlive.selector,
            LivenessHandler.finalise.selector
        ];
        return abi.encodePacked(selectors[seed % 18], seed >> 8, seed >> 16, seed >> 24, seed >> 32);
    }
}
