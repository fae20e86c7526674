// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Lease, Outcome, OutputAttestation, Task, Terms} from "../interfaces/Types.sol";

/// @title The operator's end-of-run claim as EIP-712
library Attestations {
    bytes32 internal constant TYPEHASH = keccak256(
        "OutputAttestation(bytes32 taskId,bytes32 leaseId,uint32 attempt,bytes32 specDigest,bytes32 outputDigest,bytes32 logDigest,bytes32 ciphertextRoot,uint64 ciphertextSize,bytes32 imageDigest,uint8 outcome,int32 exitCode,uint64 started,uint64 ended,uint64 cpuSeconds,uint64 gpuSeconds,uint64 retainUntil)"
    );

    /// @dev EIP-712 struct hash. Every field is a static word, so the struct's ABI encoding is its EIP-712 encoding.
    function structHash(OutputAttestation calldata attestation) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, attestation));
    }

    /// @dev Reverts unless the node signed the claim.
    function requireSigner(
        bytes32 domain,
        bytes32 leaseId,
        address node,
        bytes32 claim,
        bytes calldata signature
    ) internal pure {
        address signer = ECDSA.recoverCalldata(MessageHashUtils.toTypedDataHash(domain, claim), signature);
        if (signer != node) revert ITaskRegistry.WrongSigner(leaseId, signer, node);
    }

    /// @dev Reverts unless the claim is of this lease's task, attempt and spec, ends no later than now and the drift,
    /// and promises the result for the retention after its window.
    function check(
        OutputAttestation calldata attestation,
        Lease storage lease,
        Task storage task,
        Terms storage terms,
        uint64 windowEnd
    ) internal view {
        bytes32 leaseId = attestation.leaseId;
        if (attestation.taskId != lease.taskId) {
            revert ITaskRegistry.WrongTask(leaseId, attestation.taskId, lease.taskId);
        }
        if (attestation.attempt != lease.attempt) {
            revert ITaskRegistry.WrongAttempt(leaseId, attestation.attempt, lease.attempt);
        }
        if (attestation.specDigest != task.specDigest) {
            revert ITaskRegistry.WrongSpecDigest(leaseId, attestation.specDigest, task.specDigest);
        }
        if (attestation.outcome > uint8(type(Outcome).max)) {
            revert ITaskRegistry.UnknownOutcome(attestation.outcome);
        }
        if (attestation.started > attestation.ended) {
            revert ITaskRegistry.EndsBeforeStart(attestation.started, attestation.ended);
        }
        uint64 latest = uint64(block.timestamp) + terms.drift;
        if (attestation.ended > latest) revert ITaskRegistry.EndsInFuture(attestation.ended, latest);
        uint64 earliest = windowEnd + terms.minRetention;
        if (attestation.retainUntil < earliest) {
            revert ITaskRegistry.RetentionTooShort(attestation.retainUntil, earliest);
        }
    }
}
