// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Capacity, Isolation, LeaseRequest, NodeParameters, NodeStatus, Profile, Rates} from "./Types.sol";

/// @title The network map
/// @notice Every provider's cluster with its keys, addresses, declared capacity, stake rules and status. A node's chain
/// address is its network address: the operator's secp256k1 key is its libp2p identity.
interface INodeRegistry {
    /// @notice A node as the map shows it.
    struct Node {
        address owner;
        NodeStatus status;
        uint64 activeSince; // timestamp of registration, the last return from draining or the last stake added while it was short
        uint32 encryptionKeyVersion;
        bytes operatorPublicKey; // 64 bytes, uncompressed without the 0x04
        Profile profile;
        Rates floor;
        Capacity used;
    }

    event NodeRegistered(address indexed node, address indexed owner, bytes operatorPublicKey, Profile profile);
    event ProfileUpdated(address indexed node, Profile profile, uint32 encryptionKeyVersion);
    event FloorChanged(address indexed node, Rates floor);
    event NodeStatusChanged(address indexed node, NodeStatus status);
    event OperatorRevoked(address indexed node, address indexed owner);
    event CapacityTaken(address indexed node, bytes32 indexed leaseId, Capacity capacity);
    event CapacityReleased(address indexed node, bytes32 indexed leaseId, Capacity capacity);
    event StakeAdded(address indexed node, address indexed owner, uint256 amount);
    event StakeLocked(address indexed node, bytes32 indexed leaseId, uint256 amount);
    event StakeUnlocked(address indexed node, bytes32 indexed leaseId, uint256 amount);
    event SeatStakeLocked(address indexed node, uint256 amount);
    event SeatStakeUnlocked(address indexed node, uint256 amount);
    event UnbondingStarted(address indexed node, uint256 amount, uint64 releasableAt);
    event UnbondingReleased(address indexed node, uint256 amount);
    event StakeSlashed(address indexed node, bytes32 indexed leaseId, uint256 amount, uint256 reward, address reporter);

    event ParametersChanged(NodeParameters parameters);

    error OnlyTaskRegistry(address caller);
    error OnlyLiveness(address caller);
    error NotOwner(address node, address caller);
    error NotOwnerOrOperator(address node, address caller);
    error PublicKeyLength(uint256 length, uint256 expected);
    error AlreadyRegistered(address node);
    error RegistrationExpired(uint256 deadline, uint256 timestamp);
    error WrongOperatorSignature(address expected, address recovered);
    error EncryptionKeyMissing();
    error NothingDeclared(uint32 vCpus, uint64 memoryMiB);
    error GpuModelMismatch(uint32 gpus, string gpuModel);
    error TextTooLong(uint256 length, uint256 max);
    error TooManyMultiaddrs(uint256 count, uint256 max);
    error CapacityInUse(Capacity used);
    error WrongNodeStatus(address node, NodeStatus status);
    error CapacityExceeded(address node, Capacity wanted, Capacity available);
    error StorageTooSmall(uint64 wanted, uint64 declared);
    error IsolationTooWeak(Isolation wanted, Isolation declared);
    error WrongGpuModel(bytes32 wanted, bytes32 declared);
    error RateBelowFloor(uint256 rate, uint256 floor);
    error StakeTooLow(address node, uint256 staked, uint256 required);
    error StakeNotFree(address node, uint256 wanted, uint256 free);
    error ZeroAmount();
    error NothingUnbonded(address node, uint256 unbonding, uint64 releasableAt);
    error WindowExceedsEvidence(uint256 window, uint256 evidencePeriod);

    /// @notice Registers a node. `msg.sender` becomes its owner; the operator is derived from its public key and proves
    /// itself by an EIP-712 `Register(address owner,address operator,bytes32 encryptionKey,bytes32 profileDigest,uint256 deadline)`
    /// where `profileDigest = keccak256(abi.encode(profile))`.
    function register(
        Profile calldata profile,
        bytes calldata operatorPublicKey,
        uint256 deadline,
        bytes calldata signature
    ) external returns (address node);

