// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC2771Context} from "@openzeppelin/contracts/metatx/ERC2771Context.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "./interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "./interfaces/ITaskRegistry.sol";
import {Payment} from "./interfaces/Types.sol";
import {Billing} from "./libraries/Billing.sol";
import {Peers} from "./libraries/Peers.sol";

/// @title The accounts
/// @notice Invariants, each a test of the same name in `contracts/test/Money.t.sol`:
/// - BalanceCoversEveryClaim: the token balance is at least free + reserved + earnings + fees + bonds + stake + forfeited.
/// - EveryTokenIsSomebodys: what was deposited and not sent on is in one of those accounts, to the last base unit.
/// - TotalsAreTheirParts: each total equals the sum of its accounts.
/// - NoLeasePaidAboveReserve: the attempts of a lease together are never paid more than it reserved, and none twice.
/// - ReservationIsTheLiveLeases: a task's reservation is what its leases that have not ended still reserve.
/// - EndedTasksHoldNothing: a task whose leases have all ended has no reservation.
/// - BondsAreTheOpenClaims: the bonds held are those of the delivery claims that wait for their answer.
/// - NoRoleMovesTokens: tokens leave only to their owner's choice, the fixed fee recipient or the dead address.
contract PaymentEscrow is IPaymentEscrow, ReentrancyGuardTransient, ERC2771Context {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    struct Reservation {
        address consumer;
        uint96 amount;
    }

    address private constant DEAD = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant MAX_REWARD_BPS = 2000; // of a slash (rule 3)

    /// @inheritdoc IPaymentEscrow
    address public immutable token;
    /// @inheritdoc IPaymentEscrow
    address public immutable feeRecipient;
    /// @inheritdoc IPaymentEscrow
    address public immutable taskRegistry;
    /// @inheritdoc IPaymentEscrow
    address public immutable nodeRegistry;

    /// @inheritdoc IPaymentEscrow
    mapping(address account => uint256) public freeOf;
    /// @inheritdoc IPaymentEscrow
    mapping(address owner => uint256) public earningsOf;
    /// @inheritdoc IPaymentEscrow
    mapping(address consumer => uint256) public reservedOf;
    /// @inheritdoc IPaymentEscrow
    mapping(address node => uint256) public stakeOf;

    mapping(bytes32 taskId => Reservation) private _reservations;

    /// @inheritdoc IPaymentEscrow
    uint256 public totalBonds;

    uint256 private _totalFree;
    uint256 private _totalReserved;
    uint256 private _totalEarnings;
    uint256 private _totalStake;
    uint256 private _fees;
    uint256 private _forfeited;

    modifier onlyTaskRegistry() {
        if (msg.sender != taskRegistry) revert OnlyTaskRegistry(msg.sender);
        _;
    }

    modifier onlyNodeRegistry() {
        if (msg.sender != nodeRegistry) revert OnlyNodeRegistry(msg.sender);
        _;
    }

    /// @dev Deployed last of the three: checks that all of them agree on each other.
    constructor(
        address token_,
        address forwarder,
        address feeRecipient_,
        address taskRegistry_,
        address nodeRegistry_
    ) ERC2771Context(forwarder) {
        if (feeRecipient_ == address(0) || feeRecipient_ == address(this)) revert InvalidRecipient(feeRecipient_);
        Peers.requirePointer(taskRegistry_, ITaskRegistry.nodeRegistry.selector, nodeRegistry_);
        Peers.requirePointer(taskRegistry_, ITaskRegistry.paymentEscrow.selector, address(this));
        Peers.requirePointer(nodeRegistry_, INodeRegistry.taskRegistry.selector, taskRegistry_);
        Peers.requirePointer(nodeRegistry_, INodeRegistry.paymentEscrow.selector, address(this));
        token = token_;
        feeRecipient = feeRecipient_;
        taskRegistry = taskRegistry_;
        nodeRegistry = nodeRegistry_;
    }

    /// @inheritdoc IPaymentEscrow
    function deposit(uint256 amount) external nonReentrant returns (uint256 credited) {
        return _deposit(_msgSender(), amount);
    }

    /// @inheritdoc IPaymentEscrow
    function depositFor(address account, uint256 amount) external nonReentrant returns (uint256 credited) {
        if (account == address(0)) revert InvalidRecipient(account);
        return _deposit(account, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function depositWithPermit(
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint256 credited) {
        // A permit seen in the mempool may have been used by somebody else: the allowance is then there already.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(token).permit(_msgSender(), address(this), amount, deadline, v, r, s) {} catch {}
        return _deposit(_msgSender(), amount);
    }

    /// @inheritdoc IPaymentEscrow
    function withdraw(address to, uint256 amount) external nonReentrant {
        _takeFree(_msgSender(), amount);
        emit Withdrawn(_msgSender(), to, amount);
        _send(to, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function transferFree(address to, uint256 amount) external nonReentrant {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        if (amount == 0) revert ZeroAmount();
        address from = _msgSender();
        _takeFree(from, amount);
        _giveFree(to, amount);
        emit Transferred(from, to, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function withdrawEarnings(address to, uint256 amount) external nonReentrant {
        uint256 earnings = earningsOf[_msgSender()];
        if (amount > earnings) revert InsufficientEarnings(_msgSender(), amount, earnings);
        earningsOf[_msgSender()] = earnings - amount;
        _totalEarnings -= amount;
        emit EarningsWithdrawn(_msgSender(), to, amount);
        _send(to, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function withdrawFees() external nonReentrant returns (uint256 amount) {
        amount = _fees;
        _fees = 0;
        emit FeesWithdrawn(feeRecipient, amount);
        _send(feeRecipient, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function burnForfeited() external nonReentrant returns (uint256 amount) {
        amount = _forfeited;
        _forfeited = 0;
        emit ForfeitedBurned(amount);
        _send(DEAD, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function reserve(address consumer, bytes32 taskId, uint256 amount) external onlyTaskRegistry nonReentrant {
        Reservation storage held = _reservations[taskId];
        _takeFree(consumer, amount);
        held.consumer = consumer;
        held.amount += amount.toUint96();
        reservedOf[consumer] += amount;
        _totalReserved += amount;
        emit Reserved(consumer, taskId, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function pay(Payment calldata payment) external onlyTaskRegistry nonReentrant returns (uint256 gross) {
        Reservation storage held = _reservations[payment.taskId];
        address consumer = held.consumer;
        uint64 billed = payment.ranSeconds - payment.downSeconds;
        gross = Billing.gross(payment.ratePerHour, billed, payment.reserved);
        uint256 freed = payment.isFinal ? payment.reserved : gross;
        if (freed > held.amount) revert ReservationTooSmall(payment.taskId, freed, held.amount);
        held.amount -= uint96(freed);
        reservedOf[consumer] -= freed;
        _totalReserved -= freed;

        if (payment.ranSeconds != 0) _credit(payment, consumer, gross);
        uint256 rest = freed - gross;
        if (rest != 0) {
            _giveFree(consumer, rest);
            emit Released(consumer, payment.taskId, rest);
        }
    }

    /// @inheritdoc IPaymentEscrow
    function postBond(address account, bytes32 leaseId, uint256 amount) external onlyTaskRegistry nonReentrant {
        _takeFree(account, amount);
        totalBonds += amount;
        emit BondPosted(account, leaseId, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function returnBond(address account, bytes32 leaseId, uint256 amount) external onlyTaskRegistry nonReentrant {
        totalBonds -= amount;
        _giveFree(account, amount);
        emit BondReturned(account, leaseId, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function awardBond(address owner, bytes32 leaseId, uint256 amount) external onlyTaskRegistry nonReentrant {
        totalBonds -= amount;
        _earn(owner, amount);
        emit BondAwarded(owner, leaseId, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function moveToStake(address owner, address node, uint256 amount) external onlyNodeRegistry nonReentrant {
        _takeFree(owner, amount);
        stakeOf[node] += amount;
        _totalStake += amount;
        emit StakeMoved(node, owner, amount, true);
    }

    /// @inheritdoc IPaymentEscrow
    function returnStake(address owner, address node, uint256 amount) external onlyNodeRegistry nonReentrant {
        _takeStake(node, amount);
        _giveFree(owner, amount);
        emit StakeMoved(node, owner, amount, false);
    }

    /// @inheritdoc IPaymentEscrow
    function compensate(
        address node,
        bytes32 leaseId,
        uint256 amount,
        address owner
    ) external onlyNodeRegistry nonReentrant {
        _takeStake(node, amount);
        _earn(owner, amount);
        emit Compensated(leaseId, node, owner, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function migrateStake(address from, address to) external onlyNodeRegistry nonReentrant {
        uint256 amount = stakeOf[from];
        stakeOf[from] = 0;
        stakeOf[to] += amount;
        emit StakeMigrated(from, to, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function forfeitStake(
        address node,
        uint256 amount,
        uint256 reward,
        address reporter
    ) external onlyNodeRegistry nonReentrant returns (uint256 taken) {
        uint256 stake = stakeOf[node];
        taken = amount < stake ? amount : stake;
        uint256 maxReward = taken * MAX_REWARD_BPS / Billing.BPS;
        uint256 paid = reward < maxReward ? reward : maxReward;
        stakeOf[node] = stake - taken;
        _totalStake -= taken;
        _forfeited += taken - paid;
        _giveFree(reporter, paid);
        emit StakeForfeited(node, taken - paid, paid, reporter);
    }

    /// @inheritdoc IPaymentEscrow
    function reservedFor(bytes32 taskId) external view returns (address consumer, uint256 amount) {
        Reservation storage held = _reservations[taskId];
        return (held.consumer, held.amount);
    }

    /// @inheritdoc IPaymentEscrow
    function totals()
        external
        view
        returns (uint256 free, uint256 reserved, uint256 earnings, uint256 fees, uint256 stake, uint256 forfeited)
    {
        return (_totalFree, _totalReserved, _totalEarnings, _fees, _totalStake, _forfeited);
    }

    function _deposit(address account, uint256 amount) private returns (uint256 credited) {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(_msgSender(), address(this), amount);
        credited = IERC20(token).balanceOf(address(this)) - before;
        if (credited == 0) revert ZeroAmount();
        _giveFree(account, credited);
        emit Deposited(account, _msgSender(), credited);
    }

    function _send(address to, uint256 amount) private {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        if (amount == 0) revert ZeroAmount();
        IERC20(token).safeTransfer(to, amount);
    }

    /// @dev The fee comes out of the gross pay, the rest is the owner's.
    function _credit(Payment calldata payment, address consumer, uint256 gross) private {
        uint256 fee = Billing.fee(gross, payment.feeBps);
        _fees += fee;
        if (gross != fee) _earn(payment.owner, gross - fee);
        emit Paid(
            payment.leaseId,
            consumer,
            payment.owner,
            payment.taskId,
            payment.attempt,
            payment.ranSeconds,
            payment.downSeconds,
            payment.ratePerHour,
            gross,
            fee
        );
    }

    function _earn(address owner, uint256 amount) private {
        earningsOf[owner] += amount;
        _totalEarnings += amount;
    }

    function _takeStake(address node, uint256 amount) private {
        uint256 stake = stakeOf[node];
        if (amount > stake) revert InsufficientStake(node, amount, stake);
        stakeOf[node] = stake - amount;
        _totalStake -= amount;
    }

    function _giveFree(address account, uint256 amount) private {
        freeOf[account] += amount;
        _totalFree += amount;
    }

    function _takeFree(address account, uint256 amount) private {
        uint256 free = freeOf[account];
        if (amount > free) revert InsufficientFree(account, amount, free);
        freeOf[account] = free - amount;
        _totalFree -= amount;
    }
}
