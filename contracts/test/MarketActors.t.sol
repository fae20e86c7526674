// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Lease, LeaseStatus, OutputAttestation, Profile} from "../interfaces/Types.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {PaymentEscrow} from "../PaymentEscrow.sol";
import {TaskRegistry} from "../TaskRegistry.sol";
import {DemoDollar} from "./DemoDollar.sol";
import {MarketUnderTest} from "./MarketUnderTest.t.sol";

/// @title The people of the market under test, and what is remembered of their calls
/// @notice Three consumers, and two owners with two nodes each.
abstract contract MarketActors is MarketUnderTest {
    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(address owner,address operator,bytes32 encryptionKey,bytes32 profileDigest,uint256 deadline)"
    );

    address[] internal _consumers = [address(0xC1), address(0xC2), address(0xC3)];
    address[] internal _owners = [address(0xB1), address(0xB2)];
    address[] public nodeList;
    bytes32[] public leaseList;
    mapping(address node => uint256) private _keys;
    string[5] private _stateNames = ["None", "Open", "Assigned", "Running", "Stopping"];

    /// @dev Public keys of the private keys 0xD0 to 0xD3: the runner can sign, but not multiply points.
    bytes[4] private _publicKeys = [
        bytes(hex"7d86781855db1b17d7ce3765816076eba7163cb9fba082bb65348f778db0e595e2b99adfec86f8772e562e2bed4f88382937844e0e25d53299951e3abc733de8"),
        bytes(hex"7f30ea2476b399b4957509c88f77d0191afa2ff5cb7b14fd6d8e7d65aaab1193ca5ef7d4b231c94c3b15389a5f6311e9daff7bb67b103e9880ef4bff637acaec"),
        bytes(hex"59ae134c1a41cfee81c5c2cd51ac727b4e7759552d729e07b25031df15661815e0c2821689a92635bd7df32296a9fc38847a414a8455218d09cda7f01e8bfc2b"),
        bytes(hex"5098ff1e1d9f14fb46a210fada6c903fef0fb7b4a1dd1d9ac60a0361800b7a0009731141d81fc8f8084d37c6e7542006b3ee1b40d60dfe5362a5b132fd17ddc0")
    ];

    /// @dev Kept apart from `block.timestamp`, which the optimizer may read only once a call.
    uint256 internal _clock = 1_900_000_000;

    mapping(string call => uint256) public done;
    mapping(bytes32 leaseId => uint256) public paidTo; // gross pay that left the reservation
    mapping(bytes32 leaseId => uint256) public slashedFor;
    mapping(bytes32 leaseId => uint256) public lockedFor;
    mapping(bytes32 leaseId => LeaseStatus) public lastStatus;
    uint256 public slashed;
    uint256 public rewarded; // of what was slashed
    uint256 public burned; // of what was slashed
    uint256 public tokensIn;
    uint256 public tokensOut;
    bool public movedBackwards;

    address internal immutable _test = msg.sender;

    constructor() {
        vm.warp(_clock);
        deployMarket();
        for (uint256 i = 0; i < 4; ++i) {
            _register(_owners[i % 2], 0xD0 + i);
        }
        for (uint256 i = 0; i < 3; ++i) {
            _deposit(_consumers[i], 1_000_000);
        }
    }

    modifier then(uint256 wait) {
        _clock += bound(wait, 0, 6);
        vm.warp(_clock);
        vm.roll(_clock - 1_800_000_000);
        _;
    }

    // ---- what the invariants look at

    function contracts() external view returns (DemoDollar, NodeRegistry, TaskRegistry, PaymentEscrow) {
        return (token, nodes, tasks, escrow);
    }

    function leaseCount() external view returns (uint256) {
        return leaseList.length;
    }

    function nodeCount() external view returns (uint256) {
        return nodeList.length;
    }

    function accounts() external view returns (address[] memory all) {
        all = new address[](7);
        for (uint256 i = 0; i < 5; ++i) {
            all[i] = _any(i);
        }
        (all[5], all[6]) = (address(this), governor);
    }

    function _register(address owner, uint256 key) internal {
        bytes memory publicKey = _publicKeys[key - 0xD0];
        address node = address(uint160(uint256(keccak256(publicKey))));
        Profile memory declared = _profile(8);
        bytes32 structHash = keccak256(
            abi.encode(
                REGISTER_TYPEHASH,
                owner,
                node,
                declared.encryptionKey,
                keccak256(abi.encode(declared)),
                type(uint256).max
            )
        );
        bytes32 digest = MessageHashUtils.toTypedDataHash(nodes.domainSeparator(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        vm.prank(owner);
        nodes.register(
            declared, publicKey, type(uint256).max, abi.encodePacked(r, s, v)
        );
        nodeList.push(node);
        _keys[node] = key;
        _deposit(owner, 200_000);
        vm.prank(owner);
        nodes.stake(node, 3000); // little enough that leases can hold all of it
    }

    function _deposit(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(escrow), amount);
        vm.prank(account);
        escrow.deposit(amount);
        tokensIn += amount;
        ++done["deposit"];
    }

    /// @dev Counts a call by the state in which it is accepted: a revert takes the count back.
    function _count(string memory call, bytes32 leaseId) internal {
        ++done[string.concat(call, " while ", _stateNames[uint256(lastStatus[leaseId])])];
    }

    /// @dev A lease that ended without an accepted claim, and what it was paid.
    function _lost(bytes32 leaseId, uint256 paid) internal {
        paidTo[leaseId] += paid;
        if (paid != 0) ++done["pay of a lost lease"];
        _watch(leaseId);
    }

    function _watch(bytes32 leaseId) internal {
        LeaseStatus status = tasks.getLease(leaseId).status;
        if (status == lastStatus[leaseId]) return;
        // Settled, Cancelled, Failed and Expired are ends; before them the order of the enum is the order of life.
        if (lastStatus[leaseId] >= LeaseStatus.Settled || status < lastStatus[leaseId]) movedBackwards = true;
        lastStatus[leaseId] = status;
    }

    /// @dev The first lease in this state, looking from a fuzzed place; zero if there is none.
    function _leaseIn(uint256 from, LeaseStatus status) internal view returns (bytes32) {
        uint256 count = leaseList.length;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaseId = leaseList[(from % count + i) % count];
            if (lastStatus[leaseId] == status) return leaseId;
        }
        return 0;
    }

    /// @dev All gross pay so far: what owners earned and the fees, withdrawn or not, only ever grow within one call.
    function _paid() internal view returns (uint256) {
        (,, uint256 earnings, uint256 fees,,) = escrow.totals();
        return earnings + fees;
    }

    function _any(uint256 who) internal view returns (address) {
        return who % 5 < 3 ? _consumers[who % 5] : _owners[who % 5 - 3];
    }

    function _attestation(
        bytes32 leaseId,
        string memory output
    ) internal view returns (OutputAttestation memory claim) {
        Lease memory lease = tasks.getLease(leaseId);
        claim.taskId = lease.taskId;
        claim.leaseId = leaseId;
        claim.attempt = 1;
        claim.specDigest = keccak256("spec");
        claim.outputDigest = keccak256(bytes(output));
        claim.retainUntil = type(uint64).max;
    }

    function _sign(OutputAttestation memory claim) internal view returns (bytes memory) {
        uint256 key = _keys[tasks.getLease(claim.leaseId).node];
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, tasks.attestationHash(claim));
        return abi.encodePacked(r, s, v);
    }

    function _profile(uint32 gpus) internal pure returns (Profile memory declared) {
        declared.encryptionKey = keccak256("key");
        declared.gpus = gpus;
        declared.gpuModel = "T4";
        declared.vCpus = 8;
        declared.memoryMiB = 1000;
    }
}
