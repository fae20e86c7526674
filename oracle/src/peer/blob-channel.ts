import { type BlobName, type BlobRequest, DekuperError, sealedSalt } from "@dekuper/protocol";
import { type Call, sendAnswer } from "./channel-server.ts";
import type { CountPeer } from "./options.ts";
import type { BlobStore } from "./peer.ts";
import { denied, type ReadAccess } from "./read-access.ts";

type Put = Extract<BlobRequest, { op: "put" }>;
type Get = Extract<BlobRequest, { op: "get" }>;

/**
 * `/blob/1`. Public specs and inputs are given to registered Active nodes: their peer key is the proof. A private task's are
 * sealed, and given to the nodes that were handed its key. Outputs, and the spec of one's own lease, are given on the consumer's
 * token. Nobody can list; whoever knows a public spec's or input's digest may ask whether it is here, since putting it would tell
 * as much. Checkpoints go between registered nodes only.
 */
export function serveBlobs(options: { store: BlobStore; access: ReadAccess; count: CountPeer }) {
  return async (call: Call<BlobRequest>): Promise<void> => {
    const { request } = call;
    if (request.op === "has") await has(options, call);
    else if (request.op === "get") await get(options, call as Call<Get>);
    else await put(options, call as Call<Put>);
  };
}

async function has(
  { store, access }: { store: BlobStore; access: ReadAccess },
  { request, remote, stream }: Call<BlobRequest>,
): Promise<void> {
  if (isOutput(request.name)) throw denied("outputs are named by whoever may read them");
  if (request.name.kind === "checkpoint" && remote.node === undefined)
    throw denied("only registered nodes ask for checkpoints");
  if (request.name.kind === "sealed")
    await access.demandSealed(undefined, remote.node, await saltOf(store, request.name));
  await sendAnswer(stream, { ok: true, size: (await demandSize(store, request)).size });
}

async function get(
  { store, access, count }: { store: BlobStore; access: ReadAccess; count: CountPeer },
  { request, remote, stream, signal }: Call<Get>,
): Promise<void> {
  const { name, offset, token } = request;
  if (isOutput(name)) await access.demandOutput(token, name.digest);
  else if (name.kind === "sealed") await access.demandSealed(token, remote.node, await saltOf(store, name));
  else if (name.kind === "spec" && token !== undefined) await access.demandSpec(token, name.digest);
  else if (remote.node?.active !== true)
    throw denied("only registered, active nodes read specs, inputs and checkpoints");
  const { size } = await demandSize(store, request);
  if (offset > size) throw new DekuperError("MESSAGE_INVALID", `Byte ${offset} of ${size} was asked for.`);
  await sendAnswer(stream, { ok: true, size, offset });
  if (offset === size) return;
  try {
    for await (const part of store.read(name, offset)) {
      await stream.write(part, signal);
      count("blob_bytes_out", part.length);
    }
  } catch (error) {
    // Bytes are on their way: an answer now would be read as part of the blob. The reset says it.
    stream.abort(error instanceof Error ? error : new Error(String(error)));
  }
}

async function put(
  { store, count }: { store: BlobStore; count: CountPeer },
  { request, remote, stream, signal }: Call<Put>,
): Promise<void> {
  const { name, size } = request;
  if (isOutput(name)) throw new DekuperError("NOT_ALLOWED", "Outputs are not taken from others.");
  if (name.kind === "checkpoint" && remote.node === undefined)
    throw new DekuperError("NOT_ALLOWED", "Checkpoints are taken from registered nodes only.");
  if ((await store.renew(name)) !== undefined) {
    await sendAnswer(stream, { ok: true, size, offset: size });
    await sendAnswer(stream, { ok: true });
    return;
  }
  const partial = await store.partialSize(name, remote.owner);
  const offset = partial > size ? 0 : partial;
  await sendAnswer(stream, { ok: true, size, offset });
  const counted = async function* () {
    for await (const part of stream.bytes(size - offset, signal)) {
      count("blob_bytes_in", part.length);
      yield part;
    }
  };
  await store.put(name, size, { owner: remote.owner, offset, bytes: counted() });
  await sendAnswer(stream, { ok: true });
}

/** Of the task key that a blob was sealed under; undefined where there is no such blob here, or it is not sealed. */
async function saltOf(store: BlobStore, name: BlobName) {
  if ((await store.has(name)) === undefined) return undefined;
  for await (const head of store.read(name)) return sealedSalt(head);
  return undefined;
}

/** Named by its ciphertext's root, as is the key that opens it. */
function isOutput({ kind }: BlobName): boolean {
  return kind === "output" || kind === "output-key";
}

async function demandSize(store: BlobStore, { name }: BlobRequest): Promise<{ size: number }> {
  const found = await store.has(name);
  if (found === undefined) throw new DekuperError("BLOB_NOT_FOUND", `This node has no such ${name.kind}.`);
  return found;
}
