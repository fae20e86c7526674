// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token whose issuer freezes accounts, as those of the large dollar tokens do, and which takes no permit
contract FreezingToken is ERC20("Frozen", "ICE") {
    mapping(address account => bool) public isFrozen;

    error AccountFrozen(address account);
    error PermitRefused(address owner);

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFrozen(address account, bool frozen) external {
        isFrozen[account] = frozen;
    }

    /// @dev The function is there, and always reverts.
    function permit(address owner, address, uint256, uint256, uint8, bytes32, bytes32) external pure {
        revert PermitRefused(owner);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (isFrozen[from]) revert AccountFrozen(from);
        if (isFrozen[to]) revert AccountFrozen(to);
        super._update(from, to, value);
    }
}
