// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Profile} from "../interfaces/Types.sol";
import {Forwarder} from "../Forwarder.sol";
import {Liveness} from "../Liveness.sol";
import {NodeRegistry} from "../NodeRegistry.sol";
import {PaymentEscrow} from "../PaymentEscrow.sol";
import {TaskRegistry} from "../TaskRegistry.sol";
import {DemoDollar} from "./DemoDollar.sol";
import {MarketUnderTest} from "./MarketUnderTest.t.sol";

/// @title The people of the market under test
/// @notice Three consumers, and three owners with two nodes each, of which the first holds a seat in the committee.
abstract contract MarketActors is MarketUnderTest {
    uint256 internal constant NODES = 6;
    uint256 internal constant OWNERS = 3;
    uint96 internal constant SEAT = 500; // base units

    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(address owner,address operator,bytes32 encryptionKey,bytes32 profileDigest,uint256 deadline)"
    );
    uint256 private constant FIRST_CONSUMER_KEY = 0xC0;

    address[] internal _consumers;
    address[] internal _owners = [address(0xB1), address(0xB2), address(0xB3)];
    address[] public nodeList;
    mapping(address account => uint256) internal _keys;

    /// @dev Public keys of the private keys 0xD0 to 0xD5: the runner can sign, but not multiply points.
    bytes[6] private _publicKeys = [
        bytes(hex"7d86781855db1b17d7ce3765816076eba7163cb9fba082bb65348f778db0e595e2b99adfec86f8772e562e2bed4f88382937844e0e25d53299951e3abc733de8"),
        bytes(hex"7f30ea2476b399b4957509c88f77d0191afa2ff5cb7b14fd6d8e7d65aaab1193ca5ef7d4b231c94c3b15389a5f6311e9daff7bb67b103e9880ef4bff637acaec"),
        bytes(hex"59ae134c1a41cfee81c5c2cd51ac727b4e7759552d729e07b25031df15661815e0c2821689a92635bd7df32296a9fc38847a414a8455218d09cda7f01e8bfc2b"),
        bytes(hex"5098ff1e1d9f14fb46a210fada6c903fef0fb7b4a1dd1d9ac60a0361800b7a0009731141d81fc8f8084d37c6e7542006b3ee1b40d60dfe5362a5b132fd17ddc0"),
        bytes(hex"f4a0caad9ad209925131b1389effbbd28615402eb31f2c082cf6531fd68befd53cbf5c99286222f464fe48656b101b587fd5a3ae8ba8b4b12dbd7a76b1b9c8b9"),
        bytes(hex"32b78c7de9ee512a72895be6b9cbefa6e2f3c4ccce445c96b9f2c81e2778ad58ee1849f513df71e32efc3896ee28260c73bb80547ae2275ba497237794c8753c")
    ];

    /// @dev Kept apart from `block.timestamp`, which the optimizer may read only once a call.
    uint256 internal _clock = 1_900_000_000;

    mapping(string call => uint256) public done;
    uint256 public tokensIn;
    uint256 public tokensOut;

    constructor() {
        vm.warp(_clock);
        deployMarket();
        for (uint256 i = 0; i < NODES; ++i) {
            _register(_owners[i % OWNERS], 0xD0 + i, _publicKeys[i]);
        }
        for (uint256 i = 0; i < 3; ++i) {
            address consumer = vm.addr(FIRST_CONSUMER_KEY + i);
            _consumers.push(consumer);
            _keys[consumer] = FIRST_CONSUMER_KEY + i;
            _deposit(consumer, 1_000_000);
        }
        for (uint256 i = 0; i < OWNERS; ++i) {
            vm.prank(_owners[i]);
            liveness.bid(nodeList[i], SEAT);
        }
        _pass(41);
        liveness.rotate();
    }

    // ---- what the invariants look at

    function contracts()
        external
        view
        returns (DemoDollar, NodeRegistry, TaskRegistry, PaymentEscrow, Liveness, Forwarder)
    {
        return (token, nodes, tasks, escrow, liveness, forwarder);
    }

    function nodeCount() external view returns (uint256) {
        return nodeList.length;
    }

    /// @notice Whoever can have an account: nobody else may.
    function accounts() external view returns (address[] memory all) {
        all = new address[](8);
        for (uint256 i = 0; i < 6; ++i) {
            all[i] = _any(i);
        }
        (all[6], all[7]) = (address(this), governor);
    }

    function _pass(uint256 wait) internal {
        _clock += wait;
        vm.warp(_clock);
        vm.roll(_clock - 1_800_000_000);
    }

    function _deposit(address account, uint256 amount) internal {
        _mintFor(account, amount);
        vm.prank(account);
        escrow.deposit(amount);
        ++done["deposit"];
    }

    /// @dev What the account is about to deposit.
    function _mintFor(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(escrow), amount);
        tokensIn += amount;
    }

    function _any(uint256 who) internal view returns (address) {
        return who % 6 < 3 ? _consumers[who % 6] : _owners[who % 6 - 3];
    }

    function _sign(address account, bytes32 digest) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys[account], digest);
        return abi.encodePacked(r, s, v);
    }

    function _profile(uint32 gpus) internal pure returns (Profile memory declared) {
        declared.encryptionKey = keccak256("key");
        declared.gpus = gpus;
        declared.gpuModel = "T4";
        declared.vCpus = 8;
        declared.memoryMiB = 1000;
    }

    function _register(address owner, uint256 key, bytes memory publicKey) private {
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
        _keys[node] = key;
        bytes memory signature = _sign(node, MessageHashUtils.toTypedDataHash(nodes.domainSeparator(), structHash));
        vm.prank(owner);
        nodes.register(declared, publicKey, type(uint256).max, signature);
        nodeList.push(node);
        _deposit(owner, 200_000);
        vm.prank(owner);
        nodes.stake(node, 3000); // little enough that leases can hold all of it
    }
}
