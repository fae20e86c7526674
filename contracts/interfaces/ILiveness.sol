// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeStatus} from "./Types.sol";

/// @dev What the committee has seen change, signed as EIP-712 in Liveness' domain. Both lists are strictly ascending, and
/// hold at most 64 nodes together. An empty report changes nothing, but shows its signers' seats.
struct Report {
    uint64 epoch;
    uint32 committeeVersion;
    uint64 issuedAt; // timestamp of the latest block that the signers had seen
    address[] offline;
    address[] online;
}

/// @dev A node's bid for a seat, and what of its stake it has locked.
struct Bid {
    address node;
    uint96 amount; // base units
}

/// @dev Who bids, and how the bid stands.
struct Candidate {
    address owner; // 0: no bid
    uint40 order; // of the bids ever placed: of two alike the earlier ranks higher
    uint32 seenIn; // the last epoch in which the seat showed itself, or the one before it was taken; without a seat, the bid's
    uint8 position; // in the list of bids
    bool isSeated;
    bool isLeaving; // when the epoch ends, or the next one if it was placed in this one
}

/// @dev Why a bid ended.
enum BidEnd {
    None,
    Left, // the owner took it back
    Outbid, // the list was full and it was the lowest that held no seat
    Silent, // the seat did not show itself for maxMissed epochs
    Inactive, // the node is neither Active nor Draining
    BelowMinimum // governance has raised minSeatStake above it
}

/// @dev What governance may set in Liveness, within bounds fixed at deployment.
struct LivenessParameters {
    uint32 epochLength; // seconds
    uint32 reportGrace; // seconds for which an offline report is pending
    uint32 reportCooldown; // seconds between two offline reports of one node
    uint32 reportLife; // seconds after issuedAt for which a report may be sent
    uint32 maxMissed; // silent epochs that vacate a seat
    uint32 minSeats; // a smaller committee counts as this large, its vacant seats as silent
    uint128 minSeatStake; // base units that a bid locks at least
}

/// @title The network's state on chain
/// @notice A committee of at most 16 attesters reports which nodes went offline and which came back: changes only, so that
/// the cost grows with churn and not with the number of nodes. Liveness moves pay and failover only: it holds no tokens,
/// cannot slash, and locks attester stake without ever taking it.
///
/// How seconds are counted:
/// - An offline report opens a period at its block's time `since`. It is pending while `t <= since + reportGrace`.
/// - While pending it counts nothing. Any sign of life of the operator, or the committee itself, voids it: it never was.
/// - Once `t > since + reportGrace` it is final, without a transaction, and counts from `since`: the cumulative seconds step
///   up by what was pending. So a claim that was accepted while a report was pending, and that the operator did not send
///   itself, carries none of it; the operator's own transactions void it.
/// - A final period ends with the operator's next transaction or with a report that says so, and keeps its seconds.
/// - A node has one period at a time, and the next opens at or after the end of the one before: no second counts twice.
/// - A report is evidence up to its `issuedAt`. For a node that has acted on chain since, or of which a later report has
///   been accepted, it is stale and changes nothing: replays and late arrivals are harmless without a nonce.
///
/// Without a committee, or with a silent one, there is no verdict: nobody goes offline, and nothing here can hold a settlement up.
interface ILiveness {
    event ReportAccepted(uint64 indexed epoch, uint32 committeeVersion, uint64 issuedAt, uint256 changes, address sender);
    event OfflineReported(address indexed node, uint64 since, uint64 pendingUntil);
    event OfflineVoided(address indexed node, uint64 since);
    event OfflineFinalised(address indexed node, uint64 since);
    event OfflineEnded(address indexed node, uint64 since, uint64 until, uint64 offlineSeconds);

    event BidPlaced(address indexed node, address indexed owner, uint256 amount);
    event LeaveAnnounced(address indexed node, address indexed owner, uint64 epoch);
    event BidEnded(address indexed node, address indexed owner, uint256 amount, BidEnd reason);
    event CheckedIn(address indexed node, uint64 epoch);
    event EpochStarted(uint64 indexed epoch, uint64 endsAt);
    event CommitteeChanged(uint32 indexed committeeVersion, address[] seats);

    event ParametersChanged(LivenessParameters parameters);

    error OnlyTaskRegistry(address caller);
    error NotOwner(address node, address caller);
    error NodeNotInService(address node, NodeStatus status);
    error WrongEpoch(uint64 given, uint64 current);
    error WrongCommittee(uint32 given, uint32 current);
    error ReportFromFuture(uint64 issuedAt, uint64 timestamp);
    error ReportTooOld(uint64 acceptedUntil, uint64 timestamp);
    error TooManyChanges(uint256 count, uint256 max);
    error ListNotAscending(address previous, address next);
    error QuorumNotReached(uint256 signatures, uint256 quorum);
    error SignersNotAscending(address previous, address signer);
    error NotASeat(address signer);
    error NothingToFinalise(address node, uint64 since, uint64 pendingUntil);
    error BidTooLow(uint256 amount, uint256 least);
    error OwnerHasBid(address owner, address node);
    error NoBid(address node);
    error EpochNotOver(uint64 endsAt, uint64 timestamp);

