import { type Market, type NodeProfile, walletClientOf } from "@dekuper/client";
import {
  type OutputAttestation,
  outputAttestationTypes,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { TestChain } from "./chain.ts";

/** What a small node declares. */
export function aProfile(change: Partial<NodeProfile> = {}): NodeProfile {
  return {
    encryptionKey: `0x${"11".repeat(32)}`,
    gpus: 0,
    gpuModel: "",
    gpuMemoryMiB: 0,
    vCpus: 8,
    memoryMiB: 16_384n,
    storageMiB: 65_536n,
    isolation: "container",
    region: "eu-west",
    posted: { perGpuHour: 0n, perVCpuHour: 1_000_000n },
    multiaddrs: ["/ip4/127.0.0.1/tcp/4001"],
    ...change,
  };
}

/** A provider that does by hand what an oracle does. */
export interface TestProvider {
  readonly market: Market;
  readonly owner: Hex;
  readonly ownerKey: Hex;
  readonly node: Hex;
  readonly operatorKey: Hex;
  accept(taskId: Hex): Promise<void>;
  start(leaseId: Hex): Promise<void>;
  complete(
    facts: Pick<OutputAttestation, "taskId" | "leaseId" | "specDigest"> & Partial<OutputAttestation>,
  ): Promise<OutputAttestation>;
}

/** Registers and stakes a node. */
export async function startTestProvider(chain: TestChain, profile = aProfile()): Promise<TestProvider> {
  const owner = await chain.account(1_000);
  const operator = await chain.account(0);
  const account = privateKeyToAccount(operator.key);
  await owner.market.deposit(500_000_000n);
  const { node } = await owner.market.registerNode(account, profile);
  await owner.market.stake(node, 200_000_000n);

  const { network } = chain;
  const wallet = walletClientOf(network, account);
  const contract = { address: network.deployment.taskRegistry, abi: taskRegistryAbi } as const;
  const mined = (hash: Hex) => owner.market.publicClient.waitForTransactionReceipt({ hash });
  const { chain: viemChain } = wallet;
  return {
    market: owner.market,
    owner: owner.address,
    ownerKey: owner.key,
    node,
    operatorKey: operator.key,
    accept: async (taskId) => {
      await mined(
        await wallet.writeContract({
          ...contract,
          chain: viemChain,
          functionName: "acceptTask",
          args: [taskId],
        }),
      );
    },
    start: async (leaseId) => {
      await mined(
        await wallet.writeContract({
          ...contract,
          chain: viemChain,
          functionName: "startLease",
          args: [leaseId, 1],
        }),
      );
    },
    complete: async (facts) => {
      const { timestamp } = await owner.market.head();
      const attestation: OutputAttestation = {
        attempt: 1,
        outputDigest: `0x${"01".repeat(32)}`,
        logDigest: `0x${"02".repeat(32)}`,
        ciphertextRoot: `0x${"03".repeat(32)}`,
        ciphertextSize: 1_234n,
        imageDigest: `0x${"04".repeat(32)}`,
        outcome: 0,
        exitCode: 0,
        started: timestamp - 10n,
        ended: timestamp,
        cpuSeconds: 5n,
        gpuSeconds: 0n,
        retainUntil: timestamp + 86_400n,
        ...facts,
      };
      const signature = await account.signTypedData({
        domain: taskDomain(network.deployment.chainId, network.deployment.taskRegistry),
        types: outputAttestationTypes,
        primaryType: "OutputAttestation",
        message: attestation,
      });
      await mined(
        await wallet.writeContract({
          ...contract,
          chain: viemChain,
          functionName: "completeLease",
          args: [attestation, signature],
        }),
      );
      return attestation;
    },
  };
}
