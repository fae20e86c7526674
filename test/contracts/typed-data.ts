/** What goes to the contracts, and the EIP-712 types of what is signed for them. */
export interface OrderInput {
  specDigest: string;
  leases: number;
  threshold: number;
  maxAttempts: number;
  isPrivate: boolean;
  gpus: number;
  gpuModel: string;
  vCpus: number;
  memoryMiB: bigint;
  storageMiB: bigint;
  isolation: number;
  maxDuration: number;
  fundedSeconds: number;
  ratePerHour: bigint;
  startWindow: number;
  failoverAfter: number;
  openUntil: bigint;
  verification: number;
}

export interface QuoteInput {
  node: string;
  consumer: string;
  orderHash: string;
  memberIndex: number;
  ratePerHour: bigint;
  startWindow: number;
  expiry: bigint;
  nonce: bigint;
  verification: number;
}

export interface KeyWrapInput {
  node: string;
  keyVersion: bigint;
  wrap: string;
}

export interface ProfileInput {
  encryptionKey: string;
  gpus: number;
  gpuModel: string;
  gpuMemoryMiB: number;
  vCpus: number;
  memoryMiB: bigint;
  storageMiB: bigint;
  isolation: number;
  region: string;
  posted: { perGpuHour: bigint; perVCpuHour: bigint };
  multiaddrs: string[];
}

export interface AttestationInput {
  taskId: string;
  leaseId: string;
  attempt: number;
  specDigest: string;
  outputDigest: string;
  logDigest: string;
  ciphertextRoot: string;
  ciphertextSize: bigint;
  imageDigest: string;
  outcome: number;
  exitCode: number;
  started: bigint;
  ended: bigint;
  cpuSeconds: bigint;
  gpuSeconds: bigint;
  retainUntil: bigint;
}

export const attestationTypes = {
  OutputAttestation: [
    ["bytes32", "taskId"],
    ["bytes32", "leaseId"],
    ["uint32", "attempt"],
    ["bytes32", "specDigest"],
    ["bytes32", "outputDigest"],
    ["bytes32", "logDigest"],
    ["bytes32", "ciphertextRoot"],
    ["uint64", "ciphertextSize"],
    ["bytes32", "imageDigest"],
    ["uint8", "outcome"],
    ["int32", "exitCode"],
    ["uint64", "started"],
    ["uint64", "ended"],
    ["uint64", "cpuSeconds"],
    ["uint64", "gpuSeconds"],
    ["uint64", "retainUntil"],
  ].map(([type, name]) => ({ type: type as string, name: name as string })),
};

export const quoteTypes = {
  Quote: [
    { type: "address", name: "node" },
    { type: "address", name: "consumer" },
    { type: "bytes32", name: "orderHash" },
    { type: "uint32", name: "memberIndex" },
    { type: "uint128", name: "ratePerHour" },
    { type: "uint32", name: "startWindow" },
    { type: "uint64", name: "expiry" },
    { type: "uint256", name: "nonce" },
    { type: "uint8", name: "verification" },
  ],
};

export const registerTypes = {
  Register: [
    { type: "address", name: "owner" },
    { type: "address", name: "operator" },
    { type: "bytes32", name: "encryptionKey" },
    { type: "bytes32", name: "profileDigest" },
    { type: "uint256", name: "deadline" },
  ],
};

export const profileType =
  "tuple(bytes32 encryptionKey,uint32 gpus,string gpuModel,uint32 gpuMemoryMiB,uint32 vCpus,uint64 memoryMiB,uint64 storageMiB,uint8 isolation,string region,tuple(uint128 perGpuHour,uint128 perVCpuHour) posted,string[] multiaddrs)";

export const orderType =
  "tuple(bytes32 specDigest,uint8 leases,uint8 threshold,uint8 maxAttempts,bool isPrivate,uint32 gpus,string gpuModel,uint32 vCpus,uint64 memoryMiB,uint64 storageMiB,uint8 isolation,uint32 maxDuration,uint32 fundedSeconds,uint128 ratePerHour,uint32 startWindow,uint32 failoverAfter,uint64 openUntil,uint8 verification)";
