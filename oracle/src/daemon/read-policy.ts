import { isQuorum } from "@dekuper/protocol";
import { recoverAddress } from "viem";
import type { ChainReader } from "../chain/reader.ts";
import type { AttemptJournal } from "../journal/attempts.ts";
import type { FactStore } from "../journal/facts.ts";
import type { ReadPolicy } from "../peer/peer.ts";

/** Externally owned accounts by recovery; contract accounts by their own answer (ERC-1271). */
export function readPolicyOf(
  journal: AttemptJournal,
  store: Pick<FactStore, "wasGranted" | "hasSalt">,
  reader: ChainReader,
): ReadPolicy {
  return {
    consumerOf: (leaseId, attempt) => journal.consumerOf(leaseId, attempt),
    outputOwner: (root) => journal.outputOwner(root),
    specOf: (leaseId, attempt) => journal.find(leaseId, attempt)?.order.specDigest,
    isKeyHolder: (node, salt) => store.wasGranted(node, salt),
    isSealedFor: (leaseId, attempt, salt) => {
      const taskId = journal.find(leaseId, attempt)?.taskId;
      return taskId !== undefined && store.hasSalt(taskId, salt);
    },
    showsLog: (leaseId, attempt) => {
      const record = journal.find(leaseId, attempt);
      return record === undefined || !isQuorum(record.order) || record.steps.has("key_given");
    },
    verifySignature: async ({ consumer, digest, signature }) => {
      const recovered = await recoverAddress({ hash: digest, signature }).catch(() => undefined);
      if (recovered === consumer) return true;
      return reader
        .read((client) => client.verifyHash({ address: consumer, hash: digest, signature }))
        .catch(() => false);
    },
  };
}
