import { type BlobSource, type Digest, digestOf, type TaskKey } from "@dekuper/protocol";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "viem";
import { sourceOf } from "./seed.ts";
import { type PreparedTask, prepareTask, type TaskInput } from "./task.ts";

/** What rests at nodes in the place of a plain blob. */
export interface SealedBlob {
  /** sha-256 of the sealed bytes. */
  readonly digest: Digest;
  readonly source: BlobSource;
}

/** Inputs as nodes get them of a private task: each is read once, to name what it is when sealed. */
export async function sealInputs(
  inputs: readonly TaskInput[],
  key: TaskKey,
  signal?: AbortSignal,
): Promise<TaskInput[]> {
  const sealed: TaskInput[] = [];
  for (const input of inputs) {
    const source = await key.sealSource(input.source, input.digest);
    const hash = sha256.create();
    for await (const bytes of source.open(0)) {
      signal?.throwIfAborted();
      hash.update(bytes);
    }
    sealed.push({ ...input, sealed: { digest: bytesToHex(hash.digest()), source } });
  }
  return sealed;
}

/** A private task from what `prepareTask` takes: inputs and spec are sealed under its key, ready to be put on nodes. */
export async function preparePrivateTask(
  from: Parameters<typeof prepareTask>[0],
  key: TaskKey,
  signal?: AbortSignal,
): Promise<PreparedTask> {
  const inputs = await sealInputs(from.inputs, key, signal);
  return sealTask(prepareTask({ ...from, inputs }), key);
}

/** A prepared private task with its spec sealed. */
export async function sealTask(task: PreparedTask, key: TaskKey): Promise<PreparedTask> {
  const source = await key.sealSource(sourceOf(task.specBytes), digestOf(task.specBytes));
  const hash = sha256.create();
  for await (const bytes of source.open(0)) hash.update(bytes);
  return { ...task, sealed: { key, spec: { digest: bytesToHex(hash.digest()), source } } };
}
