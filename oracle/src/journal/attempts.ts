import { DekuperError, type LeaseStatus, type Order, type OutputAttestation } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { SealedResult } from "../result/result.ts";
import type { Database, Row } from "./database.ts";
import { fromJson, toJson } from "./json.ts";

/** What is kept of a run once its main container has ended: the pod may vanish, this stays. Unix seconds. */
export interface RunRecord {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  readonly timeLimit: boolean;
  readonly imageDigest: Hex;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly cpuSeconds: number;
}

/** A checkpoint that is in the blob store, and with others. */
export interface StoredCheckpoint {
  /** sha-256 of the blob, which is its name and what the claim on chain says. */
  readonly digest: Hex;
  readonly size: number;
  /** sha-256 of the manifest that it was taken of: what is unchanged is not taken again. */
  readonly manifestDigest: Hex;
}

/** What a quorum's replica keeps to itself until its result is open (rule 21). */
export interface ReplicaSecrets {
  /** Age recipient that output and log are encrypted to, made for this attempt alone. */
  readonly recipient: string;
  /** Its identity, encrypted to the consumer: the only thing that opens the output. */
  readonly sealedKey: Hex;
  /** Of the commitment, 32 bytes. */
  readonly salt: Hex;
}

/** Steps that are a time and nothing else. */
export type StepName =
  | "accepted"
  | "ensured"
  | "pod_seen"
  | "inputs_sent"
  | "started"
  | "stop_asked"
  | "log_taken"
  | "committed"
  | "posted"
  | "released"
  | "key_given"
  | "settled"
  | "torn_down";

/** One attempt of one lease of this node, as the journal has it. */
export interface AttemptRecord {
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly taskId: Hex;
  readonly consumer: Address;
  readonly order: Order;
  readonly adopted: boolean;
  readonly steps: ReadonlySet<StepName>;
  readonly run?: RunRecord;
  readonly replica?: ReplicaSecrets;
  readonly sealed?: SealedResult;
  readonly attestation?: OutputAttestation;
  readonly signature?: Hex;
  /** The consumer's, that it has the output. */
  readonly receipt?: Hex;
  /** The final status that was seen on chain, once it was final: such an attempt never comes back. */
  readonly ended?: LeaseStatus;
  readonly failReason?: string;
  /** Seconds that the pod's clocks give the run. */
  readonly podSeconds?: number;
  /** The newest one. */
  readonly checkpoint?: StoredCheckpoint;
  /** What the attempt goes on from; null: it begins anew; undefined: not decided. */
  readonly resume?: StoredCheckpoint | null;
}

const STEPS: readonly StepName[] = [
  "accepted",
  "ensured",
  "pod_seen",
  "inputs_sent",
  "started",
  "stop_asked",
  "log_taken",
  "committed",
  "posted",
  "released",
  "key_given",
  "settled",
  "torn_down",
];

const SELECT = `SELECT attempts.*, attestations.content AS attestation, receipts.signature AS receipt FROM attempts
  LEFT JOIN attestations USING (lease_id, attempt) LEFT JOIN receipts USING (lease_id, attempt)`;

/** The steps of each lease attempt. Every method has written and synced when it returns. */
export class AttemptJournal {
  private readonly db: Database;
  private readonly now: () => number;

  /** `now` in Unix milliseconds. */
  constructor(db: Database, now: () => number) {
    this.db = db;
    this.now = now;
  }

