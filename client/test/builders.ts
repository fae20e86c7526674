import type { MarketNode, PlanFacts, PlanOrder } from "@dekuper/client";
import type { Deployment } from "@dekuper/protocol";
import type { Address } from "viem";

/** A distinct address. */
export function address(index: number): Address {
  return `0x${index.toString(16).padStart(40, "0")}`;
}

/** Contracts that are nowhere. */
export const deployment: Deployment = {
  chainId: 31337,
  nodeRegistry: address(11),
  taskRegistry: address(12),
  paymentEscrow: address(13),
  liveness: address(5),
  forwarder: address(6),
  token: address(14),
  deploymentBlock: 1,
  deploymentBlockHash: `0x${"ab".repeat(32)}`,
};

/** A healthy node: 8 GPUs, 16 vCPUs, 64 GiB, staked, asking 2 per GPU hour and nothing per vCPU. */
export function aNode(change: DeepPartial<MarketNode> = {}): MarketNode {
  const base: MarketNode = {
    address: address(1),
    owner: address(101),
    status: "Active",
    activeSince: 0n,
    encryptionKeyVersion: 1,
    operatorPublicKey: "0x",
    profile: {
      encryptionKey: `0x${"11".repeat(32)}`,
      gpus: 8,
      gpuModel: "NVIDIA-H100-80GB-HBM3",
      gpuMemoryMiB: 81_920,
      vCpus: 16,
      memoryMiB: 65_536n,
      storageMiB: 102_400n,
      isolation: "user-namespace",
      region: "eu",
      posted: { perGpuHour: 2_000_000n, perVCpuHour: 100_000n },
      multiaddrs: ["/ip4/127.0.0.1/tcp/4001"],
    },
    floor: { perGpuHour: 0n, perVCpuHour: 0n },
    used: { gpus: 0, vCpus: 0, memoryMiB: 0n },
    available: { gpus: 8, vCpus: 16, memoryMiB: 65_536n },
    stake: { staked: 1_000_000_000n, locked: 0n, unbonding: 0n, releasableAt: 0n, required: 800_000_000n },
  };
  return merge(base, change);
}

export function anOrder(change: Partial<PlanOrder> = {}): PlanOrder {
  return {
    gpus: 1,
    gpuModel: "",
    vCpus: 2,
    memoryMiB: 1024n,
    storageMiB: 2048n,
    isolation: "container",
    leases: 1,
    maxDuration: 3600,
    fundedSeconds: change.maxDuration ?? 3600,
    ...change,
  };
}

export function facts(change: Partial<PlanFacts> = {}): PlanFacts {
  return {
    token: { symbol: "USDC", decimals: 6 },
    terms: { lockBps: 2000, minLock: 10_000_000n, ticketAge: 0 },
    now: 1_000_000n,
    ...change,
  };
}

type DeepPartial<Value> = Value extends object ? { [Key in keyof Value]?: DeepPartial<Value[Key]> } : Value;

function merge<Value>(base: Value, change: DeepPartial<Value>): Value {
  if (typeof base !== "object" || base === null || Array.isArray(base)) return change as Value;
  const entries = Object.entries(change as object).map(([key, value]) => [
    key,
    value === undefined
      ? (base as Record<string, unknown>)[key]
      : merge((base as never)[key], value as never),
  ]);
  return { ...base, ...Object.fromEntries(entries) };
}
