import { type Market, type NodeProfile, walletClientOf } from "@dekuper/client";
import {
  nodeEncryptionKey,
  type OutputAttestation,
  outputAttestationTypes,
  type QuoteAnswer,
  type QuoteRequest,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Hex, stringToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { TestChain } from "./chain.ts";
import { quoteSource } from "./quote-source.ts";

/** What a small node declares. Its encryption key gives way to its operator's own, unless a test names another. */
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
  takeOver(leaseId: Hex): Promise<void>;
  start(leaseId: Hex, attempt?: number): Promise<void>;
  checkpoint(leaseId: Hex, attempt: number, step: bigint): Promise<void>;
  fail(leaseId: Hex, attempt: number, reason: string): Promise<void>;
  /** Answers quote requests with signed quotes at the profile's rate. */
  quote(request: QuoteRequest): Promise<QuoteAnswer>;
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
  const isDefault = profile.encryptionKey === aProfile().encryptionKey;
  const encryptionKey = isDefault ? nodeEncryptionKey(operator.key) : profile.encryptionKey;
  const { node } = await owner.market.registerNode(account, { ...profile, encryptionKey });
  await owner.market.stake(node, 200_000_000n);

  const { network } = chain;
  const wallet = walletClientOf(network, account);
  const contract = { address: network.deployment.taskRegistry, abi: taskRegistryAbi } as const;
  const { chain: viemChain } = wallet;
  const call = async (functionName: string, args: readonly unknown[]) => {
    // An estimate of the second before may be short of what the next one needs.
    const request = { ...contract, chain: viemChain, functionName, args, gas: 2_000_000n };
    const hash = await wallet.writeContract(request as never);
    const { status } = await owner.market.publicClient.waitForTransactionReceipt({ hash });
    if (status === "reverted") throw new Error(`${functionName} reverted`);
  };
  return {
    market: owner.market,
    owner: owner.address,
    ownerKey: owner.key,
    node,
    operatorKey: operator.key,
    accept: (taskId) => call("acceptTask", [taskId]),
    takeOver: (leaseId) => call("takeOver", [leaseId]),
    start: (leaseId, attempt = 1) => call("startLease", [leaseId, attempt]),
    checkpoint: (leaseId, attempt, step) =>
      call("checkpoint", [leaseId, attempt, step, `0x${"0c".repeat(32)}`]),
    fail: (leaseId, attempt, reason) =>
      call("failLease", [leaseId, attempt, stringToHex(reason, { size: 32 })]),
    quote: quoteSource({
      network,
      operator: account,
      now: async () => {
        await chain.control.mine({ blocks: 1 }); // anvil's head stands still between transactions
        return (await owner.market.head()).timestamp;
      },
      perVCpuHour: profile.posted.perVCpuHour,
    }),
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
      await call("completeLease", [attestation, signature]);
      return attestation;
    },
  };
}
