// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IPaymentEscrow} from "./interfaces/IPaymentEscrow.sol";
import {ITaskRegistry} from "./interfaces/ITaskRegistry.sol";
import {Billing} from "./libraries/Billing.sol";
import {Peers} from "./libraries/Peers.sol";

/// @title The accounts
/// @notice Invariants, each a test of the same name in `contracts/test/Money.t.sol`:
/// - BalanceCoversEveryClaim: the token balance is at least free + reserved + earnings + fees + stake + forfeited.
/// - EveryTokenIsSomebodys: what was deposited and not sent on is in one of those accounts, to the last base unit.
/// - TotalsAreTheirParts: each total equals the sum of its accounts.
/// - NoLeasePaidAboveReserve: no lease is ever paid more than it reserved, and none twice.
/// - EndedTasksHoldNothing: a lease that has ended has no reservation.
/// - NoRoleMovesTokens: tokens leave only to their owner's choice, the fixed fee recipient or the dead address.
contract PaymentEscrow is IPaymentEscrow, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Reservation {
        address consumer;
        bytes32 taskId;
        uint256 amount;
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

    mapping(bytes32 leaseId => Reservation) private _reservations;

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
    constructor(address token_, address feeRecipient_, address taskRegistry_, address nodeRegistry_) {
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
        return _deposit(msg.sender, amount);
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
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        return _deposit(msg.sender, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function withdraw(address to, uint256 amount) external nonReentrant {
        _takeFree(msg.sender, amount);
        emit Withdrawn(msg.sender, to, amount);
        _send(to, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function withdrawEarnings(address to, uint256 amount) external nonReentrant {
        uint256 earnings = earningsOf[msg.sender];
        if (amount > earnings) revert InsufficientEarnings(msg.sender, amount, earnings);
        earningsOf[msg.sender] = earnings - amount;
        _totalEarnings -= amount;
        emit EarningsWithdrawn(msg.sender, to, amount);
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
    function reserve(
        address consumer,
        bytes32 taskId,
        bytes32 leaseId,
        uint256 amount
    ) external onlyTaskRegistry nonReentrant {
        if (_reservations[leaseId].consumer != address(0)) revert AlreadyReserved(leaseId);
        _takeFree(consumer, amount);
        _reservations[leaseId] = Reservation(consumer, taskId, amount);
        reservedOf[consumer] += amount;
        _totalReserved += amount;
        emit Reserved(consumer, taskId, leaseId, amount);
    }

    /// @inheritdoc IPaymentEscrow
    function settleLease(
        bytes32 leaseId,
        address owner,
        uint64 billedSeconds,
        uint128 ratePerHour,
        uint16 feeBps
    ) external onlyTaskRegistry nonReentrant returns (uint256 gross, uint256 fee) {
        Reservation memory held = _reservations[leaseId];
        if (held.consumer == address(0)) revert NothingReserved(leaseId);
        delete _reservations[leaseId];
        reservedOf[held.consumer] -= held.amount;
        _totalReserved -= held.amount;

        gross = Billing.gross(ratePerHour, billedSeconds, held.amount);
        if (billedSeconds != 0) {
            fee = Billing.fee(gross, feeBps);
            _fees += fee;
            earningsOf[owner] += gross - fee;
            _totalEarnings += gross - fee;
            emit Paid(leaseId, held.consumer, owner, held.taskId, billedSeconds, ratePerHour, gross, fee);
        }
        _giveFree(held.consumer, held.amount - gross);
        emit Released(held.consumer, held.taskId, leaseId, held.amount - gross);
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
        uint256 stake = stakeOf[node];
        if (amount > stake) revert InsufficientStake(node, amount, stake);
        stakeOf[node] = stake - amount;
        _totalStake -= amount;
        _giveFree(owner, amount);
        emit StakeMoved(node, owner, amount, false);
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
    function reservedFor(bytes32 leaseId) external view returns (address consumer, bytes32 taskId, uint256 amount) {
        Reservation storage held = _reservations[leaseId];
        return (held.consumer, held.taskId, held.amount);
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
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        credited = IERC20(token).balanceOf(address(this)) - before;
        if (credited == 0) revert ZeroAmount();
        _giveFree(account, credited);
        emit Deposited(account, msg.sender, credited);
    }

    function _send(address to, uint256 amount) private {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        if (amount == 0) revert ZeroAmount();
        IERC20(token).safeTransfer(to, amount);
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
