// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A token whose balances all change when its issuer says so
contract RebasingToken {
    /// @notice What a share is worth, in hundredths of a base unit.
    uint256 public index = 100;
    mapping(address account => uint256) private _shares;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    error TooFewShares(address account, uint256 shares, uint256 needed);

    function mint(address to, uint256 amount) external {
        _shares[to] += amount * 100 / index;
    }

    function rebase(uint256 newIndex) external {
        index = newIndex;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function balanceOf(address account) external view returns (uint256) {
        return _shares[account] * index / 100;
    }

    function _move(address from, address to, uint256 amount) private {
        uint256 shares = amount * 100 / index;
        if (shares > _shares[from]) revert TooFewShares(from, _shares[from], shares);
        _shares[from] -= shares;
        _shares[to] += shares;
    }
}
