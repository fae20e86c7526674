import {
  attestationDigest,
  DekuperError,
  type Deployment,
  type Receipt,
  receiptDigest,
} from "@dekuper/protocol";
import type { AttemptJournal } from "../journal/attempts.ts";
import type { DeliveryJournal } from "../journal/deliveries.ts";
import type { ReadPolicy } from "../peer/peer.ts";

export interface ReceiptDeps {
  readonly deployment: Deployment;
  readonly attempts: Pick<AttemptJournal, "find">;
  readonly journal: Pick<DeliveryJournal, "receipt" | "recordReceipt">;
  readonly policy: Pick<ReadPolicy, "verifySignature">;
}

/**
 * Keeps a consumer's receipt of an output of this node (rule 20), before the consumer is told that it was taken. `NOT_FOUND`
 * where this node has attested no such output, `NOT_ALLOWED` where the signature is not its consumer's.
 */
export async function takeReceipt(deps: ReceiptDeps, receipt: Receipt): Promise<void> {
  const { deployment, attempts, journal, policy } = deps;
  const { leaseId, attempt, signature } = receipt;
  const record = attempts.find(leaseId, attempt);
  if (
    record?.attestation === undefined ||
    attestationDigest(record.attestation) !== receipt.attestationDigest
  )
    throw new DekuperError("NOT_FOUND", "This node has attested no such output.", {
      details: { leaseId, attempt },
    });
  if (journal.receipt(leaseId, attempt) === signature) return;
  const { consumer } = record;
  const digest = receiptDigest(deployment, receipt);
  if (!(await policy.verifySignature({ consumer, digest, signature })))
    throw new DekuperError("NOT_ALLOWED", "The receipt's signature is not the consumer's.", {
      details: { leaseId, attempt, consumer },
    });
  journal.recordReceipt(leaseId, attempt, signature);
}
