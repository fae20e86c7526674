// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {INodeRegistry} from "../interfaces/INodeRegistry.sol";

/// @dev What a node has at risk.
struct Stake {
    uint128 staked; // base units, without what is unbonding
    uint128 locked; // of the staked, by leases that are not settled and by a seat in the committee
    uint128 unbonding;
    uint64 releasableAt; // timestamp after which the unbonding part may go
    uint128 seatLocked; // of the locked, by the seat: no slash reaches it
}

/// @dev Where a node's stake went.
struct Migration {
    address to;
    uint64 migratedAt; // timestamp of the last one, from or to this node
}

/// @dev All stake of a registry.
struct StakeBook {
    mapping(address node => Stake) stakes;
    mapping(address node => Migration) migrations;
}

/// @title The books of stake (rule 2)
/// @notice `locks of leases + lock of the seat <= staked`, and only what is not locked unbonds. Moves no token: the registry
/// tells the escrow.
library Stakes {
    using SafeCast for uint256;

    function add(StakeBook storage book, address node, uint256 amount) internal {
        book.stakes[node].staked += amount.toUint128();
    }

    /// @dev Starts unbonding unlocked stake; returns when all that is unbonding may go.
    function unbond(StakeBook storage book, address node, uint256 amount, uint32 period) internal returns (uint64) {
        Stake storage held = book.stakes[node];
        _requireFree(node, held, amount);
        held.staked -= uint128(amount);
        held.unbonding += uint128(amount);
        held.releasableAt = uint64(block.timestamp) + period;
        return held.releasableAt;
    }

    function release(StakeBook storage book, address node) internal returns (uint256 amount) {
        Stake storage held = book.stakes[node];
        amount = held.unbonding;
        if (amount == 0 || block.timestamp <= held.releasableAt) {
            revert INodeRegistry.NothingUnbonded(node, amount, held.releasableAt);
        }
        held.unbonding = 0;
    }

    /// @dev Moves everything to another node of the same owner. What the old one signed is slashed there from now on, one
    /// step far: so no stake moves twice within the evidence period.
    function migrate(
        StakeBook storage book,
        address from,
        address to,
        uint32 period
    ) internal returns (uint128 staked, uint128 unbonding) {
        Stake storage old = book.stakes[from];
        if (old.locked != 0) revert INodeRegistry.StakeNotFree(from, old.staked, old.staked - old.locked);
        uint64 last = book.migrations[from].migratedAt;
        if (last != 0 && block.timestamp <= last + period) {
            revert INodeRegistry.MigratedLately(from, last + period);
        }
        (staked, unbonding) = (old.staked, old.unbonding);
        Stake storage held = book.stakes[to];
        held.staked += staked;
        held.unbonding += unbonding;
        if (old.releasableAt > held.releasableAt) held.releasableAt = old.releasableAt;
        delete book.stakes[from];
        book.migrations[from] = Migration(to, uint64(block.timestamp));
        book.migrations[to].migratedAt = uint64(block.timestamp);
    }

    /// @dev Locks free stake of a node that holds at least `required`.
    function lock(StakeBook storage book, address node, uint128 amount, uint256 required) internal {
        Stake storage held = book.stakes[node];
        if (held.staked < required) revert INodeRegistry.StakeTooLow(node, held.staked, required);
        _requireFree(node, held, amount);
        held.locked += amount;
    }

    function unlock(StakeBook storage book, address node, uint256 amount) internal {
        book.stakes[node].locked -= amount.toUint128();
    }

    function lockSeat(StakeBook storage book, address node, uint256 amount) internal {
        Stake storage held = book.stakes[node];
        _requireFree(node, held, amount);
        held.locked += uint128(amount);
        held.seatLocked += uint128(amount);
    }

    function unlockSeat(StakeBook storage book, address node, uint256 amount) internal {
        Stake storage held = book.stakes[node];
        held.seatLocked -= amount.toUint128();
        held.locked -= uint128(amount);
    }

    /// @dev Takes at most `amount` of what leases have locked; never the seat's.
    function takeLocked(StakeBook storage book, address node, uint256 amount) internal returns (uint256 taken) {
        Stake storage held = book.stakes[node];
        taken = Math.min(amount, held.locked - held.seatLocked);
        held.locked -= uint128(taken);
        held.staked -= uint128(taken);
    }

    /// @dev Takes at most `amount`: what is unbonding, then what nothing has locked.
    function takeUnlocked(StakeBook storage book, address node, uint256 amount) internal returns (uint256 taken) {
        Stake storage held = book.stakes[node];
        uint256 fromUnbonding = Math.min(amount, held.unbonding);
        uint256 fromFree = Math.min(amount - fromUnbonding, held.staked - held.locked);
        held.unbonding -= uint128(fromUnbonding);
        held.staked -= uint128(fromFree);
        return fromUnbonding + fromFree;
    }

    function _requireFree(address node, Stake storage held, uint256 amount) private view {
        uint256 free = held.staked - held.locked;
        if (amount > free) revert INodeRegistry.StakeNotFree(node, amount, free);
    }
}
