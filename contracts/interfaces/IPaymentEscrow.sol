// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The accounts
/// @notice Holds every token: free balances, reservations, earnings, fees and stake. Invariant: the token balance covers
/// `free + reserved + earnings + fees + stake + forfeited`. Every movement is an event, so a statement can be rebuilt from the chain alone.
interface IPaymentEscrow {
    event Deposited(address indexed account, address indexed from, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event Reserved(address indexed consumer, bytes32 indexed taskId, bytes32 indexed leaseId, uint256 amount);
    event Paid(
        bytes32 indexed leaseId,
        address indexed consumer,
        address indexed owner,
        bytes32 taskId,
        uint64 billedSeconds,
        uint128 ratePerHour,
        uint256 gross,
        uint256 fee
    );
    event Released(address indexed consumer, bytes32 indexed taskId, bytes32 indexed leaseId, uint256 amount);
    event EarningsWithdrawn(address indexed owner, address indexed to, uint256 amount);
    event FeesWithdrawn(address indexed to, uint256 amount);
    event StakeMoved(address indexed node, address indexed owner, uint256 amount, bool intoStake);
    event StakeForfeited(address indexed node, uint256 burned, uint256 reward, address indexed reporter);
    event ForfeitedBurned(uint256 amount);

    error OnlyTaskRegistry(address caller);
    error OnlyNodeRegistry(address caller);
    error InvalidRecipient(address to);
    error ZeroAmount();
    error InsufficientFree(address account, uint256 wanted, uint256 free);
    error InsufficientEarnings(address owner, uint256 wanted, uint256 earnings);
    error InsufficientStake(address node, uint256 wanted, uint256 stake);
    error AlreadyReserved(bytes32 leaseId);
    error NothingReserved(bytes32 leaseId);

    /// @notice Credits the caller with what arrives (the balance's difference).
    function deposit(uint256 amount) external returns (uint256 credited);
    function depositFor(address account, uint256 amount) external returns (uint256 credited);
    /// @notice As `deposit`, with an ERC-2612 permit that may already have been used.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external returns (uint256 credited);
    /// @notice Sends the caller's free balance to any address.
    function withdraw(address to, uint256 amount) external;
    /// @notice Sends the caller's earnings to any address.
    function withdrawEarnings(address to, uint256 amount) external;
    /// @notice Sends the accrued fees to the fee recipient fixed at deployment. Anyone.
    function withdrawFees() external returns (uint256 amount);
    /// @notice Sends forfeited stake where nobody can use it. Anyone.
    function burnForfeited() external returns (uint256 amount);

    /// @notice TaskRegistry only: moves free balance into a lease's reservation.
    function reserve(address consumer, bytes32 taskId, bytes32 leaseId, uint256 amount) external;
    /// @notice TaskRegistry only: pays a lease once (gross = floor(rate x seconds / 3600), never above its reservation) and releases the rest.
    function settleLease(
        bytes32 leaseId, address owner, uint64 billedSeconds, uint128 ratePerHour, uint16 feeBps
    ) external returns (uint256 gross, uint256 fee);
    /// @notice NodeRegistry only.
    function moveToStake(address owner, address node, uint256 amount) external;
    /// @notice NodeRegistry only.
    function returnStake(address owner, address node, uint256 amount) external;
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
    function reservedFor(bytes32 leaseId) external view returns (address consumer, bytes32 taskId, uint256 amount);
    function reservedOf(address consumer) external view returns (uint256);
    function stakeOf(address node) external view returns (uint256);
    function totals()
        external
        view
        returns (uint256 free, uint256 reserved, uint256 earnings, uint256 fees, uint256 stake, uint256 forfeited);
}
