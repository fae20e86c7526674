// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token that answers false instead of reverting, and moves nothing, while it is told to
contract FalseReturningToken is ERC20("Liar", "LIE") {
    bool public lying;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setLying(bool lies) external {
        lying = lies;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return !lying && super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return !lying && super.transferFrom(from, to, amount);
    }
}
