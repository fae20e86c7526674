import assert from "node:assert/strict";
import type { LeaseDetail } from "@dekuper/client";
import {
  type OutputAttestation,
  outputAttestationTypes,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { pad, zeroHash } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { LocalProvider } from "../../cli/src/network/state.ts";
import type { NetworkFixture } from "./network-fixture.ts";

/** The contract refuses whatever the operator of a lost attempt could say of it. */
export async function postsNothing(
  { session: { market }, record: { network } }: NetworkFixture,
  { operator }: LocalProvider,
  lease: LeaseDetail,
): Promise<void> {
  const { taskId, leaseId } = lease;
  const { chainId, taskRegistry } = network.deployment;
  const account = privateKeyToAccount(operator.privateKey);
  const call = { address: taskRegistry, abi: taskRegistryAbi, account } as const;
  const attestation: OutputAttestation = {
    taskId,
    leaseId,
    attempt: 1,
    specDigest: (await market.task(taskId)).task.specDigest,
    outputDigest: pad("0x01"),
    logDigest: pad("0x02"),
    ciphertextRoot: pad("0x03"),
    ciphertextSize: 1n,
    imageDigest: pad("0x04"),
    outcome: 0,
    exitCode: 0,
    started: lease.startedAt,
    ended: lease.startedAt + 1n,
    cpuSeconds: 1n,
    gpuSeconds: 0n,
    retainUntil: lease.startedAt + 86_400n,
  };
  for (const attempt of [1, 2]) {
    const signed = { ...attestation, attempt };
    const signature = await account.signTypedData({
      domain: taskDomain(chainId, taskRegistry),
      types: outputAttestationTypes,
      primaryType: "OutputAttestation",
      message: signed,
    });
    const { publicClient } = market;
    await assert.rejects(
      publicClient.simulateContract({
        ...call,
        functionName: "checkpoint",
        args: [leaseId, attempt, lease.lastStep + 100n, zeroHash],
      }),
      /NotOperator/,
    );
    await assert.rejects(
      publicClient.simulateContract({
        ...call,
        functionName: "failLease",
        args: [leaseId, attempt, zeroHash],
      }),
      /NotOperator/,
    );
    await assert.rejects(
      publicClient.simulateContract({ ...call, functionName: "completeLease", args: [signed, signature] }),
      attempt === 1 ? /WrongAttempt/ : /WrongSigner/,
    );
  }
}
