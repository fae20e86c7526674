import { encodeSpec, type Order, specDigest, type TaskSpec } from "@dekuper/protocol";
import type { TaskTerms } from "../../src/chain/contracts.ts";
import type { TaskKeys } from "../../src/daemon/task-keys.ts";
import type { AttemptRecord, RunRecord } from "../../src/journal/attempts.ts";
import type { OrderedTask } from "../../src/journal/facts.ts";
import type { SealedResult } from "../../src/result/result.ts";
import { aTaskSpec } from "../task-spec.ts";

export const hex = (byte: string, bytes = 32) => `0x${byte.repeat(bytes)}` as const;
export const leaseId = hex("22");
export const node = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC" as const;
export const deployment = {
  chainId: 31337,
  nodeRegistry: hex("a1", 20),
  taskRegistry: hex("a2", 20),
  paymentEscrow: hex("a3", 20),
  liveness: hex("a6", 20),
  forwarder: hex("a7", 20),
  token: hex("a4", 20),
  deploymentBlock: 1,
  deploymentBlockHash: hex("a5"),
} as const;

export function aSpec(change: Partial<TaskSpec> = {}): TaskSpec {
  return aTaskSpec(change, { gpus: 2, maxDuration: 7200 });
}

/** The order that goes with a spec, before what a test changes in it. */
export function orderOf(spec: TaskSpec, change: Partial<Order> = {}): Order {
  const { gpus, gpuModel, vCpus, memoryMiB, storageMiB, maxDuration } = spec.resources;
  return {
    specDigest: specDigest(spec),
    leases: 1,
    threshold: 0,
    maxAttempts: 1,
    isPrivate: false,
    gpus,
    gpuModel,
    vCpus,
    memoryMiB: BigInt(memoryMiB),
    storageMiB: BigInt(storageMiB),
    isolation: 0,
    maxDuration,
    fundedSeconds: maxDuration,
    ratePerHour: 1_000_000n,
    startWindow: 120,
    failoverAfter: 120,
    openUntil: 2_000_000_000n,
    verification: 0,
    ...change,
  };
}

/** An order that somebody placed. */
export function taskOf(spec: TaskSpec, change: Partial<Order> = {}): OrderedTask {
  return { taskId: hex("33"), consumer: terms.consumer, order: orderOf(spec, change) };
}

/** Of a node that was handed no private task's key. */
export const noKeys: Pick<TaskKeys, "of"> = { of: async () => undefined };

export const specName = (spec: TaskSpec) => ({ kind: "spec", digest: specDigest(spec) }) as const;
export const specBytes = encodeSpec;

export const terms: TaskTerms = {
  consumer: hex("c0", 20),
  createdAt: 1_000,
  specDigest: hex("0d"),
  isGang: false,
  isQuorum: false,
  leaseCount: 1,
  maxAttempts: 1,
  startWindow: 120,
  failoverAfter: 120,
  grantWindow: 600,
  replaceWindow: 300,
  challengeWindow: 20,
  completionGrace: 30,
  revealWindow: 40,
  outageGrace: 5,
  drift: 60,
  minCheckpointInterval: 1,
  minRetention: 604_800,
};

export const run: RunRecord = {
  exitCode: 0,
  outOfMemory: false,
  timeLimit: false,
  imageDigest: hex("ef"),
  startedAt: 5_000,
  finishedAt: 5_060,
  cpuSeconds: 55,
};

export const sealed: SealedResult = {
  outcome: "Success",
  exitCode: 0,
  outputDigest: hex("01"),
  logDigest: hex("02"),
  ciphertextRoot: hex("03"),
  ciphertextSize: 1_234,
  skipped: [],
};

export function aRecord(change: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    leaseId,
    attempt: 1,
    taskId: hex("33"),
    consumer: terms.consumer,
    order: orderOf(aSpec()),
    adopted: false,
    steps: new Set(),
    ...change,
  };
}

export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