    /// @notice Replaces the profile, by owner or operator. Capacity cannot shrink below its use; a new encryption key counts its version up.
    function updateProfile(address node, Profile calldata profile) external;

    /// @notice Sets the lowest rates at which the operator may take leases. Owner only.
    function setFloor(address node, Rates calldata floor) external;

    /// @notice Stops new leases; running ones go on. Owner or operator.
    function drain(address node) external;

    /// @notice Takes new leases again; the ticket age starts anew. Owner only.
    function resume(address node) external;

    /// @notice Ends the operator's power at once, also when paused: later signatures are worthless. Owner only, final.
    function revokeOperator(address node) external;

    /// @notice Moves `amount` of the owner's free escrow balance into the node's stake. Owner only. While the node holds less
    /// than `stakeRequired`, adding stake starts its ticket age anew.
    function stake(address node, uint256 amount) external;

    /// @notice Starts unbonding `amount` of unlocked stake; it can still be slashed until released. Owner only.
    function unstake(address node, uint256 amount) external;

    /// @notice Returns what has finished unbonding to the owner's free escrow balance. Anyone.
    function releaseUnbonded(address node) external;

    /// @notice Takes a lease's capacity and locks its stake. TaskRegistry only. Reverts with what decided.
    ///
    /// Requirements:
    /// - the node is Active and declares the storage, isolation and GPU model wanted;
    /// - the capacity is available and the rate is at or above the owner's floor;
    /// - the node holds the stake required, with the lock free in it.
    function takeLease(address node, bytes32 leaseId, LeaseRequest calldata request) external;

    /// @notice Gives a lease's capacity back. TaskRegistry only.
    function releaseCapacity(address node, bytes32 leaseId, Capacity calldata capacity) external;

    /// @notice Unlocks a lease's stake. TaskRegistry only.
    function unlockStake(address node, bytes32 leaseId, uint256 lock) external;

    /// @notice Slashes at most `amount` (what is there), rewards the reporter with at most 20 %. TaskRegistry only; never reverts for lack of stake.
    function slash(address node, bytes32 leaseId, uint256 amount, bool locked, address reporter) external returns (uint256 slashed);

    /// @notice Locks free stake for a seat in the committee. Liveness only. What it locks can be neither unstaked nor slashed.
    function lockSeat(address node, uint256 amount) external;

    /// @notice Unlocks stake that a seat had locked. Liveness only.
    function unlockSeat(address node, uint256 amount) external;

    /// @notice Sets the stake rules within their bounds. Authority only (AccessManager).
    function setParameters(NodeParameters calldata parameters) external;

    function getNode(address node) external view returns (Node memory);
    function nodeCount() external view returns (uint256);
    /// @notice Page of the map, in order of registration.
    function nodesPaged(uint256 offset, uint256 limit) external view returns (address[] memory nodes);
    function ownerOf(address node) external view returns (address);
    function statusOf(address node) external view returns (NodeStatus);
    function operatorPublicKey(address node) external view returns (bytes memory);
    function stakeOf(address node) external view returns (uint256 staked, uint256 locked, uint256 unbonding, uint64 releasableAt);
    /// @notice What of the locked stake a seat in the committee holds.
    function seatLockedOf(address node) external view returns (uint256);
    /// @notice Stake that the node must hold to accept leases: max(minStake, stakePerGpu x declared GPUs).
    function stakeRequired(address node) external view returns (uint256);
    /// @notice Declared capacity that no live lease holds.
    function available(address node) external view returns (Capacity memory);
    function domainSeparator() external view returns (bytes32);
    /// @notice Since when the node has been Active (timestamp), 0 when it is not.
    function activeSinceOf(address node) external view returns (uint64);
    /// @notice Seconds for which stake can still be slashed after a lease's end; unbonding lasts as long.
    function evidencePeriod() external view returns (uint32);
    function parameters() external view returns (NodeParameters memory);
    function parameterBounds() external view returns (NodeParameters memory min, NodeParameters memory max);
    function taskRegistry() external view returns (address);
    function paymentEscrow() external view returns (address);
    function liveness() external view returns (address);
}
