import { randomBytes } from "node:crypto";
import { type Deployment, isQuorum, resultCommitment, type TaskSpec } from "@dekuper/protocol";
import { type Address, bytesToHex, type Hex, hexToBytes } from "viem";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { AttemptJournal, AttemptRecord, ReplicaSecrets } from "../journal/attempts.ts";
import type { BlobStore } from "../peer/peer.ts";
import { newReplicaKey } from "../result/replica-key.ts";

export interface QuorumActionDeps {
  readonly deployment: Pick<Deployment, "chainId" | "taskRegistry">;
  readonly account: { readonly address: Address };
  readonly queue: Pick<TransactionQueue, "submit">;
  readonly journal: Pick<AttemptJournal, "recordReplica" | "mark">;
  readonly blobs: Pick<BlobStore, "create" | "retain" | "has">;
}

/** The steps of a quorum's replica (rule 21). Each is safe to repeat. */
export class QuorumActions {
  private readonly deps: QuorumActionDeps;

  constructor(deps: QuorumActionDeps) {
    this.deps = deps;
  }

  /** Whom the result is encrypted to: of a replica, a key of its own that nobody has before the vote. */
  async recipientOf(record: AttemptRecord, spec: TaskSpec): Promise<string> {
    if (!isQuorum(record.order)) return spec.output.recipient;
    return (record.replica ?? (await this.prepare(record, spec))).recipient;
  }

  /** Binds the node to its result. Everything that it takes to reveal it is on disk before. */
  async commit(record: AttemptRecord, signal: AbortSignal): Promise<void> {
    const { deployment, account, queue, journal } = this.deps;
    const { leaseId, attempt, attestation, replica } = record;
    if (attestation === undefined || replica === undefined) return;
    const commitment = resultCommitment({
      chainId: deployment.chainId,
      registry: deployment.taskRegistry,
      node: account.address,
      attestation,
      salt: replica.salt,
    });
    await queue.submit({ name: "commitResult", args: [leaseId, attempt, commitment] }, signal);
    journal.mark(leaseId, attempt, "committed");
  }

  async reveal(record: AttemptRecord, signal: AbortSignal): Promise<void> {
    const { attestation, signature, replica } = record;
    if (attestation === undefined || signature === undefined || replica === undefined) return;
    await this.deps.queue.submit(
      { name: "revealResult", args: [attestation, signature, replica.salt] },
      signal,
    );
  }

  async tally({ taskId }: AttemptRecord, signal: AbortSignal): Promise<void> {
    await this.deps.queue.submit({ name: "tallyResults", args: [taskId] }, signal);
  }

  /** From now on whoever has the consumer's token can have the key, which the consumer alone can read. */
  async giveKey({ attestation, replica }: AttemptRecord): Promise<void> {
    const { blobs } = this.deps;
    if (attestation === undefined || replica === undefined) return;
    const name = { kind: "output-key", digest: attestation.ciphertextRoot } as const;
    if ((await blobs.has(name)) === undefined) {
      const writer = await blobs.create();
      try {
        await writer.write(hexToBytes(replica.sealedKey));
      } catch (error) {
        await writer.abort();
        throw error;
      }
      await writer.commit(name);
    }
    await blobs.retain(name, Number(attestation.retainUntil));
  }

  private async prepare(record: AttemptRecord, spec: TaskSpec): Promise<ReplicaSecrets> {
    const { recipient, sealed } = await newReplicaKey(spec.output.recipient);
    const salt: Hex = bytesToHex(randomBytes(32));
    const replica = { recipient, sealedKey: bytesToHex(sealed), salt };
    this.deps.journal.recordReplica(record.leaseId, record.attempt, replica);
    return replica;
  }
}
