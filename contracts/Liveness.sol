// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ParameterBounds} from "./governance/ParameterBounds.sol";
import {Bid, BidEnd, Candidate, ILiveness, LivenessParameters, Report} from "./interfaces/ILiveness.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {NodeStatus} from "./interfaces/Types.sol";
import {Bids} from "./libraries/Bids.sol";
import {Downtime} from "./libraries/Downtime.sol";
import {Peers} from "./libraries/Peers.sol";

/// @title The network's state on chain
/// @notice Invariants, each a test of the same name in `contracts/test/Liveness.t.sol`:
/// - OfflineSecondsNeverDecrease: a node's cumulative seconds only grow, and no faster than the clock.
/// - SecondsAreTheFinalPeriods: they are the lengths of the final periods, each from its report's block; nothing pending counts.
/// - OneSeatPerOwner: an owner has at most one bid, and so at most one seat.
/// - SeatLocksAreTheBids: what NodeRegistry has locked for a node's seat is its bid.
/// - SeatsAreBids: every seat has a bid; there are at most 16 seats and 32 bids.
contract Liveness is ILiveness, AccessManaged, EIP712 {
    using Bids for Bids.Book;
    using Downtime for Downtime.Record;
    using SafeCast for uint256;

    /// @notice Nodes in both lists of a report together, at most.
    uint256 public constant MAX_CHANGES = 64;
    /// @notice Seats of the committee, at most.
    uint256 public constant MAX_SEATS = Bids.MAX_SEATS;
    /// @notice Bids that are kept, at most: a full list always holds as many without a seat as there are seats.
    uint256 public constant MAX_BIDS = Bids.MAX_BIDS;

    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(uint64 epoch,uint32 committeeVersion,uint64 issuedAt,address[] offline,address[] online)"
    );

    /// @inheritdoc ILiveness
    address public immutable nodeRegistry;
    /// @inheritdoc ILiveness
    address public immutable taskRegistry;

    LivenessParameters private _parameters;
    LivenessParameters private _min;
    LivenessParameters private _max;

    uint64 private _epoch;
    uint64 private _epochEndsAt;
    uint32 private _committeeVersion;
    address[] private _seats;
    Bids.Book private _book;
    mapping(address node => Downtime.Record) private _records;

    /// @dev Deployed after NodeRegistry, which must point back. The committee is empty until the first epoch has ended.
    constructor(
        address authority,
        address nodeRegistry_,
        LivenessParameters memory initial,
        LivenessParameters memory min,
        LivenessParameters memory max
    ) AccessManaged(authority) EIP712("Dekuper Liveness", "1") {
        Peers.requirePointer(nodeRegistry_, INodeRegistry.liveness.selector, address(this));
        nodeRegistry = nodeRegistry_;
        taskRegistry = INodeRegistry(nodeRegistry_).taskRegistry();
        _min = min;
        _max = max;
        _setParameters(initial);
        _startEpoch();
    }

    /// @inheritdoc ILiveness
    function noteAlive(address node) external returns (uint64 offlineSeconds) {
        if (msg.sender != taskRegistry) revert OnlyTaskRegistry(msg.sender);
        return _records[node].touch(node);
    }

    /// @inheritdoc ILiveness
    function stillAlive() external {
        _requireInService(msg.sender);
        _records[msg.sender].touch(msg.sender);
    }

    /// @inheritdoc ILiveness
    function report(Report calldata report_, bytes[] calldata signatures) external returns (uint256 changes) {
        if (report_.epoch != _epoch) revert WrongEpoch(report_.epoch, _epoch);
        if (report_.committeeVersion != _committeeVersion) {
            revert WrongCommittee(report_.committeeVersion, _committeeVersion);
        }
        uint64 timestamp = uint64(block.timestamp);
        if (report_.issuedAt > timestamp) revert ReportFromFuture(report_.issuedAt, timestamp);
        LivenessParameters memory rules = _parameters;
        uint64 acceptedUntil = report_.issuedAt + rules.reportLife;
        if (timestamp > acceptedUntil) revert ReportTooOld(acceptedUntil, timestamp);
        uint256 count = report_.offline.length + report_.online.length;
        if (count > MAX_CHANGES) revert TooManyChanges(count, MAX_CHANGES);
        _requireAscending(report_.offline);
        _requireAscending(report_.online);
        _countSigners(reportHash(report_), signatures);

        for (uint256 i = 0; i < report_.offline.length; ++i) {
            address node = report_.offline[i];
            if (_records[node].open(node, report_.issuedAt, rules.reportGrace, rules.reportCooldown)) ++changes;
        }
        for (uint256 i = 0; i < report_.online.length; ++i) {
            address node = report_.online[i];
            if (_records[node].close(node, report_.issuedAt)) ++changes;
        }
        emit ReportAccepted(report_.epoch, report_.committeeVersion, report_.issuedAt, changes, msg.sender);
    }

    /// @inheritdoc ILiveness
    function finalise(address node) external {
        _records[node].finalise(node);
    }

    /// @inheritdoc ILiveness
    function bid(address node, uint256 amount) external {
        if (msg.sender != INodeRegistry(nodeRegistry).ownerOf(node)) revert NotOwner(node, msg.sender);
        _requireInService(node);
        uint256 least = _parameters.minSeatStake;
        address current = _book.nodeOf[msg.sender];
        uint256 held;
        if (current == node) {
            held = _book.list[_book.candidates[node].position].amount;
            least = Math.max(least, held + 1);
            if (amount < least) revert BidTooLow(amount, least);
            _book.raise(node, amount.toUint96());
        } else {
            if (current != address(0)) revert OwnerHasBid(msg.sender, current);
            bool isFull = _book.list.length == MAX_BIDS;
            Bid memory lowest = isFull ? _book.lowest() : Bid(address(0), 0);
            if (isFull) least = Math.max(least, uint256(lowest.amount) + 1);
            if (amount < least) revert BidTooLow(amount, least);
            if (isFull) _endBid(lowest.node, BidEnd.Outbid);
            _book.add(node, msg.sender, amount.toUint96(), uint32(_epoch));
        }
        emit BidPlaced(node, msg.sender, amount);
        INodeRegistry(nodeRegistry).lockSeat(node, amount - held);
    }

    /// @inheritdoc ILiveness
    function withdrawBid(address node) external {
        Candidate storage candidate = _book.candidates[node];
        if (candidate.owner == address(0)) revert NoBid(node);
        if (msg.sender != candidate.owner) revert NotOwner(node, msg.sender);
        if (candidate.isSeated || candidate.seenIn == uint32(_epoch)) {
            candidate.isLeaving = true;
            emit LeaveAnnounced(node, msg.sender, _epoch);
        } else {
            _endBid(node, BidEnd.Left);
        }
    }

    /// @inheritdoc ILiveness
    function checkIn() external {
        if (!_isSeat(msg.sender)) revert NotASeat(msg.sender);
        _show(msg.sender);
        emit CheckedIn(msg.sender, _epoch);
    }

    /// @inheritdoc ILiveness
    function rotate() external {
        if (block.timestamp <= _epochEndsAt) revert EpochNotOver(_epochEndsAt, uint64(block.timestamp));
        // From the end, so that what fills a gap has been looked at.
        for (uint256 i = _book.list.length; i > 0; --i) {
            Bid memory placed = _book.list[i - 1];
            BidEnd reason = _endOf(placed);
            if (reason != BidEnd.None) _endBid(placed.node, reason);
        }
        _install(_book.highest());
        _startEpoch();
    }

    /// @inheritdoc ILiveness
    function setParameters(LivenessParameters calldata parameters_) external restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc ILiveness
    function offlineSecondsOf(address node) external view returns (uint64) {
        return _records[node].total();
    }

    /// @inheritdoc ILiveness
    function offlineSince(address node) external view returns (uint64) {
        Downtime.Record memory record = _records[node];
        return record.isFinal() ? record.since : 0;
    }

    /// @inheritdoc ILiveness
    function recordOf(address node)
        external
        view
        returns (uint64 endedSeconds, uint64 since, uint64 pendingUntil, uint64 reportedAt, uint64 knownAt)
    {
        Downtime.Record memory record = _records[node];
        return (record.ended, record.since, record.pendingUntil, record.reportedAt, record.knownAt);
    }

    /// @inheritdoc ILiveness
    function isQuorum(bytes32 digest, bytes[] calldata signatures) external view returns (bool) {
        if (signatures.length < quorumOf()) return false;
        address previous;
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = _signerOf(digest, signatures[i]);
            if (signer <= previous || !_isSeat(signer)) return false;
            previous = signer;
        }
        return true;
    }

    /// @inheritdoc ILiveness
    function seats() external view returns (address[] memory) {
        return _seats;
    }

    /// @inheritdoc ILiveness
    function committee()
        external
        view
        returns (uint64 epoch, uint32 committeeVersion, uint64 epochEndsAt, address[] memory seats_)
    {
        return (_epoch, _committeeVersion, _epochEndsAt, _seats);
    }

    /// @inheritdoc ILiveness
    function bids() external view returns (Bid[] memory) {
        return _book.list;
    }

    /// @inheritdoc ILiveness
    function candidateOf(address node) external view returns (Candidate memory) {
        return _book.candidates[node];
    }

    /// @inheritdoc ILiveness
    function bidOf(address owner) external view returns (address node) {
        return _book.nodeOf[owner];
    }

    /// @inheritdoc ILiveness
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ILiveness
    function parameters() external view returns (LivenessParameters memory) {
        return _parameters;
    }

    /// @inheritdoc ILiveness
    function parameterBounds() external view returns (LivenessParameters memory min, LivenessParameters memory max) {
        return (_min, _max);
    }

    /// @inheritdoc ILiveness
    function quorumOf() public view returns (uint256) {
        return 2 * Math.max(_seats.length, _parameters.minSeats) / 3 + 1;
    }

    /// @inheritdoc ILiveness
    function reportHash(Report calldata report_) public view returns (bytes32 typedDataHash) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    REPORT_TYPEHASH,
                    report_.epoch,
                    report_.committeeVersion,
                    report_.issuedAt,
                    keccak256(abi.encodePacked(report_.offline)),
                    keccak256(abi.encodePacked(report_.online))
                )
            )
        );
    }

    /// @dev Reverts unless a quorum of seats has signed; shows the seats that have.
    function _countSigners(bytes32 digest, bytes[] calldata signatures) private {
        uint256 quorum = quorumOf();
        if (signatures.length < quorum) revert QuorumNotReached(signatures.length, quorum);
        address previous;
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = _signerOf(digest, signatures[i]);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            if (!_isSeat(signer)) revert NotASeat(signer);
            _show(signer);
            previous = signer;
        }
    }

    /// @dev The seat has shown itself in this epoch.
    function _show(address seat) private {
        Candidate storage candidate = _book.candidates[seat];
        if (candidate.seenIn != uint32(_epoch)) candidate.seenIn = uint32(_epoch);
    }

    function _endBid(address node, BidEnd reason) private {
        (address owner, uint256 amount) = _book.remove(node);
        emit BidEnded(node, owner, amount, reason);
        INodeRegistry(nodeRegistry).unlockSeat(node, amount);
    }

    function _install(address[] memory elected) private {
        bool hasChanged = elected.length != _seats.length;
        for (uint256 i = 0; i < elected.length; ++i) {
            Candidate storage candidate = _book.candidates[elected[i]];
            if (candidate.isSeated) continue;
            candidate.seenIn = uint32(_epoch);
            hasChanged = true;
        }
        if (!hasChanged) return;
        for (uint256 i = 0; i < _seats.length; ++i) {
            _book.candidates[_seats[i]].isSeated = false;
        }
        for (uint256 i = 0; i < elected.length; ++i) {
            _book.candidates[elected[i]].isSeated = true;
        }
        _seats = elected;
        emit CommitteeChanged(++_committeeVersion, elected);
    }

    function _startEpoch() private {
        _epochEndsAt = uint64(block.timestamp) + _parameters.epochLength;
        emit EpochStarted(++_epoch, _epochEndsAt);
    }

    function _setParameters(LivenessParameters memory parameters_) private {
        ParameterBounds.check(abi.encode(parameters_), abi.encode(_min), abi.encode(_max));
        _parameters = parameters_;
        emit ParametersChanged(parameters_);
    }

    /// @dev Why a bid ends with this epoch, None if it stays.
    function _endOf(Bid memory placed) private view returns (BidEnd) {
        Candidate storage candidate = _book.candidates[placed.node];
        bool hasStood = candidate.isSeated || candidate.seenIn != uint32(_epoch);
        if (candidate.isLeaving && hasStood) return BidEnd.Left;
        if (!_isInService(INodeRegistry(nodeRegistry).statusOf(placed.node))) return BidEnd.Inactive;
        if (placed.amount < _parameters.minSeatStake) return BidEnd.BelowMinimum;
        bool isSilent = candidate.isSeated && _epoch - candidate.seenIn >= _parameters.maxMissed;
        return isSilent ? BidEnd.Silent : BidEnd.None;
    }

    /// @dev A revoked operator's signatures are worthless at once, though its seat stays until the epoch ends (rule 4).
    function _isSeat(address node) private view returns (bool) {
        return _book.candidates[node].isSeated && _isInService(INodeRegistry(nodeRegistry).statusOf(node));
    }

    function _requireInService(address node) private view {
        NodeStatus status = INodeRegistry(nodeRegistry).statusOf(node);
        if (!_isInService(status)) revert NodeNotInService(node, status);
    }

    function _isInService(NodeStatus status) private pure returns (bool) {
        return status == NodeStatus.Active || status == NodeStatus.Draining;
    }

    /// @dev Zero, which no list of signers can hold, for what is no signature.
    function _signerOf(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        (signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
    }

    function _requireAscending(address[] calldata nodes) private pure {
        address previous;
        for (uint256 i = 0; i < nodes.length; ++i) {
            if (nodes[i] <= previous) revert ListNotAscending(previous, nodes[i]);
            previous = nodes[i];
        }
    }
}
