// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {LapsingPause} from "./governance/LapsingPause.sol";
import {ParameterBounds} from "./governance/ParameterBounds.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "./interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "./interfaces/ITaskRegistry.sol";
import {
    Capacity,
    LeaseRequest,
    NodeParameters,
    NodeStatus,
    Profile,
    Rates,
    TaskParameters
} from "./interfaces/Types.sol";
import {Offers} from "./libraries/Offers.sol";
import {Peers} from "./libraries/Peers.sol";
import {Profiles} from "./libraries/Profiles.sol";
import {Stake, StakeBook, Stakes} from "./libraries/Stakes.sol";

/// @title The network map
/// @notice Invariants, each a test of the same name in `contracts/test/Money.t.sol`:
/// - LockedNeverAboveStaked: a node's locks are those of its live leases, of lost attempts for whose replacement a gang
///   waits, and of its seat; never more than its stake.
/// - StakeIsStakedPlusUnbonding: escrow holds exactly a node's stake and unbonding stake.
/// - CapacityInUseIsTheLiveLeases: capacity in use equals the sum of the live leases', and never exceeds the declared.
/// - SlashNeverAboveLock: all slashes of a lease together take at most what it locked.
/// - CompensationNeverAboveLock: what others' waiting costs an attempt, and all its slashes, are at most its lock.
/// - AtMostAFifthRewards: the reporter gets at most a fifth of a slash, and nobody ever gets the rest.
contract NodeRegistry is INodeRegistry, LapsingPause, EIP712 {
    using Offers for Node;
    using Stakes for StakeBook;

    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(address owner,address operator,bytes32 encryptionKey,bytes32 profileDigest,uint256 deadline)"
    );
    uint256 private constant PUBLIC_KEY_BYTES = 64;
    uint256 private constant REWARD_BPS = 2000; // of a slash, to the reporter
    uint256 private constant BPS = 10_000;

    /// @inheritdoc INodeRegistry
    address public immutable taskRegistry;
    /// @inheritdoc INodeRegistry
    address public immutable paymentEscrow;
    /// @inheritdoc INodeRegistry
    address public immutable liveness;
    /// @inheritdoc INodeRegistry
    uint32 public immutable evidencePeriod;

    NodeParameters private _parameters;
    NodeParameters private _min;
    NodeParameters private _max;

    address[] private _index;
    mapping(address node => Node) private _nodes;
    StakeBook private _book;

    modifier onlyTaskRegistry() {
        if (msg.sender != taskRegistry) revert OnlyTaskRegistry(msg.sender);
        _;
    }

    modifier onlyLiveness() {
        if (msg.sender != liveness) revert OnlyLiveness(msg.sender);
        _;
    }

    modifier onlyOwner(address node) {
        if (msg.sender != _nodes[node].owner) revert NotOwner(node, msg.sender);
        _;
    }

    modifier onlyOwnerOrOperator(address node) {
        Node storage entry = _nodes[node];
        bool isOperator = msg.sender == node && entry.owner != address(0);
        if (msg.sender != entry.owner && !isOperator) revert NotOwnerOrOperator(node, msg.sender);
        if (entry.status == NodeStatus.Retired) revert WrongNodeStatus(node, entry.status);
        _;
    }

    /// @dev Deployed after TaskRegistry, before PaymentEscrow and Liveness, whose constructors check that they agree.
    constructor(
        address authority,
        address taskRegistry_,
        address paymentEscrow_,
        address liveness_,
        uint32 evidencePeriod_,
        NodeParameters memory initial,
        NodeParameters memory min,
        NodeParameters memory max
    ) LapsingPause(authority) EIP712("Dekuper NodeRegistry", "1") {
        Peers.requirePointer(taskRegistry_, ITaskRegistry.nodeRegistry.selector, address(this));
        Peers.requirePointer(taskRegistry_, ITaskRegistry.paymentEscrow.selector, paymentEscrow_);
        (, TaskParameters memory most) = ITaskRegistry(taskRegistry_).parameterBounds();
        uint256 window = uint256(most.terms.challengeWindow) + most.terms.answerWindow + most.terms.outageGrace;
        if (window > evidencePeriod_) revert WindowExceedsEvidence(window, evidencePeriod_);
        taskRegistry = taskRegistry_;
        paymentEscrow = paymentEscrow_;
        liveness = liveness_;
        evidencePeriod = evidencePeriod_;
        _min = min;
        _max = max;
        _setParameters(initial);
    }

    /// @inheritdoc INodeRegistry
    function register(
        Profile calldata profile,
        bytes calldata operatorPublicKey_,
        uint256 deadline,
        bytes calldata signature
    ) external whenNotPaused returns (address node) {
        if (block.timestamp > deadline) revert RegistrationExpired(deadline, block.timestamp);
        if (operatorPublicKey_.length != PUBLIC_KEY_BYTES) {
            revert PublicKeyLength(operatorPublicKey_.length, PUBLIC_KEY_BYTES);
        }
        node = address(uint160(uint256(keccak256(operatorPublicKey_))));
        Node storage entry = _nodes[node];
        if (entry.status != NodeStatus.None) revert AlreadyRegistered(node);
        Profiles.check(profile, entry.used);
        bytes32 structHash = keccak256(
            abi.encode(
                REGISTER_TYPEHASH, msg.sender, node, profile.encryptionKey, keccak256(abi.encode(profile)), deadline
            )
        );
        address signer = ECDSA.recoverCalldata(_hashTypedDataV4(structHash), signature);
        if (signer != node) revert WrongOperatorSignature(node, signer);

        entry.owner = msg.sender;
        entry.status = NodeStatus.Active;
        entry.activeSince = uint64(block.timestamp);
        entry.encryptionKeyVersion = 1;
        entry.operatorPublicKey = operatorPublicKey_;
        entry.profile = profile;
        _index.push(node);
        emit NodeRegistered(node, msg.sender, operatorPublicKey_, profile);
    }

    /// @inheritdoc INodeRegistry
    function updateProfile(address node, Profile calldata profile) external onlyOwnerOrOperator(node) {
        Node storage entry = _nodes[node];
        Profiles.check(profile, entry.used);
        if (profile.encryptionKey != entry.profile.encryptionKey) ++entry.encryptionKeyVersion;
        entry.profile = profile;
        emit ProfileUpdated(node, profile, entry.encryptionKeyVersion);
    }

    /// @inheritdoc INodeRegistry
    function setFloor(address node, Rates calldata floor) external onlyOwner(node) {
        _nodes[node].floor = floor;
        emit FloorChanged(node, floor);
    }

    /// @inheritdoc INodeRegistry
    function drain(address node) external onlyOwnerOrOperator(node) {
        _changeStatus(node, NodeStatus.Active, NodeStatus.Draining);
    }

    /// @inheritdoc INodeRegistry
    function resume(address node) external onlyOwner(node) {
        _nodes[node].activeSince = uint64(block.timestamp);
        _changeStatus(node, NodeStatus.Draining, NodeStatus.Active);
    }

    /// @inheritdoc INodeRegistry
    function revokeOperator(address node) external onlyOwner(node) {
        Node storage entry = _nodes[node];
        if (entry.status == NodeStatus.Retired) revert WrongNodeStatus(node, entry.status);
        entry.status = NodeStatus.Retired;
        emit OperatorRevoked(node, msg.sender);
        emit NodeStatusChanged(node, NodeStatus.Retired);
    }

    /// @inheritdoc INodeRegistry
    function stake(address node, uint256 amount) external onlyOwner(node) {
        if (amount == 0) revert ZeroAmount();
        _noteStake(node);
        _book.add(node, amount);
        emit StakeAdded(node, msg.sender, amount);
        IPaymentEscrow(paymentEscrow).moveToStake(msg.sender, node, amount);
    }

    /// @inheritdoc INodeRegistry
    function unstake(address node, uint256 amount) external onlyOwner(node) {
        if (amount == 0) revert ZeroAmount();
        emit UnbondingStarted(node, amount, _book.unbond(node, amount, evidencePeriod));
    }

    /// @inheritdoc INodeRegistry
    function releaseUnbonded(address node) external {
        uint256 amount = _book.release(node);
        emit UnbondingReleased(node, amount);
        IPaymentEscrow(paymentEscrow).returnStake(_nodes[node].owner, node, amount);
    }

    /// @inheritdoc INodeRegistry
    function migrate(address from, address to) external onlyOwner(from) onlyOwner(to) {
        if (from == to) revert SameNode(from);
        _noteStake(to);
        (uint128 staked, uint128 unbonding) = _book.migrate(from, to, evidencePeriod);
        emit StakeMigrated(from, to, staked, unbonding);
        IPaymentEscrow(paymentEscrow).migrateStake(from, to);
    }

    /// @inheritdoc INodeRegistry
    function takeLease(address node, bytes32 leaseId, LeaseRequest calldata request) external onlyTaskRegistry {
        Node storage entry = _nodes[node];
        if (entry.status != NodeStatus.Active) revert WrongNodeStatus(node, entry.status);
        entry.check(request);
        entry.take(node, request.capacity);
        _book.lock(node, request.lock, stakeRequired(node));
        emit CapacityTaken(node, leaseId, request.capacity);
        emit StakeLocked(node, leaseId, request.lock);
    }

    /// @inheritdoc INodeRegistry
    function releaseCapacity(
        address node,
        bytes32 leaseId,
        Capacity calldata capacity
    ) external onlyTaskRegistry {
        _nodes[node].giveBack(capacity);
        emit CapacityReleased(node, leaseId, capacity);
    }

    /// @inheritdoc INodeRegistry
    function unlockStake(address node, bytes32 leaseId, uint256 lock) external onlyTaskRegistry {
        _book.unlock(node, lock);
        emit StakeUnlocked(node, leaseId, lock);
    }

    /// @inheritdoc INodeRegistry
    function slash(
        address node,
        bytes32 leaseId,
        uint256 amount,
        bool locked,
        address reporter
    ) external onlyTaskRegistry returns (uint256 slashed) {
        if (locked) {
            slashed = _book.takeLocked(node, amount);
            _forfeit(node, leaseId, slashed, reporter);
            return slashed;
        }
        // The lease's lock is gone: what is unbonding, then what no other lease has locked; then what was moved away.
        slashed = _book.takeUnlocked(node, amount);
        if (slashed != 0) _forfeit(node, leaseId, slashed, reporter);
        address successor = _book.migrations[node].to;
        if (successor == address(0) || slashed == amount) return slashed;
        uint256 more = _book.takeUnlocked(successor, amount - slashed);
        if (more != 0) _forfeit(successor, leaseId, more, reporter);
        slashed += more;
    }

    /// @inheritdoc INodeRegistry
    function compensate(
        address node,
        bytes32 leaseId,
        uint256 amount,
        address owner
    ) external onlyTaskRegistry {
        IPaymentEscrow(paymentEscrow).compensate(node, leaseId, _book.takeLocked(node, amount), owner);
    }

    /// @inheritdoc INodeRegistry
    function lockSeat(address node, uint256 amount) external onlyLiveness {
        _book.lockSeat(node, amount);
        emit SeatStakeLocked(node, amount);
    }

    /// @inheritdoc INodeRegistry
    function unlockSeat(address node, uint256 amount) external onlyLiveness {
        _book.unlockSeat(node, amount);
        emit SeatStakeUnlocked(node, amount);
    }

    /// @inheritdoc INodeRegistry
    function setParameters(NodeParameters calldata parameters_) external restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc INodeRegistry
    function getNode(address node) external view returns (Node memory) {
        return _nodes[node];
    }

    /// @inheritdoc INodeRegistry
    function nodeCount() external view returns (uint256) {
        return _index.length;
    }

    /// @inheritdoc INodeRegistry
    function nodesPaged(uint256 offset, uint256 limit) external view returns (address[] memory nodes) {
        uint256 count = _index.length;
        uint256 length = offset >= count ? 0 : Math.min(limit, count - offset);
        nodes = new address[](length);
        for (uint256 i = 0; i < length; ++i) {
            nodes[i] = _index[offset + i];
        }
    }

    /// @inheritdoc INodeRegistry
    function ownerOf(address node) external view returns (address) {
        return _nodes[node].owner;
    }

    /// @inheritdoc INodeRegistry
    function statusOf(address node) external view returns (NodeStatus) {
        return _nodes[node].status;
    }

    /// @inheritdoc INodeRegistry
    function operatorPublicKey(address node) external view returns (bytes memory) {
        return _nodes[node].operatorPublicKey;
    }

    /// @inheritdoc INodeRegistry
    function encryptionKeyVersionOf(address node) external view returns (uint32) {
        return _nodes[node].encryptionKeyVersion;
    }

    /// @inheritdoc INodeRegistry
    function activeSinceOf(address node) external view returns (uint64) {
        Node storage entry = _nodes[node];
        return entry.status == NodeStatus.Active ? entry.activeSince : 0;
    }

    /// @inheritdoc INodeRegistry
    function stakeOf(address node)
        external
        view
        returns (uint256 staked, uint256 locked, uint256 unbonding, uint64 releasableAt)
    {
        Stake storage held = _book.stakes[node];
        return (held.staked, held.locked, held.unbonding, held.releasableAt);
    }

    /// @inheritdoc INodeRegistry
    function seatLockedOf(address node) external view returns (uint256) {
        return _book.stakes[node].seatLocked;
    }

    /// @inheritdoc INodeRegistry
    function available(address node) external view returns (Capacity memory) {
        return _nodes[node].available();
    }

    /// @inheritdoc INodeRegistry
    function parameters() external view returns (NodeParameters memory) {
        return _parameters;
    }

    /// @inheritdoc INodeRegistry
    function parameterBounds() external view returns (NodeParameters memory min, NodeParameters memory max) {
        return (_min, _max);
    }

    /// @inheritdoc INodeRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc INodeRegistry
    function stakeRequired(address node) public view returns (uint256) {
        return Math.max(_parameters.minStake, uint256(_parameters.stakePerGpu) * _nodes[node].profile.gpus);
    }

    /// @dev Without its stake a node has no ticket: else one stake would draw for any number of nodes (rule 9).
    function _noteStake(address node) private {
        if (_book.stakes[node].staked < stakeRequired(node)) _nodes[node].activeSince = uint64(block.timestamp);
    }

    function _forfeit(address node, bytes32 leaseId, uint256 amount, address reporter) private {
        uint256 reward = amount * REWARD_BPS / BPS;
        emit StakeSlashed(node, leaseId, amount, reward, reporter);
        IPaymentEscrow(paymentEscrow).forfeitStake(node, amount, reward, reporter);
    }

    function _changeStatus(address node, NodeStatus from, NodeStatus to) private {
        Node storage entry = _nodes[node];
        if (entry.status != from) revert WrongNodeStatus(node, entry.status);
        entry.status = to;
        emit NodeStatusChanged(node, to);
    }

    function _setParameters(NodeParameters memory parameters_) private {
        ParameterBounds.check(abi.encode(parameters_), abi.encode(_min), abi.encode(_max));
        _parameters = parameters_;
        emit ParametersChanged(parameters_);
    }
}
