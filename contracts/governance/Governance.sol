// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ILapsingPause} from "./ILapsingPause.sol";

/// @title Who may set parameters and pause
/// @notice OpenZeppelin's AccessManager with its roles set at birth, so the deployer never holds any power:
/// the governor acts on parameters after a delay, the guardian may pause and unpause at once. Neither reaches money.
contract Governance is AccessManager {
    /// @notice Role that may pause and unpause without delay.
    uint64 public constant PAUSER_ROLE = 1;

    /// @param governor Admin; each of its calls waits `executionDelay` seconds in public.
    /// @param guardian First holder of `PAUSER_ROLE`.
    /// @param pausable The contracts that the guardian may pause.
    constructor(
        address governor,
        uint32 executionDelay,
        address guardian,
        address[] memory pausable
    ) AccessManager(address(this)) {
        _grantRole(ADMIN_ROLE, governor, 0, executionDelay);
        _revokeRole(ADMIN_ROLE, address(this));
        _grantRole(PAUSER_ROLE, guardian, 0, 0);
        emit RoleLabel(PAUSER_ROLE, "PAUSER");
        for (uint256 i = 0; i < pausable.length; ++i) {
            _setTargetFunctionRole(pausable[i], ILapsingPause.pause.selector, PAUSER_ROLE);
            _setTargetFunctionRole(pausable[i], ILapsingPause.unpause.selector, PAUSER_ROLE);
        }
    }
}
