// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token that calls back into its victim during a transfer, as its own depositor
contract ReentrantToken is ERC20("Echo", "ECHO") {
    address public victim;
    bytes public callback;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice From now on, every transfer first sends `data` to `to`.
    function arm(address to, bytes calldata data) external {
        victim = to;
        callback = data;
    }

    /// @notice Sends a call as this contract, so that it can have a balance of its own.
    function act(address to, bytes calldata data) external {
        _forward(to, data);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (victim != address(0) && from != address(0)) _forward(victim, callback);
        super._update(from, to, value);
    }

    function _forward(address to, bytes memory data) private {
        // The callback is arbitrary: that is the attack.
        // solhint-disable-next-line avoid-low-level-calls
        (bool success, bytes memory answer) = to.call(data);
        if (success) return;
        // Passes the revert on as it is.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }
}
