import {
  type Deployment,
  isDekuperError,
  type Outcome,
  outputAttestationTypes,
  saltedDigest,
  type TaskSpec,
  taskDomain,
} from "@dekuper/protocol";
import { type Hex, stringToHex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { ChainReader } from "../chain/reader.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { AttemptObservation, AttemptRef, ClusterDriver } from "../cluster/driver.ts";
import type { AttemptJournal, AttemptRecord, RunRecord, StepName } from "../journal/attempts.ts";
import type { BlobStore } from "../peer/peer.ts";
import { completeByOf } from "../plan/lease.ts";
import type { LeaseAction } from "../plan/plan.ts";
import type { ResultSealer } from "../result/result.ts";
import { attestationOf, retainUntil } from "./attestation.ts";
import type { LeaseView } from "./lease-facts.ts";
import type { LogCapture } from "./log-capture.ts";
import type { MaterialStore } from "./material.ts";

export interface LeaseActionDeps {
  readonly deployment: Deployment;
  readonly account: PrivateKeyAccount;
  readonly reader: ChainReader;
  readonly queue: TransactionQueue;
  readonly driver: ClusterDriver;
  readonly sealer: ResultSealer;
  readonly journal: AttemptJournal;
  readonly blobs: BlobStore;
  readonly logs: LogCapture;
  readonly material: MaterialStore;
  /** After each journalled step. */
  readonly onStep?: ((step: string, leaseId: Hex) => void) | undefined;
  /** Longest that a checkpoint claim holds up its lease, milliseconds [60000]. */
  readonly claimMs?: number | undefined;
}

const CLAIM_MS = 60_000;
/** Steps of an adopted lease for which its material may have to be fetched again, and how much of it. */
const NEEDS: Partial<Record<LeaseAction["kind"], "spec" | "all">> = {
  ensureAttempt: "all",
  sendInputs: "all",
  claimCheckpoint: "spec",
  seal: "spec",
  attest: "spec",
};

/** What an action works on. */
export interface LeaseContext {
  readonly record: AttemptRecord;
  readonly view: LeaseView;
  readonly observation: AttemptObservation | undefined;
}

/** Takes the planner's steps. Each is safe to repeat: what was done is found done. */
export class LeaseActions {
  private readonly deps: LeaseActionDeps;
  private readonly claimMs: number;

  constructor(deps: LeaseActionDeps) {
    this.deps = deps;
    this.claimMs = deps.claimMs ?? CLAIM_MS;
  }

  refOf(record: AttemptRecord): AttemptRef {
    const { chainId, taskRegistry } = this.deps.deployment;
    return { chainId, registry: taskRegistry, leaseId: record.leaseId, attempt: record.attempt };
  }

  /** Every kind of action ends here; one that fails throws and is planned again. */
  async take(action: LeaseAction, context: LeaseContext, signal: AbortSignal): Promise<void> {
    const { record } = context;
    const { leaseId, attempt } = record;
    const ref = this.refOf(record);
    const { queue, driver } = this.deps;
    const needs = record.adopted ? NEEDS[action.kind] : undefined;
    if (needs !== undefined) await this.deps.material.recover(record.order, needs, signal);
    switch (action.kind) {
      case "ensureAttempt":
        return this.ensure(context, ref, signal);
      case "sendInputs": {
        const read = (digest: Hex) => this.deps.blobs.read({ kind: "input", digest });
        await driver.sendInputs(ref, await this.specOf(record), read, signal);
        return this.mark(record, "inputs_sent");
      }
      case "startLease":
        await queue.submit({ name: "startLease", args: [leaseId, attempt] }, signal);
        return this.mark(record, "started");
      case "claimCheckpoint":
        return this.claim(action.step, record, ref, signal);
      case "stopMain":
        await driver.stopMain(ref, signal);
        return this.mark(record, "stop_asked");
      case "seal":
        return this.seal(context, action.cancelled, ref, signal);
      case "attest":
        return this.attest(context);
      case "complete":
        return this.complete(record, signal);
      case "fail":
        this.deps.journal.recordFailing(leaseId, attempt, action.reason);
        await this.deps.logs.finish(ref, signal);
        await queue.submit(
          { name: "failLease", args: [leaseId, attempt, stringToHex(action.reason, { size: 32 })] },
          signal,
        );
        return;
      case "expire":
        await queue.submit({ name: "expire", args: [leaseId] }, signal);
        return;
      case "settle":
        await queue.submit({ name: "settle", args: [leaseId] }, signal);
        return this.mark(record, "settled");
      case "release":
        await driver.release(ref, signal);
        return this.mark(record, "released");
      case "tearDown":
        await driver.tearDown(ref, signal);
        return this.mark(record, "torn_down");
    }
  }

  private async ensure({ record, view }: LeaseContext, ref: AttemptRef, signal: AbortSignal): Promise<void> {
    const spec = await this.specOf(record);
    const { maxDuration, completionGrace, outageGrace } = view.terms;
    const deadlineSeconds = record.order.startWindow + maxDuration + completionGrace + outageGrace;
    // A run outlasts what is kept of data that nobody retains; its spec is needed until it is attested.
    const now = this.deps.reader.lastReadable?.head.timestamp ?? 0;
    const until = retainUntil(view.terms, now + deadlineSeconds);
    await this.deps.material.retain(spec, record.order.specDigest, until);
    await this.deps.driver.ensureAttempt(
      { ...ref, taskId: record.taskId, spec, maxDuration, deadlineSeconds },
      signal,
    );
    this.mark(record, "ensured");
  }

  /** Over CHECKPOINT_DIR where the task writes one, else over the log so far. */
  private async claim(
    step: number,
    record: AttemptRecord,
    ref: AttemptRef,
    signal: AbortSignal,
  ): Promise<void> {
    const { queue } = this.deps;
    const claimed = [record.leaseId, record.attempt, BigInt(step)] as const;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(this.claimMs)]);
    try {
      if ((await queue.join({ name: "checkpoint", args: claimed }, soon)) !== undefined) return;
      const { salt } = await this.specOf(record);
      const args = [...claimed, saltedDigest(salt, await this.progressOf(ref, signal))] as const;
      await queue.submit({ name: "checkpoint", args }, soon);
    } catch (error) {
      signal.throwIfAborted();
      // It stays in the queue. Whoever waited longer would not see the run end, and its result has a deadline.
      if (!isDekuperError(error, "TIMED_OUT")) throw error;
    }
  }

  /** A checkpoint folder too large to be looked through in time counts as none: the lease must not wait for it. */
  private async progressOf(ref: AttemptRef, signal: AbortSignal): Promise<Uint8Array> {
    const limit = AbortSignal.timeout(this.claimMs / 2);
    const manifest = await this.deps.driver
      .checkpointManifest(ref, AbortSignal.any([signal, limit]))
      .catch((error: unknown) => {
        signal.throwIfAborted();
        if (limit.aborted) return new Uint8Array();
        throw error;
      });
    return manifest.length > 0 ? manifest : this.deps.logs.captured(ref, signal);
  }

  private async seal(
    { record, observation }: LeaseContext,
    cancelled: boolean,
    ref: AttemptRef,
    signal: AbortSignal,
  ): Promise<void> {
    if (observation === undefined) return;
    const { journal } = this.deps;
    const { leaseId, attempt } = record;
    const run = record.run ?? (await this.runOf(observation, ref, signal));
    journal.recordRun(leaseId, attempt, run);
    const log = await this.deps.logs.finish(ref, signal);
    this.mark(record, "log_taken");
    const spec = await this.specOf(record);
    const sealed = await this.deps.sealer.seal(
      { observation, spec, outcome: outcomeOf(run, cancelled), log },
      signal,
    );
    journal.recordSealed(leaseId, attempt, sealed);
    this.deps.onStep?.("sealed", leaseId);
  }

  private async runOf(
    observation: AttemptObservation,
    ref: AttemptRef,
    signal: AbortSignal,
  ): Promise<RunRecord> {
    const { startedAt, finishedAt } = observation;
    const end = finishedAt ?? startedAt ?? observation.createdAt;
    return {
      exitCode: observation.exitCode ?? -1,
      outOfMemory: observation.outOfMemory ?? false,
      timeLimit: observation.timeLimit ?? false,
      imageDigest: observation.imageDigest ?? `0x${"00".repeat(32)}`,
      startedAt: startedAt ?? end,
      finishedAt: end,
      cpuSeconds: Math.round((await this.deps.driver.cpuSeconds(ref, signal).catch(() => undefined)) ?? 0),
    };
  }

  /** Fixes the content for ever, before anything is signed. */
  private async attest({ record, view }: LeaseContext): Promise<void> {
    const { run, sealed } = record;
    const head = this.deps.reader.lastReadable;
    if (run === undefined || sealed === undefined || head === undefined) return;
    const offset = head.head.timestamp - Math.floor(head.headSeenAt / 1000);
    const now = head.head.timestamp;
    const clock = { now, toChainTime: (seconds: number) => seconds + offset };
    // However late its block is, within the deadline, the claim must still be taken.
    const until = retainUntil(view.terms, Math.max(now, completeByOf(view.facts)));
    const attestation = attestationOf({ ...record, run, sealed }, until, clock);
    await this.deps.blobs.retain({ kind: "output", digest: sealed.ciphertextRoot }, until);
    const spec = await this.specOf(record);
    // The run is over: inputs that an adopted lease came without are not needed any more.
    const kept = record.adopted ? { ...spec, inputs: [] } : spec;
    await this.deps.material.retain(kept, record.order.specDigest, until);
    this.deps.journal.storeAttestation(attestation);
    this.deps.onStep?.("attested", record.leaseId);
  }

  private async complete(record: AttemptRecord, signal: AbortSignal): Promise<void> {
    const { attestation, leaseId, attempt } = record;
    if (attestation === undefined) return;
    const { account, deployment, journal, queue } = this.deps;
    const signature =
      record.signature ??
      (await account.signTypedData({
        domain: taskDomain(deployment.chainId, deployment.taskRegistry),
        types: outputAttestationTypes,
        primaryType: "OutputAttestation",
        message: attestation,
      }));
    journal.recordSignature(leaseId, attempt, signature);
    this.deps.onStep?.("signed", leaseId);
    await queue.submit({ name: "completeLease", args: [attestation, signature] }, signal);
    this.mark(record, "posted");
  }

  private specOf(record: AttemptRecord): Promise<TaskSpec> {
    return this.deps.material.spec(record.order);
  }

  private mark(record: AttemptRecord, step: StepName): void {
    this.deps.journal.mark(record.leaseId, record.attempt, step);
    this.deps.onStep?.(step, record.leaseId);
  }
}

/** How the run is attested to have ended; the sealer may find the output too large. */
export function outcomeOf(run: RunRecord, cancelled: boolean): Outcome {
  if (cancelled) return "Cancelled";
  if (run.timeLimit) return "TimeLimit";
  if (run.outOfMemory) return "OutOfMemory";
  return run.exitCode === 0 ? "Success" : "NonZeroExit";
}
