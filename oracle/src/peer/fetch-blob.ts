import {
  type BlobName,
  callGet,
  DekuperError,
  type DirectoryNode,
  FramedStream,
  isDekuperError,
} from "@dekuper/protocol";
import type { Stream } from "@libp2p/interface";
import { SELF } from "./blob-store.ts";
import type { CountPeer, PeerLog } from "./options.ts";
import type { BlobStore } from "./peer.ts";

const IDLE_MS = 20_000;
/** How often one peer is asked again to go on where it was cut. */
const RESUMES = 3;

export interface FetchDependencies {
  /** Registered, active nodes to ask, connected ones first. */
  candidates(): readonly DirectoryNode[];
  openBlobStream(node: DirectoryNode, signal: AbortSignal): Promise<Stream>;
  store: BlobStore;
  log: PeerLog;
  count: CountPeer;
}

/** Gets a public blob from whichever node has it: resumed where one was cut, verified, and from the next one where one fails. */
export async function fetchBlob(
  dependencies: FetchDependencies,
  name: BlobName,
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const { store, log, count } = dependencies;
  if ((await store.has(name)) !== undefined) return;
  let asked = 0;
  for (const node of dependencies.candidates()) {
    asked++;
    for (let resume = 0; resume <= RESUMES; resume++) {
      signal.throwIfAborted();
      const before = await store.partialSize(name, SELF);
      try {
        await fetchFrom(dependencies, node, name, maxBytes, signal);
        count("blobs_fetched");
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (isDekuperError(error, "DISK_FULL") || isDekuperError(error, "BLOB_QUOTA")) throw error;
        log.debug({ node: node.node, blob: name.digest, reason: String(error) }, "blob-fetch-failed");
        // An earlier peer may have spoilt the part that was there: this one is asked for the whole before it is given up.
        if (isDekuperError(error, "BLOB_CORRUPT") && before > 0) continue;
        if ((await store.partialSize(name, SELF)) <= before) break; // nothing gained: the next node
      }
    }
  }
  throw new DekuperError("BLOB_NOT_FOUND", `None of ${asked} nodes gave the ${name.kind} ${name.digest}.`);
}

async function fetchFrom(
  { openBlobStream, store }: FetchDependencies,
  node: DirectoryNode,
  name: BlobName,
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const stream = new FramedStream(await openBlobStream(node, signal), { idleMs: IDLE_MS });
  try {
    const offset = await store.partialSize(name, SELF);
    const { size, bytes } = await callGet(stream, { name, offset }, signal);
    if (size > maxBytes)
      throw new DekuperError(
        "MESSAGE_INVALID",
        `The ${name.kind} has ${size} bytes, at most ${maxBytes} are taken.`,
      );
    await store.put(name, size, { owner: SELF, offset, bytes });
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}
