import type { Hex } from "viem";
import { askFor } from "./channel-calls.ts";
import { answerSchema } from "./channels.ts";
import {
  type ChunkRequest,
  chunkAnswerSchema,
  type Receipt,
  type VerdictAnswer,
  type VerdictRequest,
  verdictAnswerSchema,
} from "./claim-messages.ts";
import { DekuperError } from "./errors.ts";
import type { FramedStream } from "./framed-stream.ts";
import { CHUNK_BYTES } from "./merkle.ts";

/** Hands a node the consumer's receipt; resolves once the node has written it down. */
export async function callReceipt(
  stream: FramedStream,
  receipt: Receipt,
  signal?: AbortSignal,
): Promise<void> {
  await askFor(stream, receipt, answerSchema, signal);
  await stream.end();
}

/** Gets one chunk with its branch. Neither is verified: see `verifyBranch`. */
export async function callChunk(
  stream: FramedStream,
  request: ChunkRequest,
  signal?: AbortSignal,
): Promise<{ chunk: Uint8Array; branch: readonly Hex[] }> {
  const { size, branch } = await askFor(stream, request, chunkAnswerSchema, signal);
  if (size > CHUNK_BYTES)
    throw new DekuperError("MESSAGE_INVALID", `A chunk of ${size} bytes, at most ${CHUNK_BYTES} are taken.`);
  await stream.end();
  const chunk = new Uint8Array(size);
  let filled = 0;
  for await (const part of stream.bytes(size, signal)) {
    chunk.set(part, filled);
    filled += part.length;
  }
  return { chunk, branch };
}

/** What an attester says of a claim; undefined: nothing yet. Not verified: see `verdictSigner`. */
export async function callVerdict(
  stream: FramedStream,
  request: VerdictRequest,
  signal?: AbortSignal,
): Promise<VerdictAnswer | undefined> {
  const { verdict } = await askFor(stream, request, verdictAnswerSchema, signal);
  await stream.end();
  return verdict;
}
