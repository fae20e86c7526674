import {
  type ChunkRequest,
  canonicalJson,
  type DirectoryNode,
  type Receipt,
  type VerdictAnswer,
  type VerdictRequest,
} from "@dekuper/protocol";
import type { Hex } from "viem";
import { type Call, sendAnswer } from "./channel-server.ts";
import type { CountPeer } from "./options.ts";
import { denied } from "./read-access.ts";

/** What a node does about deliveries and the claims that they did not happen (rule 20). */
export interface ClaimSource {
  /** Checks and keeps a consumer's receipt; throws `NOT_FOUND` or `NOT_ALLOWED`. */
  takeReceipt(receipt: Receipt): Promise<void>;
  /** A drawn chunk of an output of this node whose delivery is disputed, for a seated attester; throws `READ_DENIED` otherwise. */
  chunk(
    request: ChunkRequest,
    attester: DirectoryNode,
  ): Promise<{ branch: readonly Hex[]; size: number; bytes: AsyncIterable<Uint8Array> }>;
  /** What this node has said of a claim as an attester. */
  verdict(request: VerdictRequest): VerdictAnswer | undefined;
}

/** `/receipt/1`. Anybody may hand one over: it is worth what its signature is. */
export function serveReceipts({ source, count }: { source: ClaimSource; count: CountPeer }) {
  return async ({ request, stream }: Call<Receipt>): Promise<void> => {
    await source.takeReceipt(request);
    count("receipts_taken");
    await sendAnswer(stream, { ok: true });
  };
}

/** `/chunk/1`. For seated attesters of disputed leases only. */
export function serveChunks({ source, count }: { source: ClaimSource; count: CountPeer }) {
  return async ({ request, remote, stream, signal }: Call<ChunkRequest>): Promise<void> => {
    if (remote.node === undefined) throw denied("only attesters read chunks of what is disputed");
    const { branch, size, bytes } = await source.chunk(request, remote.node);
    await stream.writeFrame(canonicalJson({ ok: true, size, branch }), signal);
    try {
      for await (const part of bytes) {
        await stream.write(part, signal);
        count("chunk_bytes_out", part.length);
      }
    } catch (error) {
      // Bytes are on their way: an answer now would be read as part of the chunk. The reset says it.
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

/** `/verdict/1`. For anybody: whoever has enough of them may take them to the chain. */
export function serveVerdicts({ source }: { source: ClaimSource }) {
  return async ({ request, stream, signal }: Call<VerdictRequest>): Promise<void> => {
    const verdict = source.verdict(request);
    await stream.writeFrame(canonicalJson({ ok: true, ...(verdict && { verdict }) }), signal);
  };
}
