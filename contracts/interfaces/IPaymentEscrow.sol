// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Payment} from "./Types.sol";

/// @title The accounts
/// @notice Holds every token: free balances, reservations, earnings, fees and stake. Invariant: the token balance covers
/// `free + reserved + earnings + fees + bonds + stake + forfeited`. Every movement is an event, so a statement can be rebuilt from the chain alone.
interface IPaymentEscrow {
    event Deposited(address indexed account, address indexed from, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    /// @notice Free balance given to another account, as to somebody who carries the caller's transactions.
    event Transferred(address indexed from, address indexed to, uint256 amount);
    event Reserved(address indexed consumer, bytes32 indexed taskId, uint256 amount);
    event Paid(
        bytes32 indexed leaseId,
        address indexed consumer,
        address indexed owner,
        bytes32 taskId,
        uint32 attempt,
        uint64 ranSeconds,
        uint64 downSeconds,
        uint128 ratePerHour,
        uint256 gross,
        uint256 fee
    );
    event Released(address indexed consumer, bytes32 indexed taskId, uint256 amount);
    /// @notice Out of a node's stake into the earnings of an owner whose node waited for it in a gang.
    event Compensated(bytes32 indexed leaseId, address indexed node, address indexed owner, uint256 amount);
    event BondPosted(address indexed account, bytes32 indexed leaseId, uint256 amount);
    event BondReturned(address indexed account, bytes32 indexed leaseId, uint256 amount);
    event BondAwarded(address indexed owner, bytes32 indexed leaseId, uint256 amount);
    event EarningsWithdrawn(address indexed owner, address indexed to, uint256 amount);
    event FeesWithdrawn(address indexed to, uint256 amount);
    event StakeMoved(address indexed node, address indexed owner, uint256 amount, bool intoStake);
    event StakeMigrated(address indexed from, address indexed to, uint256 amount);
    event StakeForfeited(address indexed node, uint256 burned, uint256 reward, address indexed reporter);
    event ForfeitedBurned(uint256 amount);

    error OnlyTaskRegistry(address caller);
    error OnlyNodeRegistry(address caller);
    error InvalidRecipient(address to);
    error ZeroAmount();
    error InsufficientFree(address account, uint256 wanted, uint256 free);
    error InsufficientEarnings(address owner, uint256 wanted, uint256 earnings);
    error InsufficientStake(address node, uint256 wanted, uint256 stake);
    error ReservationTooSmall(bytes32 taskId, uint256 wanted, uint256 reserved);

    /// @notice Credits the caller with what arrives (the balance's difference).
    function deposit(uint256 amount) external returns (uint256 credited);
    function depositFor(address account, uint256 amount) external returns (uint256 credited);
    /// @notice As `deposit`, with an ERC-2612 permit that may already have been used.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external returns (uint256 credited);
    /// @notice Sends the caller's free balance to any address.
    function withdraw(address to, uint256 amount) external;
    /// @notice Gives some of the caller's free balance to another account.
    function transferFree(address to, uint256 amount) external;
    /// @notice Sends the caller's earnings to any address.
    function withdrawEarnings(address to, uint256 amount) external;
    /// @notice Sends the accrued fees to the fee recipient fixed at deployment. Anyone.
    function withdrawFees() external returns (uint256 amount);
    /// @notice Sends forfeited stake where nobody can use it. Anyone.
    function burnForfeited() external returns (uint256 amount);

    /// @notice TaskRegistry only: moves free balance into a task's reservation.
    function reserve(address consumer, bytes32 taskId, uint256 amount) external;
    /// @notice TaskRegistry only: pays one attempt of a lease: gross = floor(rate x (ran - down) / 3600), never above the
    /// lease's part of the reservation; a final payment releases the rest of that part.
    function pay(Payment calldata payment) external returns (uint256 gross);
    /// @notice TaskRegistry only: moves free balance into a bond.
    function postBond(address account, bytes32 leaseId, uint256 amount) external;
    /// @notice TaskRegistry only: moves a bond back into free balance.
    function returnBond(address account, bytes32 leaseId, uint256 amount) external;
    /// @notice TaskRegistry only: moves a bond into an owner's earnings.
    function awardBond(address owner, bytes32 leaseId, uint256 amount) external;
    /// @notice NodeRegistry only.
    function moveToStake(address owner, address node, uint256 amount) external;
    /// @notice NodeRegistry only.
    function returnStake(address owner, address node, uint256 amount) external;
    /// @notice NodeRegistry only: moves stake into an owner's earnings.
    function compensate(address node, bytes32 leaseId, uint256 amount, address owner) external;
    /// @notice NodeRegistry only: moves all stake of one node to another.
    function migrateStake(address from, address to) external;
    /// @notice NodeRegistry only: takes min(amount, stake), credits the reporter's free balance with the reward; the rest is forfeited for good.
    function forfeitStake(address node, uint256 amount, uint256 reward, address reporter) external returns (uint256 taken);

    /// @notice The payment token (ERC-20).
    function token() external view returns (address);
    /// @notice Where fees go; fixed at deployment.
    function feeRecipient() external view returns (address);
    function taskRegistry() external view returns (address);
    function nodeRegistry() external view returns (address);
    function freeOf(address account) external view returns (uint256);
    function earningsOf(address owner) external view returns (uint256);
    /// @notice What a task's leases still hold back of its consumer's money.
    function reservedFor(bytes32 taskId) external view returns (address consumer, uint256 amount);
    function reservedOf(address consumer) external view returns (uint256);
    function stakeOf(address node) external view returns (uint256);
    /// @notice All bonds that are posted.
    function totalBonds() external view returns (uint256);
    function totals()
        external
        view
        returns (uint256 free, uint256 reserved, uint256 earnings, uint256 fees, uint256 stake, uint256 forfeited);
}
