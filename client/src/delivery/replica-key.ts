import { DekuperError, isDekuperError, type ReadToken } from "@dekuper/protocol";
import { Decrypter } from "age-encryption";
import type { Address, Hex } from "viem";
import type { TaskSummary } from "../chain/tasks.ts";
import type { ConsumerPeer } from "../consumer-peer.ts";
import { type OutputKey, readAgeKey } from "../keys.ts";
import { pause } from "./ciphertext.ts";

/** Most bytes of a replica's key: an age file that holds one identity. */
const MAX_KEY_BYTES = 4_096;
/** A replica hands its key over once its win is final: for so long it is asked again. */
const FINALITY_MS = 60_000;
const POLL_MS = 2_000;

/** Why a lease's output cannot be had by anybody, however its run has ended; undefined: it can, or the lease is no replica. */
export function withheldReason(
  { ballot, task }: Pick<TaskSummary, "ballot" | "task">,
  { state }: TaskSummary["lease"],
): string | undefined {
  if (ballot === undefined) return undefined;
  if (ballot.isTallied && !ballot.hasWinner)
    return `no ${task.threshold} of ${task.leaseCount} results were alike, so none is handed over`;
  if (state === "Failed") return "its result was not among those that agreed";
  return state === "Committed" || state === "Revealed" ? "the results are not counted yet" : undefined;
}

/** Whether a replica's result is among those that agreed, or was stopped by its consumer: its key is handed over. */
export function hasWon(summary: Pick<TaskSummary, "ballot" | "task">, lease: TaskSummary["lease"]): boolean {
  const isDone = ["Completed", "Settled", "Disputed"].includes(lease.state);
  return isDone && withheldReason(summary, lease) === undefined;
}

/**
 * The key of one replica's output (rule 21), which its node encrypted to the consumer's `key` and kept back until it had won.
 * Asks again while the win is not final. `ATTESTATION_INVALID`: the node gives something else, so the output stays shut.
 */
export async function fetchReplicaKey(from: {
  peer: Pick<ConsumerPeer, "getBlob">;
  node: Address;
  /** Of the output that it opens. */
  ciphertextRoot: Hex;
  token: ReadToken;
  key: OutputKey;
  /** How long to wait for the node to know that its win is final, milliseconds [60000]. */
  patienceMs?: number | undefined;
  signal?: AbortSignal | undefined;
}): Promise<OutputKey> {
  const { node, key, signal, patienceMs = FINALITY_MS } = from;
  for (let left = patienceMs; ; left -= POLL_MS) {
    try {
      return await open(await receive(from), node, key);
    } catch (error) {
      if (!isDekuperError(error, "BLOB_NOT_FOUND")) throw error;
      if (left <= 0)
        throw new DekuperError("BLOB_NOT_FOUND", `${node} has not handed over the key of its output.`, {
          details: { node, ciphertextRoot: from.ciphertextRoot },
          hint: "It does so once the count of the votes is final: try again in a few minutes.",
          cause: error,
        });
    }
    await pause(POLL_MS, signal);
  }
}

async function receive({
  peer,
  node,
  ciphertextRoot,
  token,
  signal,
}: Parameters<typeof fetchReplicaKey>[0]): Promise<Uint8Array> {
  const parts: number[] = [];
  const name = { kind: "output-key", digest: ciphertextRoot } as const;
  for await (const part of peer.getBlob(node, name, { token, signal })) {
    parts.push(...part);
    if (parts.length > MAX_KEY_BYTES)
      throw new DekuperError("BLOB_CORRUPT", `${node} sends a key of more than ${MAX_KEY_BYTES} bytes.`);
  }
  return Uint8Array.from(parts);
}

async function open(sealed: Uint8Array, node: Address, { identity }: OutputKey): Promise<OutputKey> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  try {
    return await readAgeKey(await decrypter.decrypt(sealed, "text"));
  } catch (cause) {
    throw new DekuperError("ATTESTATION_INVALID", `What ${node} gives as the key of its output is none.`, {
      details: { node },
      cause,
    });
  }
}
