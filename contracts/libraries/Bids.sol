// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {Bid, Candidate} from "../interfaces/ILiveness.sol";

/// @title The bids for seats in the committee
/// @notice A list of at most 32, so that every loop is bounded: 16 that may hold seats, and as many that challenge them.
/// A higher amount ranks higher; of two alike, the earlier. One bid an owner (rule 24).
library Bids {
    uint256 internal constant MAX_SEATS = 16;
    uint256 internal constant MAX_BIDS = 2 * MAX_SEATS;

    struct Book {
        Bid[] list;
        mapping(address node => Candidate) candidates;
        mapping(address owner => address) nodeOf;
        uint40 placed; // bids ever placed or raised
    }

    /// @dev Appends a bid. The list is not full, the owner has none.
    function add(Book storage book, address node, address owner, uint96 amount, uint32 epoch) internal {
        Candidate storage candidate = book.candidates[node];
        candidate.owner = owner;
        candidate.seenIn = epoch;
        candidate.order = ++book.placed;
        candidate.position = uint8(book.list.length);
        book.nodeOf[owner] = node;
        book.list.push(Bid(node, amount));
    }

    /// @dev Sets a bid's amount; among its equals it is now the latest.
    function raise(Book storage book, address node, uint96 amount) internal {
        Candidate storage candidate = book.candidates[node];
        candidate.order = ++book.placed;
        candidate.isLeaving = false;
        book.list[candidate.position].amount = amount;
    }

    /// @dev Takes a bid out; the last of the list takes its place.
    function remove(Book storage book, address node) internal returns (address owner, uint256 amount) {
        Candidate storage candidate = book.candidates[node];
        owner = candidate.owner;
        uint8 position = candidate.position;
        amount = book.list[position].amount;
        Bid memory last = book.list[book.list.length - 1];
        book.list[position] = last;
        book.candidates[last.node].position = position;
        book.list.pop();
        delete book.candidates[node];
        delete book.nodeOf[owner];
    }

    /// @dev The lowest bid that holds no seat. There is one in every full list.
    function lowest(Book storage book) internal view returns (Bid memory) {
        uint256 least = type(uint256).max;
        uint256 length = book.list.length;
        for (uint256 i = 0; i < length; ++i) {
            (uint256 rank, bool isSeated) = _rank(book, i);
            if (!isSeated && rank < least) least = rank;
        }
        return book.list[uint8(least)];
    }

    /// @dev The nodes of the highest bids, at most 16, ascending by address.
    function highest(Book storage book) internal view returns (address[] memory nodes) {
        uint256 length = book.list.length;
        uint256[] memory ranks = new uint256[](length);
        for (uint256 i = 0; i < length; ++i) {
            (ranks[i],) = _rank(book, i);
        }
        Arrays.sort(ranks);
        nodes = new address[](length < MAX_SEATS ? length : MAX_SEATS);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = book.list[uint8(ranks[length - 1 - i])].node;
        }
        Arrays.sort(nodes);
    }

    /// @dev Orders by amount, then by age; the position, in the last byte, leads back to the bid.
    function _rank(Book storage book, uint256 position) private view returns (uint256 rank, bool isSeated) {
        Bid memory bid = book.list[position];
        Candidate storage candidate = book.candidates[bid.node];
        rank = uint256(bid.amount) << 48 | uint256(type(uint40).max - candidate.order) << 8 | position;
        isSeated = candidate.isSeated;
    }
}
