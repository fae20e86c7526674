import {
  type Deployment,
  isDekuperError,
  isQuorum,
  type Outcome,
  type OutputAttestation,
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
import type {
  AttemptJournal,
  AttemptRecord,
  RunRecord,
  StepName,
  StoredCheckpoint,
} from "../journal/attempts.ts";
import type { DeliveryJournal } from "../journal/deliveries.ts";
import type { BlobStore } from "../peer/peer.ts";
import type { LeaseAction, StopCause } from "../plan/plan.ts";
import { podClocks } from "../plan/pod-clock.ts";
import type { ResultSealer } from "../result/result.ts";
import { attestationOf, lastTallyOf, retainUntil } from "./attestation.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { LeaseView } from "./lease-facts.ts";
import type { LogCapture } from "./log-capture.ts";
import type { MaterialStore } from "./material.ts";
import { QuorumActions } from "./quorum-actions.ts";

export interface LeaseActionDeps {
  readonly deployment: Deployment;
  readonly account: PrivateKeyAccount;
  readonly reader: ChainReader;
  readonly queue: TransactionQueue;
  readonly driver: ClusterDriver;
  readonly sealer: ResultSealer;
  readonly journal: AttemptJournal;
  readonly deliveries: Pick<DeliveryJournal, "dropReceipt">;
  readonly blobs: BlobStore;
  readonly logs: LogCapture;
  readonly material: MaterialStore;
  readonly checkpoints: Pick<Checkpoints, "newest" | "fetch" | "files" | "stop">;
  /** After each journalled step. */
  readonly onStep?: ((step: string, leaseId: Hex) => void) | undefined;
  /** Longest that a checkpoint claim holds up its lease, milliseconds [60000]. */
  readonly claimMs?: number | undefined;
}

const CLAIM_MS = 60_000;
/** Steps of an adopted lease for which its material may have to be fetched again, and how much of it. */
const NEEDS: Partial<Record<LeaseAction["kind"], "spec" | "all">> = {
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
  private readonly quorum: QuorumActions;
  private readonly claimMs: number;

  constructor(deps: LeaseActionDeps) {
    this.deps = deps;
    this.quorum = new QuorumActions(deps);
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
    if (needs !== undefined) await this.deps.material.recover(record, needs, signal);
    switch (action.kind) {
      case "fetchMaterial":
        return this.deps.material.fetch(leaseId, record, this.now(), signal);
      case "ensureAttempt":
        return this.ensure(context, ref, signal);
      case "sendInputs": {
        const spec = await this.specOf(record);
        const read = (digest: Hex) => this.deps.material.input(record, spec, digest);
        const checkpoint = await this.deps.checkpoints.files(record);
        await driver.sendInputs(ref, spec, read, signal, checkpoint);
        return this.mark(record, "inputs_sent");
      }
      case "startLease":
        await queue.submit({ name: "startLease", args: [leaseId, attempt] }, signal);
        return this.mark(record, "started");
      case "claimCheckpoint":
        return this.claim(action.step, record, ref, signal);
      case "extendRun":
        await driver.extendRun(ref, podClocks(context.view.terms, action.seconds), signal);
        return this.deps.journal.recordPodSeconds(leaseId, attempt, action.seconds);
      case "stopMain":
        await driver.stopMain(ref, signal);
        return this.mark(record, "stop_asked");
      case "seal":
        return this.seal(context, action.stopped, ref, signal);
      case "attest":
        return this.attest(context);
      case "complete":
        return this.complete(record, signal);
      case "commit":
        // Signed first: from the commitment on, not revealing it costs the node its lock.
        if (record.attestation !== undefined) await this.sign(record, record.attestation);
        return this.quorum.commit(record, signal);
      case "reveal":
        await this.quorum.reveal(record, signal);
        return this.mark(record, "posted");
      case "tally":
        return this.quorum.tally(record, signal);
      case "giveKey":
        await this.quorum.giveKey(record);
        return this.mark(record, "key_given");
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
      case "lapseClaim":
        await queue.submit({ name: "lapseClaim", args: [leaseId] }, signal);
        return;
      case "answerWithReceipt":
        return this.answer(record, signal);
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
    const { leaseId, attempt, taskId } = record;
    const { journal, material, driver } = this.deps;
    const spec = await this.specOf(record);
    const { terms, state } = view;
    const { maxSeconds } = state;
    const clocks = podClocks(terms, maxSeconds);
    // A run outlasts what is kept of data that nobody retains; its spec is needed until it is attested.
    const until = retainUntil(terms, this.now() + Math.max(clocks.deadlineSeconds, record.order.maxDuration));
    await material.retain(record, spec, until);
    const resume = await this.resumeOf(record, view, signal);
    journal.recordPodSeconds(leaseId, attempt, maxSeconds);
    await driver.ensureAttempt(
      {
        ...ref,
        ...clocks,
        taskId,
        spec,
        resumes: resume !== null,
        ...(terms.isGang ? { rank: { index: state.index, count: terms.leaseCount } } : {}),
      },
      signal,
    );
    this.mark(record, "ensured");
  }

  /** Decided once, before the pod is made: it waits for its checkpoint, or there is none. */
  private async resumeOf(
    record: AttemptRecord,
    { state }: LeaseView,
    signal: AbortSignal,
  ): Promise<StoredCheckpoint | null> {
    if (record.resume !== undefined) return record.resume;
    if (record.attempt === 1 || BigInt(state.checkpointDigest) === 0n) return null;
    // The rest of the start window is for the pod: its image, its inputs and this checkpoint.
    const share = (state.deadline - this.now()) / 3;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.floor(share)) * 1000)]);
    const maxBytes = Number(record.order.storageMiB) * 2 ** 20;
    const resume = await this.deps.checkpoints.fetch(record, state.checkpointDigest, {
      maxBytes,
      signal: limited,
    });
    signal.throwIfAborted();
    this.deps.journal.recordResume(record.leaseId, record.attempt, resume);
    return resume;
  }

  /** The newest checkpoint that another node could go on from, else what there is of CHECKPOINT_DIR or the log so far. */
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
      const stored = await this.deps.checkpoints.newest(record, ref, this.claimMs / 2);
      const digest = stored?.digest ?? (await this.progressDigest(record, ref, signal));
      await queue.submit({ name: "checkpoint", args: [...claimed, digest] }, soon);
    } catch (error) {
      signal.throwIfAborted();
      // It stays in the queue. Whoever waited longer would not see the run end, and its result has a deadline.
      if (!isDekuperError(error, "TIMED_OUT")) throw error;
    }
  }

  private async progressDigest(record: AttemptRecord, ref: AttemptRef, signal: AbortSignal): Promise<Hex> {
    const { salt } = await this.specOf(record);
    return saltedDigest(salt, await this.progressOf(ref, signal));
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
    stopped: StopCause | undefined,
    ref: AttemptRef,
    signal: AbortSignal,
  ): Promise<void> {
    if (observation === undefined) return;
    const { journal, checkpoints } = this.deps;
    const { leaseId, attempt } = record;
    await checkpoints.stop(ref);
    const run = record.run ?? (await this.runOf(observation, ref, signal));
    journal.recordRun(leaseId, attempt, run);
    const log = await this.deps.logs.finish(ref, signal);
    this.mark(record, "log_taken");
    const spec = await this.specOf(record);
    const recipient = await this.quorum.recipientOf(record, spec);
    const sealed = await this.deps.sealer.seal(
      { observation, spec, outcome: outcomeOf(run, stopped), log, recipient },
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
    const until = retainUntil(view.terms, lastClaimOf(record, view, now));
    const attestation = attestationOf({ ...record, run, sealed }, until, clock);
    await this.deps.blobs.retain({ kind: "output", digest: sealed.ciphertextRoot }, until);
    const spec = await this.specOf(record);
    // The run is over: inputs that an adopted lease came without are not needed any more.
    const kept = record.adopted ? { ...spec, inputs: [] } : spec;
    await this.deps.material.retain(record, kept, until);
    this.deps.journal.storeAttestation(attestation);
    this.deps.onStep?.("attested", record.leaseId);
  }

  private async complete(record: AttemptRecord, signal: AbortSignal): Promise<void> {
    const { attestation } = record;
    if (attestation === undefined) return;
    const signature = await this.sign(record, attestation);
    await this.deps.queue.submit({ name: "completeLease", args: [attestation, signature] }, signal);
    this.mark(record, "posted");
  }

  /** Signs what is stored; the signature is on disk before it goes anywhere. */
  private async sign(record: AttemptRecord, attestation: OutputAttestation): Promise<Hex> {
    const { account, deployment, journal } = this.deps;
    const signature =
      record.signature ??
      (await account.signTypedData({
        domain: taskDomain(deployment.chainId, deployment.taskRegistry),
        types: outputAttestationTypes,
        primaryType: "OutputAttestation",
        message: attestation,
      }));
    journal.recordSignature(record.leaseId, record.attempt, signature);
    this.deps.onStep?.("signed", record.leaseId);
    return signature;
  }

  /** A receipt that the contract does not take is none: attesters must say then what is so. */
  private async answer({ leaseId, attempt, receipt }: AttemptRecord, signal: AbortSignal): Promise<void> {
    if (receipt === undefined) return;
    try {
      await this.deps.queue.submit({ name: "answerWithReceipt", args: [leaseId, receipt] }, signal);
    } catch (error) {
      if (isDekuperError(error, "TRANSACTION_REVERTED") && error.details.reason === "WrongReceipt")
        this.deps.deliveries.dropReceipt(leaseId, attempt);
      throw error;
    }
  }

  /** Chain time. */
  private now(): number {
    return this.deps.reader.lastReadable?.head.timestamp ?? 0;
  }

  private specOf(record: AttemptRecord): Promise<TaskSpec> {
    return this.deps.material.spec(record);
  }

  private mark(record: AttemptRecord, step: StepName): void {
    this.deps.journal.mark(record.leaseId, record.attempt, step);
    this.deps.onStep?.(step, record.leaseId);
  }
}

/** How the run is attested to have ended; the sealer may find the output too large. */
export function outcomeOf(run: RunRecord, stopped: StopCause | undefined): Outcome {
  if (stopped === "cancelled") return "Cancelled";
  if (stopped === "peer-lost") return "PeerLost";
  if (run.timeLimit || stopped === "time-limit") return "TimeLimit";
  if (run.outOfMemory) return "OutOfMemory";
  return run.exitCode === 0 ? "Success" : "NonZeroExit";
}

/**
 * The last second at which the end-of-run claim can be taken. A gang's clock may stand, and go on, before it is; a replica's
 * result is wanted once the slowest of the others has revealed its own.
 */
function lastClaimOf({ order }: AttemptRecord, { terms, state, facts }: LeaseView, now: number): number {
  if (isQuorum(order)) return Math.max(now, lastTallyOf(terms, order.maxDuration));
  const latest = terms.isGang ? now + podClocks(terms, state.maxSeconds).deadlineSeconds : facts.completeBy;
  return Math.max(now, latest);
}
