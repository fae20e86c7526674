import type { OutputAttestation } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { RunRecord } from "../../src/journal/attempts.ts";
import type { SealedResult } from "../../src/result/result.ts";
import { anOrder } from "../plan/builders.ts";

export const bytes32 = (fill: number): Hex => `0x${fill.toString(16).padStart(2, "0").repeat(32)}`;
export const address = (fill: number): Hex => `0x${fill.toString(16).padStart(2, "0").repeat(20)}`;

export const LEASE = bytes32(1);
export const TASK = bytes32(2);
export const CONSUMER = address(3);

export const anAttempt = (change: { leaseId?: Hex; attempt?: number } = {}) => ({
  leaseId: LEASE,
  attempt: 1,
  taskId: TASK,
  consumer: CONSUMER,
  order: anOrder(),
  ...change,
});

export const aRun: RunRecord = {
  exitCode: 0,
  outOfMemory: false,
  timeLimit: false,
  imageDigest: bytes32(4),
  startedAt: 1_000,
  finishedAt: 1_060,
  cpuSeconds: 12,
};

export const aSealed = (change: Partial<SealedResult> = {}): SealedResult => ({
  outcome: "Success",
  exitCode: 0,
  outputDigest: bytes32(5),
  logDigest: bytes32(6),
  ciphertextRoot: bytes32(7),
  ciphertextSize: 4_096,
  skipped: [{ path: "link", reason: "not a regular file" }],
  ...change,
});

export const anAttestation = (change: Partial<OutputAttestation> = {}): OutputAttestation => ({
  taskId: TASK,
  leaseId: LEASE,
  attempt: 1,
  specDigest: bytes32(8),
  outputDigest: bytes32(5),
  logDigest: bytes32(6),
  ciphertextRoot: bytes32(7),
  ciphertextSize: 4_096n,
  imageDigest: bytes32(4),
  outcome: 0,
  exitCode: 0,
  started: 1_000n,
  ended: 1_060n,
  cpuSeconds: 12n,
  gpuSeconds: 0n,
  retainUntil: 2n ** 60n,
  ...change,
});
