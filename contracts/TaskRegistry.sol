// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC2771Context} from "@openzeppelin/contracts/metatx/ERC2771Context.sol";
import {Context} from "@openzeppelin/contracts/utils/Context.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {LapsingPause} from "./governance/LapsingPause.sol";
import {ParameterBounds} from "./governance/ParameterBounds.sol";
import {ILiveness} from "./interfaces/ILiveness.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "./interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "./interfaces/ITaskRegistry.sol";
import {
    Ballot,
    DeliveryClaim,
    Gang,
    KeyWrap,
    Lease,
    Order,
    OutputAttestation,
    PastAttempt,
    Quote,
    Task,
    TaskParameters,
    Terms
} from "./interfaces/Types.sol";
import {Attestations} from "./libraries/Attestations.sol";
import {Awards} from "./libraries/Awards.sol";
import {Deadlines} from "./libraries/Deadlines.sol";
import {Deliveries} from "./libraries/Deliveries.sol";
import {Evidence} from "./libraries/Evidence.sol";
import {Leases} from "./libraries/Leases.sol";
import {Market, Markets, Wiring} from "./libraries/Market.sol";
import {Quorums} from "./libraries/Quorums.sol";
import {Quotes} from "./libraries/Quotes.sol";

/// @title The life of a task
/// @notice Holds the storage and the entry points; what they do is in the linked libraries `Awards` (orders, quotes, keys),
/// `Leases` (start to settlement, with `Gangs` and `Endings`), `Quorums`, `Deliveries` and `Evidence`. They are linked at deployment, for ever.
/// Consumers may call through the forwarder (ERC-2771), so that somebody else pays the gas.
///
/// Invariants, each a test of the same name in `contracts/test/Money.t.sol`:
/// - BilledNeverAboveRun: no lease is billed for seconds in which it was not running, nor above its maximum.
/// - EveryLeaseHasAWayOut: from every state some call by anyone, after some deadline, ends the lease and frees its funds.
/// - StatusOnlyMovesForward: no lease ever returns to a state that it has left, but to Open by a counted failover.
/// - CheckpointsPayLostLeases: a failed, expired or lost run is paid to its last claim, never to now.
/// - GangsBillTheirClock: no member is billed a second in which its gang's clock stood, but the least of a cancel.
/// - LostAttemptsAreNeverPaid: an attempt is paid when it is lost, once, and never again.
/// - ExcludedOwnersNeverReturn: an owner that has lost a lease never holds it again, with whatever node.
/// - AttemptsNeverAboveMaximum: no lease is given away more often than its order says.
/// - OnlyCommitmentsAreRevealed: a replica reveals the result that it committed to, and no other.
/// - OnlyTheMajorityIsPaid: a replica outside of the majority that was counted is paid nothing.
/// - ClaimsNeedAVerdict: a delivery claim is decided by the consumer's own receipt or more than two thirds of the attesters.
contract TaskRegistry is ITaskRegistry, LapsingPause, EIP712, ERC2771Context {
    using Markets for Market;

    /// @inheritdoc ITaskRegistry
    address public immutable nodeRegistry;
    /// @inheritdoc ITaskRegistry
    address public immutable paymentEscrow;
    /// @inheritdoc ITaskRegistry
    address public immutable liveness;
    /// @inheritdoc ITaskRegistry
    uint256 public immutable deploymentBlock;

    TaskParameters private _min;
    TaskParameters private _max;
    Market private _market;

    /// @dev Deployed first: the constructors of the others check that they agree.
    constructor(
        address authority,
        address forwarder,
        address nodeRegistry_,
        address paymentEscrow_,
        address liveness_,
        TaskParameters memory initial,
        TaskParameters memory min,
        TaskParameters memory max
    ) LapsingPause(authority) EIP712("Dekuper TaskRegistry", "1") ERC2771Context(forwarder) {
        nodeRegistry = nodeRegistry_;
        paymentEscrow = paymentEscrow_;
        liveness = liveness_;
        deploymentBlock = block.number;
        _min = min;
        _max = max;
        _setParameters(initial);
    }

    /// @inheritdoc ITaskRegistry
    function createTask(Order calldata order) external whenNotPaused returns (bytes32 taskId) {
        return Awards.create(_market, _wiring(), order, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function createAndAward(
        Order calldata order,
        Quote[] calldata quotes,
        bytes[] calldata signatures,
        KeyWrap[] calldata wraps
    ) external whenNotPaused returns (bytes32 taskId) {
        return Awards.createAndAward(_market, _wiring(), order, quotes, signatures, wraps, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function grantKeys(bytes32 taskId, KeyWrap[] calldata wraps) external {
        Awards.grantKeys(_market, _wiring(), taskId, wraps, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function topUp(bytes32 taskId, uint32 fundedSeconds) external returns (uint256 amount) {
        return Awards.topUp(_market, _wiring(), taskId, fundedSeconds, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function acceptTask(bytes32 taskId) external returns (bytes32 leaseId) {
        return Awards.accept(_market, _wiring(), taskId, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function takeOver(bytes32 leaseId) external {
        Awards.takeOver(_market, _wiring(), leaseId, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function cancelQuote(uint256 nonce) external {
        Quotes.cancel(_market, _msgSender(), nonce);
        emit QuoteCancelled(_msgSender(), nonce);
    }

    /// @inheritdoc ITaskRegistry
    function cancelQuotes(uint256 below) external {
        address node = _msgSender();
        if (below <= _market.quotesVoidBelow[node]) revert QuoteVoid(node, below);
        _market.quotesVoidBelow[node] = below;
        emit QuotesCancelled(node, below);
    }

    /// @inheritdoc ITaskRegistry
    function startLease(bytes32 leaseId, uint32 attempt) external {
        Leases.start(_market, _wiring(), leaseId, attempt, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function checkpoint(bytes32 leaseId, uint32 attempt, uint64 step, bytes32 digest) external {
        Leases.checkpoint(_market, _wiring(), leaseId, attempt, step, digest, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function completeLease(OutputAttestation calldata attestation, bytes calldata signature) external {
        Leases.complete(_market, _wiring(), attestation, signature);
    }

    /// @inheritdoc ITaskRegistry
    function commitResult(bytes32 leaseId, uint32 attempt, bytes32 commitment) external {
        Quorums.commit(_market, _wiring(), leaseId, attempt, commitment, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function revealResult(OutputAttestation calldata attestation, bytes calldata signature, bytes32 salt) external {
        Quorums.reveal(_market, _wiring(), attestation, signature, salt);
    }

    /// @inheritdoc ITaskRegistry
    function tallyResults(bytes32 taskId) external {
        Quorums.tally(_market, _wiring(), taskId, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function claimUndelivered(bytes32 leaseId) external {
        Deliveries.claim(_market, _wiring(), leaseId, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function answerWithReceipt(bytes32 leaseId, bytes calldata signature) external {
        Deliveries.answerWithReceipt(_market, _wiring(), leaseId, signature);
    }

    /// @inheritdoc ITaskRegistry
    function answerWithAttesters(bytes32 leaseId, bool fetched, bytes[] calldata signatures) external {
        Deliveries.answerWithAttesters(_market, _wiring(), leaseId, fetched, signatures);
    }

    /// @inheritdoc ITaskRegistry
    function lapseClaim(bytes32 leaseId) external {
        Deliveries.lapse(_market, _wiring(), leaseId);
    }

    /// @inheritdoc ITaskRegistry
    function failLease(bytes32 leaseId, uint32 attempt, bytes32 reason) external {
        Leases.fail(_market, _wiring(), leaseId, attempt, reason, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function failover(bytes32 leaseId) external {
        Leases.failover(_market, _wiring(), leaseId);
    }

    /// @inheritdoc ITaskRegistry
    function cancelTask(bytes32 taskId) external {
        Leases.cancel(_market, _wiring(), taskId, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function approve(bytes32 leaseId) external {
        Leases.approve(_market, _wiring(), leaseId, _msgSender());
    }

    /// @inheritdoc ITaskRegistry
    function settle(bytes32 leaseId) external {
        Leases.settle(_market, _wiring(), leaseId);
    }

    /// @inheritdoc ITaskRegistry
    function expire(bytes32 leaseId) external {
        Leases.expire(_market, _wiring(), leaseId);
    }

    /// @inheritdoc ITaskRegistry
    function proveEquivocation(
        OutputAttestation calldata first,
        bytes calldata firstSignature,
        OutputAttestation calldata second,
        bytes calldata secondSignature
    ) external {
        Evidence.proveEquivocation(
            _market, _wiring(), first, firstSignature, second, secondSignature, _msgSender()
        );
    }

    /// @inheritdoc ITaskRegistry
    function setParameters(TaskParameters calldata parameters_) external restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc ITaskRegistry
    function getTask(bytes32 taskId) external view returns (Task memory) {
        return _market.tasks[taskId];
    }

    /// @inheritdoc ITaskRegistry
    function termsOf(bytes32 taskId) external view returns (Terms memory) {
        return _market.termsOf(_market.tasks[taskId]);
    }

    /// @inheritdoc ITaskRegistry
    function getLease(bytes32 leaseId) external view returns (Lease memory) {
        return _market.leases[leaseId];
    }

    /// @inheritdoc ITaskRegistry
    function getGang(bytes32 taskId) external view returns (Gang memory) {
        return _market.gangs[taskId];
    }

    /// @inheritdoc ITaskRegistry
    function getPastAttempt(bytes32 leaseId, uint32 attempt) external view returns (PastAttempt memory) {
        return _market.past[leaseId][attempt];
    }

    /// @inheritdoc ITaskRegistry
    function getBallot(bytes32 taskId) external view returns (Ballot memory) {
        return _market.ballots[taskId];
    }

    /// @inheritdoc ITaskRegistry
    function getClaim(bytes32 leaseId) external view returns (DeliveryClaim memory) {
        return _market.claims[leaseId];
    }

    /// @inheritdoc ITaskRegistry
    function deadlineOf(bytes32 leaseId) external view returns (uint64) {
        return Deadlines.current(_market, leaseId, _market.leases[leaseId]);
    }

    /// @inheritdoc ITaskRegistry
    function keyVersionGranted(bytes32 taskId, address node) external view returns (uint32) {
        return _market.granted[taskId][node];
    }

    /// @inheritdoc ITaskRegistry
    function isQuoteVoid(address node, uint256 nonce) external view returns (bool) {
        return Quotes.isVoid(_market, node, nonce);
    }

    /// @inheritdoc ITaskRegistry
    function nonces(address consumer) external view returns (uint256) {
        return _market.nonces[consumer];
    }

    /// @inheritdoc ITaskRegistry
    function admittedAt(bytes32 taskId, address node) external view returns (uint64) {
        return Awards.admittedAt(_market, _wiring(), taskId, _market.tasks[taskId].createdAt, node);
    }

    /// @inheritdoc ITaskRegistry
    function takeOverFrom(bytes32 leaseId, address node) external view returns (uint64) {
        return Awards.takeOverFrom(_market, _wiring(), leaseId, node);
    }

    /// @inheritdoc ITaskRegistry
    function terms() external view returns (Terms memory) {
        return _market.parameters.terms;
    }

    /// @inheritdoc ITaskRegistry
    function parameters() external view returns (TaskParameters memory) {
        return _market.parameters;
    }

    /// @inheritdoc ITaskRegistry
    function parameterBounds() external view returns (TaskParameters memory min, TaskParameters memory max) {
        return (_min, _max);
    }

    /// @inheritdoc ITaskRegistry
    function attestationHash(OutputAttestation calldata attestation) external view returns (bytes32) {
        return _hashTypedDataV4(Attestations.structHash(attestation));
    }

    /// @inheritdoc ITaskRegistry
    function quoteHash(Quote calldata quote) external view returns (bytes32) {
        return _hashTypedDataV4(Quotes.structHash(quote));
    }

    /// @inheritdoc ITaskRegistry
    function verdictHash(bytes32 leaseId, bool fetched) external view returns (bytes32) {
        Lease storage lease = _market.leases[leaseId];
        return Deliveries.verdictHash(
            _domainSeparatorV4(), leaseId, lease, _market.claims[leaseId].claimedAt, fetched
        );
    }

    /// @inheritdoc ITaskRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ITaskRegistry
    function taskIdOf(address consumer, uint256 nonce, bytes32 orderHash) external view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), consumer, nonce, orderHash));
    }

    /// @inheritdoc ITaskRegistry
    function leaseIdOf(bytes32 taskId, uint32 index) external pure returns (bytes32) {
        return Markets.leaseIdOf(taskId, index);
    }

    /// @dev Each change is a new version: the orders of before keep theirs (rule 10).
    function _setParameters(TaskParameters memory parameters_) private {
        ParameterBounds.check(abi.encode(parameters_), abi.encode(_min), abi.encode(_max));
        _market.parameters = parameters_;
        _market.terms.push(parameters_.terms);
        emit ParametersChanged(parameters_);
    }

    function _wiring() private view returns (Wiring memory) {
        return Wiring(
            INodeRegistry(nodeRegistry), IPaymentEscrow(paymentEscrow), ILiveness(liveness), _domainSeparatorV4()
        );
    }

    function _msgSender() internal view override(Context, ERC2771Context) returns (address) {
        return ERC2771Context._msgSender();
    }

    function _msgData() internal view override(Context, ERC2771Context) returns (bytes calldata) {
        return ERC2771Context._msgData();
    }

    function _contextSuffixLength() internal view override(Context, ERC2771Context) returns (uint256) {
        return ERC2771Context._contextSuffixLength();
    }
}
