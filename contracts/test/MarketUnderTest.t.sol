// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Forwarder} from "../Forwarder.sol";
import {Liveness} from "../Liveness.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {PaymentEscrow} from "../PaymentEscrow.sol";
import {TaskRegistry} from "../TaskRegistry.sol";
import {Governance} from "../governance/Governance.sol";
import {LivenessParameters} from "../interfaces/ILiveness.sol";
import {NodeParameters, TaskParameters, Terms} from "../interfaces/Types.sol";
import {Cheats} from "./Cheats.sol";
import {DemoDollar} from "./DemoDollar.sol";

/// @title The contracts, deployed in the order of `ignition/modules/Market.ts`
/// @notice Windows are short, so that a run of a hundred calls crosses them; none is zero.
abstract contract MarketUnderTest is Cheats {
    uint32 internal constant EVIDENCE_PERIOD = 1200; // seconds
    uint32 internal constant MIN_BILLED = 10; // seconds

    address internal immutable governor = address(0xA11CE);
    address internal immutable feeRecipient = address(0xFEE);

    DemoDollar internal token;
    Governance internal governance;
    TaskRegistry internal tasks;
    NodeRegistry internal nodes;
    PaymentEscrow internal escrow;
    Liveness internal liveness;
    Forwarder internal forwarder;

    function deployMarket() internal {
        token = new DemoDollar();
        forwarder = new Forwarder();
        uint256 nonce = vm.getNonce(address(this));
        address tasksAt = vm.computeCreateAddress(address(this), nonce + 1);
        address nodesAt = vm.computeCreateAddress(address(this), nonce + 2);
        address escrowAt = vm.computeCreateAddress(address(this), nonce + 3);
        address livenessAt = vm.computeCreateAddress(address(this), nonce + 4);
        address[] memory pausable = new address[](2);
        (pausable[0], pausable[1]) = (tasksAt, nodesAt);
        governance = new Governance(governor, 0, governor, pausable);
        tasks = new TaskRegistry(
            address(governance),
            address(forwarder),
            nodesAt,
            escrowAt,
            livenessAt,
            parametersOf(300),
            parametersOf(0),
            boundOf()
        );
        nodes = new NodeRegistry(
            address(governance),
            tasksAt,
            escrowAt,
            livenessAt,
            EVIDENCE_PERIOD,
            NodeParameters(1000, 100),
            NodeParameters(0, 0),
            NodeParameters(1e9, 1e9)
        );
        escrow = new PaymentEscrow(address(token), address(forwarder), feeRecipient, tasksAt, nodesAt);
        liveness = new Liveness(
            address(governance),
            nodesAt,
            LivenessParameters(40, 5, 8, 12, 2, 1, 100),
            LivenessParameters(1, 1, 0, 1, 1, 1, 0),
            LivenessParameters(1000, 100, 100, 100, 10, 16, 1e9)
        );
    }

    function parametersOf(uint16 feeBps) internal pure returns (TaskParameters memory) {
        Terms memory terms = Terms({
            challengeWindow: 100,
            completionGrace: 30,
            outageGrace: 20,
            drift: 60,
            minBilled: MIN_BILLED,
            minCheckpointInterval: 5,
            minRetention: 0,
            feeBps: feeBps,
            lockBps: 2000,
            minLock: 10,
            ticketAge: 0,
            widenTime: 0,
            firstShareBps: 1000,
            grantWindow: 40,
            replaceWindow: 50,
            gangFaultWindow: 20,
            minRun: 5,
            standbyBps: 5000,
            revealWindow: 40,
            noQuorumBps: 5000,
            answerWindow: 60,
            claimBond: 50
        });
        return TaskParameters(terms, 60, 1000, 1000, 60);
    }

    function boundOf() private pure returns (TaskParameters memory max) {
        max = parametersOf(500);
        max.terms.challengeWindow = 1000;
        max.terms.lockBps = 10_000;
    }
}
