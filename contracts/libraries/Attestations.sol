// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OutputAttestation} from "../interfaces/Types.sol";

/// @title The operator's end-of-run claim as EIP-712
library Attestations {
    bytes32 internal constant TYPEHASH = keccak256(
        "OutputAttestation(bytes32 taskId,bytes32 leaseId,uint32 attempt,bytes32 specDigest,bytes32 outputDigest,bytes32 logDigest,bytes32 ciphertextRoot,uint64 ciphertextSize,bytes32 imageDigest,uint8 outcome,int32 exitCode,uint64 started,uint64 ended,uint64 cpuSeconds,uint64 gpuSeconds,uint64 retainUntil)"
    );

    /// @dev EIP-712 struct hash. Every field is a static word, so the struct's ABI encoding is its EIP-712 encoding.
    function structHash(OutputAttestation calldata attestation) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, attestation));
    }
}
