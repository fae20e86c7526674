import {
  type BlobName,
  DekuperError,
  type Deployment,
  decodeSpec,
  isDekuperError,
  MAX_SPEC_BYTES,
  outputAttestationTypes,
  type ReadToken,
  sealedSize,
  type TaskSpec,
  taskDomain,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { AcceptedAttestation, TaskDetail } from "../chain/timeline.ts";
import type { ConsumerPeer } from "../consumer-peer.ts";
import { type OutputKey, signReadToken, signReceipt, type TypedDataSigner } from "../keys.ts";
import type { Market } from "../market.ts";
import { sourceOf } from "../seed.ts";
import { findTaskKey } from "../task-key.ts";
import { type CiphertextStore, downloadCiphertext } from "./ciphertext.ts";
import { decryptDelivery } from "./decrypt.ts";
import { fetchReplicaKey, hasWon, withheldReason } from "./replica-key.ts";
import { type DeliverySink, type VerifiedDelivery, verifyAttestation, verifyDelivery } from "./verify.ts";

/** A delivery that was fetched, opened and found to be as attested. */
export interface FetchedDelivery extends VerifiedDelivery {
  readonly detail: TaskDetail;
  readonly node: Address;
  readonly accepted: AcceptedAttestation;
  readonly spec: TaskSpec;
  readonly receipt: ReceiptState;
}

/**
 * Whether the node has the consumer's receipt. `not-needed`: the lease is paid already. `declined`: the consumer did not want to
 * sign, or has a claim open. `not-taken`: it could not be handed over, which takes nothing from the delivery.
 */
export type ReceiptState =
  | { readonly kind: "given" | "not-needed" | "declined" }
  | { readonly kind: "not-taken"; readonly reason: string };

/** A completed lease with its checked attestation: what there is to fetch, and from whom. `detail.lease` is that lease. */
export interface DeliveryFacts {
  readonly detail: TaskDetail;
  readonly node: Address;
  readonly accepted: AcceptedAttestation;
}

/**
 * Finds the attestation of a lease (of a task: its first, of a quorum: its first that has won) on chain and checks it.
 * `WRONG_STATE` before the end, and for replicas whose output is handed to nobody.
 */
export async function findDelivery(market: Market, id: Hex): Promise<DeliveryFacts> {
  const found = await market.taskDetail(id);
  const { task } = found;
  const winner =
    found.ballot === undefined || id !== task.taskId
      ? undefined
      : found.leases.find((lease) => hasWon(found, lease));
  const lease = winner ?? found.lease;
  const detail = { ...found, lease };
  const withheld = withheldReason(found, lease);
  if (withheld !== undefined)
    throw new DekuperError("WRONG_STATE", `Replica ${lease.index} of task ${task.taskId}: ${withheld}.`, {
      details: { taskId: task.taskId, member: lease.index, state: lease.state },
    });
  const accepted = lease.attestation;
  if (accepted === undefined || lease.node === undefined) {
    throw new DekuperError(
      "WRONG_STATE",
      `Task ${task.taskId} is ${lease.state}: there is no attested output to fetch.`,
      { details: { taskId: task.taskId, member: lease.index, state: lease.state } },
    );
  }
  const { deployment } = market.network;
  await verifyAttestation(accepted, { ...lease, specDigest: task.specDigest, node: lease.node }, deployment);
  return { detail, node: lease.node, accepted };
}

/**
 * Gets the ciphertext from the lease's node, verifies, decrypts and unpacks it into the sink. Everything is checked
 * against the attestation on chain; on any error what the sink holds is worthless.
 */
export async function fetchDelivery(from: {
  market: Market;
  peer: ConsumerPeer;
  signer: TypedDataSigner;
  key: OutputKey;
  id: Hex;
  store: CiphertextStore;
  sink: DeliverySink;
  /** A spec kept from submitting; otherwise it is fetched by its digest. */
  spec?: TaskSpec | undefined;
  /** Signs a receipt once everything is verified, and hands it to the node [false]. */
  givesReceipt?: boolean | undefined;
  onProgress?: ((received: number, size: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<FetchedDelivery> {
  const { market, peer, signer, key, store, sink, signal } = from;
  const facts = await findDelivery(market, from.id);
  const { detail, node, accepted } = facts;
  const { deployment } = market.network;
  const sign = () => signReadToken(signer, deployment, detail.lease, "output");
  // Nodes give specs to each other only; the lease's node gives it to its consumer too. One signature serves all reads.
  const isReplica = detail.ballot !== undefined;
  let token: ReadToken | undefined = from.spec === undefined || isReplica ? await sign() : undefined;
  const { isPrivate, specDigest, taskId } = detail.task;
  const spec =
    from.spec ??
    (isPrivate
      ? await fetchSealedSpec({ market, peer, key, taskId, specDigest, node, token, signal })
      : await fetchSpec(market, peer, specDigest, [{ node, token }], signal));
  if (spec.output.recipient !== key.recipient) {
    throw new DekuperError("READ_DENIED", "The output is encrypted to another key than this one.", {
      details: { recipient: spec.output.recipient, key: key.recipient },
      hint: "Use the wallet, or the --age-key file, that the task was submitted with.",
    });
  }
  const { ciphertextRoot } = accepted.attestation;
  const opener =
    isReplica && token !== undefined
      ? await fetchReplicaKey({ peer, node, ciphertextRoot, token, key, signal })
      : key;
  await downloadCiphertext({
    peer,
    node,
    attestation: accepted.attestation,
    token: async () => {
      const first = token ?? (await sign());
      token = undefined;
      return first;
    },
    store,
    onProgress: from.onProgress,
    signal,
  });
  const verified = await verifyDelivery(
    decryptDelivery(store.read(), opener),
    { attestation: accepted.attestation, salt: spec.salt },
    sink,
  );
  return { ...facts, ...verified, spec, receipt: await giveReceipt(from, facts) };
}

/** While the delivery may still be disputed, the node's proof that it happened. */
async function giveReceipt(
  { market, peer, signer, signal, givesReceipt = false }: Parameters<typeof fetchDelivery>[0],
  { detail: { lease }, node, accepted }: DeliveryFacts,
): Promise<ReceiptState> {
  if (lease.status !== "Completed" && lease.status !== "Disputed") return { kind: "not-needed" };
  // Who has claimed does not answer the claim against itself: the bond would be the node's.
  if (!givesReceipt || lease.status === "Disputed") return { kind: "declined" };
  try {
    const receipt = await signReceipt(signer, market.network.deployment, lease, accepted.attestation);
    await peer.giveReceipt(node, receipt, { signal });
    return { kind: "given" };
  } catch (error) {
    signal?.throwIfAborted();
    // A wallet that refuses, a node that is gone or knows no receipts: the files are here and right.
    return { kind: "not-taken", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** A task's public spec by its digest, from the first of the preferred nodes, then of all others, that has it. */
export async function fetchSpec(
  market: Market,
  peer: ConsumerPeer,
  digest: Hex,
  preferred: readonly { readonly node: Address; readonly token?: ReadToken | undefined }[] = [],
  signal?: AbortSignal,
): Promise<TaskSpec> {
  let last: unknown;
  const tryNode = async (node: Address, token?: ReadToken) => {
    try {
      return decodeSpec(
        await readSmallBlob(peer, node, { kind: "spec", digest }, MAX_SPEC_BYTES, token, signal),
        digest,
      );
    } catch (error) {
      if (signal?.aborted || !isDekuperError(error)) throw error;
      last = error;
      return undefined;
    }
  };
  for (const { node, token } of preferred) {
    const spec = await tryNode(node, token);
    if (spec !== undefined) return spec;
  }
  for (const { address, status } of await market.nodes()) {
    if (status === "Retired" || preferred.some(({ node }) => node === address)) continue;
    const spec = await tryNode(address);
    if (spec !== undefined) return spec;
  }
  throw new DekuperError("BLOB_NOT_FOUND", "No reachable node has the task's spec.", {
    details: { specDigest: digest },
    cause: last,
    hint: "Fetch from the machine that submitted the task: it keeps the spec.",
  });
}

/** A private task's spec from the node of its lease, opened with the key that the consumer derives again. */
async function fetchSealedSpec(from: {
  market: Market;
  peer: ConsumerPeer;
  key: OutputKey;
  taskId: Hex;
  specDigest: Hex;
  node: Address;
  token: ReadToken | undefined;
  signal: AbortSignal | undefined;
}): Promise<TaskSpec> {
  const { market, peer, node, token, signal } = from;
  const { key, specBlob } = await findTaskKey(market, from.key, from.taskId);
  const name = { kind: "sealed", digest: specBlob } as const;
  const sealed = await readSmallBlob(peer, node, name, sealedSize(MAX_SPEC_BYTES), token, signal);
  return decodeSpec(await whole(key.open(sourceOf(sealed).open(0)), MAX_SPEC_BYTES, node), from.specDigest);
}

/** The typed data that the operator signed, as anyone may check it with their own tools. */
export function attestationTypedData(accepted: AcceptedAttestation, deployment: Deployment) {
  return {
    domain: taskDomain(deployment.chainId, deployment.taskRegistry),
    types: outputAttestationTypes,
    primaryType: "OutputAttestation",
    message: accepted.attestation,
  } as const;
}

async function readSmallBlob(
  peer: ConsumerPeer,
  node: Address,
  name: BlobName,
  maxBytes: number,
  token?: ReadToken,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const options = { ...(token === undefined ? {} : { token }), ...(signal === undefined ? {} : { signal }) };
  return whole(peer.getBlob(node, name, options), maxBytes, node);
}

async function whole(parts: AsyncIterable<Uint8Array>, maxBytes: number, node: Address): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of parts) {
    size += bytes.length;
    if (size > maxBytes)
      throw new DekuperError("BLOB_CORRUPT", `${node} sends a spec of more than ${maxBytes} bytes.`);
    all.push(bytes.slice());
  }
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of all) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
