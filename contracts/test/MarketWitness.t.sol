// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Gang, Lease, LeaseStatus, OutputAttestation, Task, Verification} from "../interfaces/Types.sol";
import {INodeRegistry} from "../interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "../interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {ICheatCodes} from "./Cheats.sol";
import {MarketActors} from "./MarketActors.t.sol";

/// @title What is remembered of every lease, read from the events of each call, and what they must never say
/// @notice A rule that was broken stays so: `broken` tells the first time, by the name of its invariant.
abstract contract MarketWitness is MarketActors {
    /// @notice A lease as it was before the call.
    struct Story {
        bytes32 taskId;
        address node;
        LeaseStatus status;
        uint256 maxSeconds;
        uint256 startedAt; // of the current attempt
        uint256 lastClaimAt;
        uint256 promised; // base units that it may cost in all: its first reservation and what was topped up
        uint256 paid; // base units, gross, of all attempts
        uint256 ran; // seconds that the call has just paid, less the downtime or not
        bool isReopened; // by this call
    }

    bytes32[] public leaseList;
    bytes32[] public taskList;
    mapping(bytes32 leaseId => Story) internal _stories;
    mapping(bytes32 leaseId => mapping(uint256 attempt => bool)) private _isPaid;
    mapping(bytes32 leaseId => mapping(uint256 attempt => bool)) private _isLost;
    mapping(bytes32 leaseId => mapping(address owner => bool)) private _hasLost;
    mapping(bytes32 leaseId => mapping(address node => uint256)) public lockedFor; // at the assignment
    mapping(bytes32 leaseId => mapping(address node => uint256)) public compensatedFor; // out of that lock
    mapping(bytes32 leaseId => mapping(address node => uint256)) public slashedFor;
    mapping(string invariant => string what) public broken;

    modifier then(uint256 wait) {
        _pass(bound(wait, 0, 6));
        vm.recordLogs();
        _;
        _read(vm.getRecordedLogs());
    }

    function leaseCount() external view returns (uint256) {
        return leaseList.length;
    }

    function taskCount() external view returns (uint256) {
        return taskList.length;
    }

    function storyOf(bytes32 leaseId) external view returns (Story memory) {
        return _stories[leaseId];
    }

    /// @dev The node of an attempt, current or lost.
    function nodeOf(bytes32 leaseId, uint32 attempt) public view returns (address node) {
        node = tasks.getPastAttempt(leaseId, attempt).node;
        if (node == address(0) && attempt == tasks.getLease(leaseId).attempt) node = _stories[leaseId].node;
    }

    function _remember(bytes32 taskId) internal {
        taskList.push(taskId);
        Task memory task = tasks.getTask(taskId);
        for (uint32 i = 0; i < task.leaseCount; ++i) {
            bytes32 leaseId = tasks.leaseIdOf(taskId, i);
            leaseList.push(leaseId);
            _stories[leaseId].taskId = taskId;
            _promise(leaseId, task.fundedSeconds);
            _look(leaseId);
        }
    }

    /// @dev What so many seconds cost at most, rounded up.
    function _promise(bytes32 leaseId, uint256 moreSeconds) internal {
        _stories[leaseId].promised += (tasks.getLease(leaseId).ratePerHour * moreSeconds + 3599) / 3600;
    }

    /// @dev Remembers how the lease stands, for the next call.
    function _look(bytes32 leaseId) internal {
        Story storage story = _stories[leaseId];
        Lease memory lease = tasks.getLease(leaseId);
        bool isForward = _stage(lease.status) > _stage(story.status) && !_isOver(story.status);
        bool isReopened = lease.status == LeaseStatus.Open && story.isReopened && story.status < LeaseStatus.Stopping;
        bool isAnswered = lease.status == LeaseStatus.Completed && story.status == LeaseStatus.Disputed;
        bool isLegal = lease.status == story.status || isForward || isReopened || isAnswered;
        _hold(isLegal, "StatusOnlyMovesForward", "a lease came back");
        story.isReopened = false;
        story.status = lease.status;
        story.node = lease.node;
        story.maxSeconds = lease.maxSeconds;
        story.startedAt = lease.startedAt;
        story.lastClaimAt = lease.lastClaimAt;
        story.ran = 0;
    }

    /// @dev The order of life: the enum's, but that the states of a quorum and of a claim were added behind the ends.
    function _stage(LeaseStatus status) private pure returns (uint256) {
        if (status == LeaseStatus.Committed) return 50;
        if (status == LeaseStatus.Revealed) return 51;
        if (status == LeaseStatus.Disputed) return 65;
        return 10 * uint256(status) + (status == LeaseStatus.Completed ? 10 : 0) + (_isOver(status) ? 10 : 0);
    }

    function _isOver(LeaseStatus status) internal pure returns (bool) {
        return status >= LeaseStatus.Settled && status <= LeaseStatus.Expired;
    }

    function _isQuorum(bytes32 taskId) internal view returns (bool) {
        return tasks.getTask(taskId).verification == Verification.Quorum;
    }

    function _hold(bool fact, string memory invariant, string memory what) internal {
        if (!fact && bytes(broken[invariant]).length == 0) broken[invariant] = what;
    }

    function _read(ICheatCodes.Log[] memory logs) internal {
        for (uint256 i = 0; i < logs.length; ++i) {
            _readMoney(logs[i]);
            _readLease(logs[i]);
        }
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(tasks) && logs[i].topics.length > 1) {
                bytes32 leaseId = logs[i].topics[1];
                if (_stories[leaseId].taskId != 0) _look(leaseId);
            }
        }
    }

    function _readMoney(ICheatCodes.Log memory entry) private {
        bytes32 kind = entry.topics[0];
        if (kind == IPaymentEscrow.Paid.selector) {
            _readPaid(entry.topics[1], _address(entry.topics[3]), entry.data);
        } else if (kind == INodeRegistry.StakeLocked.selector) {
            lockedFor[entry.topics[2]][_address(entry.topics[1])] += abi.decode(entry.data, (uint256));
        } else if (kind == IPaymentEscrow.Compensated.selector) {
            (bytes32 leaseId, address node) = (entry.topics[1], _address(entry.topics[2]));
            compensatedFor[leaseId][node] += abi.decode(entry.data, (uint256));
            ++done[tasks.getGang(_stories[leaseId].taskId).firstFrom == 0 ? "waiting paid" : "standby paid"];
        }
    }

    function _readPaid(bytes32 leaseId, address owner, bytes memory data) private {
        Story storage story = _stories[leaseId];
        (, uint32 attempt, uint64 ran, uint64 down, uint256 rate, uint256 gross,) =
            abi.decode(data, (bytes32, uint32, uint64, uint64, uint256, uint256, uint256));
        _hold(!_isLost[leaseId][attempt], "LostAttemptsAreNeverPaid", "paid after it was lost");
        _hold(!_isPaid[leaseId][attempt], "NoLeasePaidAboveReserve", "an attempt paid twice");
        _hold(owner == nodes.ownerOf(story.node), "LostAttemptsAreNeverPaid", "another's owner was paid");
        _hold(gross == rate * (ran - down) / 3600, "NoLeasePaidAboveReserve", "paid for other seconds");
        _isPaid[leaseId][attempt] = true;
        story.paid += gross;
        story.ran = ran;
        if (down != 0) ++done["downtime taken off"];
    }

    function _readLease(ICheatCodes.Log memory entry) private {
        bytes32 kind = entry.topics[0];
        if (entry.emitter != address(tasks)) return;
        if (kind == ITaskRegistry.LeaseAssigned.selector) {
            _readAssigned(entry.topics[1], entry.topics[2], _address(entry.topics[3]), entry.data);
        } else if (kind == ITaskRegistry.LeaseEnded.selector) {
            (LeaseStatus from,,,) = abi.decode(entry.data, (LeaseStatus, LeaseStatus, uint64, uint256));
            if (from < LeaseStatus.Settled) _readUnclaimed(entry.topics[1]);
            else _hold(_stories[entry.topics[1]].ran == 0, "OnlyTheMajorityIsPaid", "paid for what was judged against it");
        } else if (kind == ITaskRegistry.ReplicaAgreed.selector) {
            _readAgreed(entry.topics[1], entry.data);
        } else if (kind == ITaskRegistry.AttemptLost.selector) {
            _readUnclaimed(entry.topics[1]);
            (uint32 attempt,,) = abi.decode(entry.data, (uint32, uint64, uint256));
            _isLost[entry.topics[1]][attempt] = true;
            _hasLost[entry.topics[1]][nodes.ownerOf(_address(entry.topics[3]))] = true;
            _stories[entry.topics[1]].isReopened = true;
            ++done["attempt lost"];
        } else if (kind == ITaskRegistry.LeaseCompleted.selector) {
            _readCompleted(entry.topics[1], entry.data);
        } else if (kind == ITaskRegistry.GangStarted.selector) {
            ++done[tasks.getGang(entry.topics[1]).secondFrom == 0 ? "gang started" : "gang started again"];
        } else if (kind == ITaskRegistry.GangStopped.selector) {
            ++done["gang waits for a replacement"];
        } else if (kind == ITaskRegistry.PeerLossRecorded.selector) {
            ++done["peer loss"];
        }
    }

    function _readAssigned(bytes32 leaseId, bytes32 taskId, address node, bytes memory data) private {
        (uint32 attempt,,,) = abi.decode(data, (uint32, uint256, uint64, bool));
        _hold(attempt <= tasks.getTask(taskId).maxAttempts, "AttemptsNeverAboveMaximum", "one attempt too many");
        _hold(!_hasLost[leaseId][nodes.ownerOf(node)], "ExcludedOwnersNeverReturn", "an owner holds it again");
        _stories[leaseId].node = node;
        if (attempt == 3) ++done["third attempt"];
    }

    /// @dev An attempt that ended without an accepted claim is paid to its last one, not a second more or less.
    function _readUnclaimed(bytes32 leaseId) private {
        Story storage story = _stories[leaseId];
        uint256 due = story.startedAt == 0 ? 0 : _billable(story.taskId, story.startedAt, story.lastClaimAt);
        if (due > story.maxSeconds) due = story.maxSeconds;
        _hold(story.ran == due, "CheckpointsPayLostLeases", "not paid to the last claim");
        if (story.ran != 0) ++done["pay of a lost lease"];
    }

    function _readCompleted(bytes32 leaseId, bytes memory data) private {
        Story storage story = _stories[leaseId];
        (,, uint256 billed, uint256 down,) =
            abi.decode(data, (OutputAttestation, bytes, uint64, uint64, uint64));
        uint256 stoppedAt = tasks.getLease(leaseId).stoppedAt;
        Gang memory gang = tasks.getGang(story.taskId);
        bool isGang = gang.live != 0 || gang.running != 0 || gang.firstFrom != 0 || gang.isOver;
        uint256 most = _billable(story.taskId, story.startedAt, stoppedAt == 0 ? _clock : stoppedAt);
        bool isLeast = stoppedAt != 0 && (!isGang || gang.isCancelled) && billed <= MIN_BILLED;
        _hold(isLeast || billed + down <= most, isGang ? "GangsBillTheirClock" : "BilledNeverAboveRun", "too much");
        _hold(billed + down <= story.maxSeconds, "BilledNeverAboveRun", "above its maximum");
    }

    /// @dev A replica of the majority is paid for what ran until it committed.
    function _readAgreed(bytes32 leaseId, bytes memory data) private {
        Story storage story = _stories[leaseId];
        (uint256 billed, uint256 down,) = abi.decode(data, (uint64, uint64, uint64));
        _hold(billed + down <= story.lastClaimAt - story.startedAt, "BilledNeverAboveRun", "above the commitment");
        _hold(billed + down <= story.maxSeconds, "BilledNeverAboveRun", "above its maximum");
        ++done["replica agreed"];
    }

    /// @dev Seconds between the two that a lease may be paid for: in a gang, those in which its clock ran.
    function _billable(bytes32 taskId, uint256 from, uint256 to) private view returns (uint256) {
        if (tasks.getTask(taskId).leaseCount == 1 || _isQuorum(taskId)) return to - from;
        Gang memory gang = tasks.getGang(taskId);
        return _common(from, to, gang.firstFrom, gang.firstTo) + _common(from, to, gang.secondFrom, gang.secondTo);
    }

    function _common(uint256 from, uint256 to, uint256 clockFrom, uint256 clockTo) private pure returns (uint256) {
        if (clockFrom == 0 || (clockTo != 0 && clockTo <= from) || clockFrom >= to) return 0;
        uint256 before = clockFrom > from ? clockFrom - from : 0;
        uint256 after_ = clockTo != 0 && clockTo < to ? to - clockTo : 0;
        return to - from - before - after_;
    }

    function _address(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