  /** Opens an attempt, before its accept is sent; nothing changes when it is known already. */
  open(from: {
    leaseId: Hex;
    attempt: number;
    taskId: Hex;
    consumer: Address;
    order: Order;
    adopted?: boolean;
  }): void {
    this.db.run(
      `INSERT OR IGNORE INTO attempts (lease_id, attempt, task_id, consumer, order_json, adopted, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      from.leaseId,
      from.attempt,
      from.taskId,
      from.consumer,
      toJson(from.order),
      from.adopted ? 1 : 0,
      this.now(),
    );
  }

  /** Takes back an attempt whose accept came to nothing. One that was accepted stays. */
  forget(leaseId: Hex, attempt: number): void {
    this.db.run(
      "DELETE FROM attempts WHERE lease_id = ? AND attempt = ? AND accepted_at IS NULL AND ensured_at IS NULL",
      leaseId,
      attempt,
    );
  }

  /** Takes back an attempt that the chain does not know any more. One for which anything was made stays. */
  forgetUnmade(leaseId: Hex, attempt: number): boolean {
    return (
      this.db.run(
        "DELETE FROM attempts WHERE lease_id = ? AND attempt = ? AND ensured_at IS NULL AND pod_seen_at IS NULL",
        leaseId,
        attempt,
      ) > 0
    );
  }

  /** Marks a step; the first time stands. Returns whether it was new. */
  mark(leaseId: Hex, attempt: number, step: StepName): boolean {
    return (
      this.db.run(
        `UPDATE attempts SET ${step}_at = ? WHERE lease_id = ? AND attempt = ? AND ${step}_at IS NULL`,
        this.now(),
        leaseId,
        attempt,
      ) > 0
    );
  }

  recordRun(leaseId: Hex, attempt: number, run: RunRecord): void {
    this.set(leaseId, attempt, "run_json", toJson(run));
  }

  /** The first stands: a result is encrypted once more after a crash, but to nobody else. */
  recordReplica(leaseId: Hex, attempt: number, replica: ReplicaSecrets): void {
    this.set(leaseId, attempt, "replica_json", toJson(replica));
  }

  recordSealed(leaseId: Hex, attempt: number, sealed: SealedResult): void {
    this.set(leaseId, attempt, "sealed_json", toJson(sealed));
  }

  recordFailing(leaseId: Hex, attempt: number, reason: string): void {
    this.set(leaseId, attempt, "fail_reason", reason);
  }

  /** What the pod was made with, or was told since. */
  recordPodSeconds(leaseId: Hex, attempt: number, seconds: number): void {
    this.db.run(
      "UPDATE attempts SET pod_seconds = ? WHERE lease_id = ? AND attempt = ?",
      seconds,
      leaseId,
      attempt,
    );
  }

  recordCheckpoint(leaseId: Hex, attempt: number, checkpoint: StoredCheckpoint): void {
    this.db.run(
      "UPDATE attempts SET checkpoint_json = ? WHERE lease_id = ? AND attempt = ?",
      toJson(checkpoint),
      leaseId,
      attempt,
    );
  }

  /** Decides what the attempt goes on from; the first decision stands, and is what it claims until it has a newer one. */
  recordResume(leaseId: Hex, attempt: number, checkpoint: StoredCheckpoint | null): void {
    this.db.run(
      `UPDATE attempts SET resume_json = ?, checkpoint_json = coalesce(checkpoint_json, ?)
       WHERE lease_id = ? AND attempt = ? AND resume_json IS NULL`,
      toJson(checkpoint),
      checkpoint === null ? null : toJson(checkpoint),
      leaseId,
      attempt,
    );
  }

  recordEnded(leaseId: Hex, attempt: number, status: LeaseStatus): void {
    this.db.run(
      "UPDATE attempts SET ended_status = ?, ended_at = ? WHERE lease_id = ? AND attempt = ? AND ended_status IS NULL",
      status,
      this.now(),
      leaseId,
      attempt,
    );
  }

  /**
   * Stores the attestation before it is signed (rule 32). The first content stands for ever: the same again is fine,
   * anything else is refused, because two signed contents cost the node's stake.
   */
  storeAttestation(attestation: OutputAttestation): void {
    const content = toJson(attestation);
    this.db.transaction(() => {
      const { leaseId, attempt, ciphertextRoot } = attestation;
      this.db.run(
        "INSERT OR IGNORE INTO attestations (lease_id, attempt, content, ciphertext_root) VALUES (?, ?, ?, ?)",
        leaseId,
        attempt,
        content,
        ciphertextRoot,
      );
      const stored = this.db.get(
        "SELECT content FROM attestations WHERE lease_id = ? AND attempt = ?",
        leaseId,
        attempt,
      );
      if (stored?.content !== content)
        throw new DekuperError("INTERNAL", "Another attestation of this attempt is stored already.", {
          details: { leaseId, attempt },
        });
    });
  }

  recordSignature(leaseId: Hex, attempt: number, signature: Hex): void {
    this.set(leaseId, attempt, "signature", signature);
  }

  find(leaseId: Hex, attempt: number): AttemptRecord | undefined {
    const row = this.db.get(`${SELECT} WHERE lease_id = ? AND attempt = ?`, leaseId, attempt);
    return row === undefined ? undefined : record(row);
  }

  /** Everything that may still need something done. */
  live(): AttemptRecord[] {
    return this.db
      .all(`${SELECT} WHERE torn_down_at IS NULL OR ended_status IS NULL ORDER BY created_at`)
      .map(record);
  }

  /** The attempts that were opened last, whatever has become of them. */
  newest(limit: number): Pick<AttemptRecord, "consumer" | "order">[] {
    return this.db
      .all("SELECT consumer, order_json FROM attempts ORDER BY rowid DESC LIMIT ?", limit)
      .map((row) => ({
        consumer: row.consumer as Address,
        order: fromJson<Order>(row.order_json as string),
      }));
  }

  /** Nothing was ever written here. */
  isEmpty(): boolean {
    return this.db.get("SELECT 1 FROM attempts LIMIT 1") === undefined;
  }

  consumerOf(leaseId: Hex, attempt: number): Address | undefined {
    const row = this.db.get(
      "SELECT consumer FROM attempts WHERE lease_id = ? AND attempt = ?",
      leaseId,
      attempt,
    );
    return row?.consumer as Address | undefined;
  }

  outputOwner(ciphertextRoot: Hex): { leaseId: Hex; attempt: number } | undefined {
    const row = this.db.get(
      "SELECT lease_id, attempt FROM attestations WHERE ciphertext_root = ?",
      ciphertextRoot,
    );
    return row === undefined ? undefined : { leaseId: row.lease_id as Hex, attempt: row.attempt as number };
  }

  private set(leaseId: Hex, attempt: number, column: string, value: string): void {
    this.db.run(
      `UPDATE attempts SET ${column} = ? WHERE lease_id = ? AND attempt = ? AND ${column} IS NULL`,
      value,
      leaseId,
      attempt,
    );
  }
}

function record(row: Row): AttemptRecord {
  return {
    leaseId: row.lease_id as Hex,
    attempt: row.attempt as number,
    taskId: row.task_id as Hex,
    consumer: row.consumer as Address,
    order: fromJson<Order>(row.order_json as string),
    adopted: row.adopted === 1,
    steps: new Set(STEPS.filter((step) => row[`${step}_at`] !== null)),
    ...(row.run_json === null ? {} : { run: fromJson<RunRecord>(row.run_json as string) }),
    ...(row.replica_json === null ? {} : { replica: fromJson<ReplicaSecrets>(row.replica_json as string) }),
    ...(row.sealed_json === null ? {} : { sealed: fromJson<SealedResult>(row.sealed_json as string) }),
    ...(row.attestation === null
      ? {}
      : { attestation: fromJson<OutputAttestation>(row.attestation as string) }),
    ...(row.signature === null ? {} : { signature: row.signature as Hex }),
    ...(row.receipt === null ? {} : { receipt: row.receipt as Hex }),
    ...(row.ended_status === null ? {} : { ended: row.ended_status as LeaseStatus }),
    ...(row.fail_reason === null ? {} : { failReason: row.fail_reason as string }),
    ...(row.pod_seconds === null ? {} : { podSeconds: row.pod_seconds as number }),
    ...(row.checkpoint_json === null
      ? {}
      : { checkpoint: fromJson<StoredCheckpoint>(row.checkpoint_json as string) }),
    ...(row.resume_json === null
      ? {}
      : { resume: fromJson<StoredCheckpoint | null>(row.resume_json as string) }),
  };
}