    // ---- the operator's signs of life

    /// @notice The operator has just acted on a lease: voids a pending report at no cost, ends an offline period without
    /// giving its seconds back, and makes reports issued up to now stale. TaskRegistry only.
    /// @return offlineSeconds The node's cumulative offline seconds now.
    function noteAlive(address node) external returns (uint64 offlineSeconds);

    /// @notice The same, sent by the operator itself.
    ///
    /// Requirements:
    /// - the caller is a node that is Active or Draining.
    function stillAlive() external;

    // ---- the committee's reports

    /// @notice Takes a report, sent by anyone. Each node in `offline` that is online becomes pending, unless it became so less
    /// than `reportCooldown` ago; each in `online` that is offline or pending is online again. A node that is already so, or
    /// of which the report is stale, is skipped without a trace. A node in both lists is taken as offline.
    ///
    /// Requirements:
    /// - the epoch and committee version are the current ones;
    /// - `issuedAt` is not in the future, and at most `reportLife` seconds ago;
    /// - both lists are strictly ascending, and hold at most 64 nodes together;
    /// - at least `quorumOf()` signatures, strictly ascending by signer, each of a seat whose operator has not been revoked.
    /// @return changes How many nodes it changed.
    function report(Report calldata report_, bytes[] calldata signatures) external returns (uint256 changes);

    /// @notice Notes in an event that a pending report has become final. Anyone; it is final without this.
    ///
    /// Requirements:
    /// - the node has a report whose grace has passed, and that has not been noted.
    function finalise(address node) external;

    // ---- the committee

    /// @notice Bids for a seat, or raises a bid: `amount` of the node's free stake is locked in all. A bid that was leaving
    /// stays. When the list is full, the lowest bid that holds no seat makes way and is unlocked. Owner only.
    ///
    /// Requirements:
    /// - the node is Active or Draining, and its owner bids for no other node;
    /// - `amount` is at least `minSeatStake`, above the node's bid so far and, in a full list, above the lowest;
    /// - the node has the stake free.
    function bid(address node, uint256 amount) external;

    /// @notice Takes a bid back. Owner only. A seat stays until the epoch ends. A bid without one ends at once, unless it was
    /// placed in this epoch: then it stands in the coming election and, won or lost, ends one epoch later. So nobody can
    /// drive others out of a full list with bids that are gone before they count.
    function withdrawBid(address node) external;

    /// @notice Shows that the caller's seat is held by someone awake. The seat's operator only; once an epoch is enough, and a
    /// signature in an accepted report does the same.
    function checkIn() external;

    /// @notice Ends the epoch and installs the highest bids. Anyone. Bids of nodes that are no longer Active or Draining, that
    /// are leaving, below the minimum, or whose seat was silent for `maxMissed` epochs end first. The version rises only if
    /// the set of seats has changed. Until somebody calls it, the committee stays in office.
    ///
    /// Requirements:
    /// - `t > epochEndsAt`.
    function rotate() external;

    /// @notice Sets the parameters within their bounds. Authority only (AccessManager). Pending reports and the running epoch
    /// keep the times that they have.
    function setParameters(LivenessParameters calldata parameters) external;

    // ---- reads

    /// @notice Seconds for which the node has been offline in all: final periods only, the running one up to now. Never decreases.
    function offlineSecondsOf(address node) external view returns (uint64);
    /// @notice Since when the node is offline (timestamp), 0: online, or its report is still pending.
    function offlineSince(address node) external view returns (uint64);
    /// @notice Seconds of the periods that are over; the running period's start and until when it is pending, both 0 without
    /// one (`pendingUntil` also once it is noted as final); when the node was last reported; until when evidence is stale.
    function recordOf(address node)
        external
        view
        returns (uint64 endedSeconds, uint64 since, uint64 pendingUntil, uint64 reportedAt, uint64 knownAt);
    /// @notice Whether `signatures` hold a quorum of the committee over `digest`, under the same requirements as in `report`.
    /// For claims of other contracts: `digest` must be a typed-data hash in the caller's own EIP-712 domain.
    function isQuorum(bytes32 digest, bytes[] calldata signatures) external view returns (bool);
    /// @notice Signatures needed: `floor(2N / 3) + 1` of all N seats, with N at least `minSeats`.
    function quorumOf() external view returns (uint256);
    /// @notice The operators that hold a seat, ascending.
    function seats() external view returns (address[] memory);
    function committee()
        external
        view
        returns (uint64 epoch, uint32 committeeVersion, uint64 epochEndsAt, address[] memory seats);
    /// @notice All bids, seated or not, in no order; at most 32.
    function bids() external view returns (Bid[] memory);
    function candidateOf(address node) external view returns (Candidate memory);
    /// @notice The node that the owner bids for, 0 without a bid.
    function bidOf(address owner) external view returns (address node);
    function reportHash(Report calldata report_) external view returns (bytes32 typedDataHash);
    function domainSeparator() external view returns (bytes32);
    function parameters() external view returns (LivenessParameters memory);
    function parameterBounds() external view returns (LivenessParameters memory min, LivenessParameters memory max);
    function nodeRegistry() external view returns (address);
    function taskRegistry() external view returns (address);
}
