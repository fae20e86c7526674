// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Demo dollar
/// @notice A worthless 6-decimals token with permit that anyone may mint: for tests and the local network only.
contract DemoDollar is ERC20Permit {
    constructor() ERC20("Demo Dollar", "dUSD") ERC20Permit("Demo Dollar") {}

    /// @notice Mints `amount` base units to `to`. Anyone.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Cents of cents of cents: 6, as the dollar tokens of production have.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
