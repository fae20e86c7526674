import type { Hex } from "viem";

/** What keeps a pod apart from the host; the number is the contract's enum. */
export const isolationClasses = ["container", "user-namespace", "sandbox", "tee"] as const;
export type Isolation = (typeof isolationClasses)[number];

/** How much a result must prove; `signed` and `quorum` are built. */
export const verificationLevels = ["signed", "quorum", "checkpointed", "attested"] as const;

/** The contract's order, field by field (`contracts/interfaces/Types.sol`). */
export interface Order {
  readonly specDigest: Hex;
  /** 1 to 64: members of a gang, or replicas of a quorum. */
  readonly leases: number;
  /** k of a quorum, else 0. */
  readonly threshold: number;
  /** 1 to 3 of each lease; 1: no failover. */
  readonly maxAttempts: number;
  /** Spec and inputs are encrypted: a node needs a key wrap before it can start. */
  readonly isPrivate: boolean;
  /** Of one lease, as are all resources. */
  readonly gpus: number;
  /** NVIDIA's product label; empty: any. */
  readonly gpuModel: string;
  readonly vCpus: number;
  readonly memoryMiB: bigint;
  readonly storageMiB: bigint;
  /** Index into `isolationClasses`: the least that will do. */
  readonly isolation: number;
  /** Seconds. */
  readonly maxDuration: number;
  /** Seconds: reserved for at creation, at most maxDuration; top-ups reserve more. */
  readonly fundedSeconds: number;
  /** Payment-token base units per hour of one lease: paid on the open path, the most a quote may ask on the quoted. */
  readonly ratePerHour: bigint;
  /** Seconds from accept to start. */
  readonly startWindow: number;
  /** Seconds offline after which another node may have the lease. */
  readonly failoverAfter: number;
  /** Unix seconds: nobody may accept after it. */
  readonly openUntil: bigint;
  /** Index into `verificationLevels`. */
  readonly verification: number;
}

/** ABI of an order, for `abi.encode(order)`. */
export const orderParameters = [
  {
    type: "tuple",
    components: [
      { name: "specDigest", type: "bytes32" },
      { name: "leases", type: "uint8" },
      { name: "threshold", type: "uint8" },
      { name: "maxAttempts", type: "uint8" },
      { name: "isPrivate", type: "bool" },
      { name: "gpus", type: "uint32" },
      { name: "gpuModel", type: "string" },
      { name: "vCpus", type: "uint32" },
      { name: "memoryMiB", type: "uint64" },
      { name: "storageMiB", type: "uint64" },
      { name: "isolation", type: "uint8" },
      { name: "maxDuration", type: "uint32" },
      { name: "fundedSeconds", type: "uint32" },
      { name: "ratePerHour", type: "uint128" },
      { name: "startWindow", type: "uint32" },
      { name: "failoverAfter", type: "uint32" },
      { name: "openUntil", type: "uint64" },
      { name: "verification", type: "uint8" },
    ],
  },
] as const;
