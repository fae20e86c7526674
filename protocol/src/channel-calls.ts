import type { ZodType } from "zod";
import { canonicalJson, parseJson } from "./canonical-json.ts";
import {
  type Answer,
  answerSchema,
  type BlobName,
  type BlobRequest,
  type LogsRequest,
  MAX_HEADER_BYTES,
  type ReadToken,
} from "./channels.ts";
import type { ErrorCode } from "./error-catalogue.ts";
import { DekuperError, isDekuperError } from "./errors.ts";
import type { FramedStream } from "./framed-stream.ts";
import type { LivenessReport } from "./liveness-report.ts";
import { decodeReportAnswer, encodeReportRequest, type ReportAnswer } from "./liveness-report-messages.ts";
import {
  decodeQuoteAnswer,
  encodeQuoteRequest,
  MAX_QUOTE_ANSWER_BYTES,
  type QuoteAnswer,
  type QuoteRequest,
} from "./quote-messages.ts";

/** Most bytes of one frame of a log. */
export const MAX_LOG_FRAME_BYTES = 64 * 1024;

/** Codes that a peer may answer with; any other one is read as `PEER_UNREACHABLE`. */
const ANSWER_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "BLOB_NOT_FOUND",
  "BLOB_CORRUPT",
  "BLOB_QUOTA",
  "DISK_FULL",
  "READ_DENIED",
  "NOT_ALLOWED",
  "NOT_FOUND",
  "MESSAGE_INVALID",
  "TIMED_OUT",
]);

/** Bytes to put: in memory, or anything that can be opened at an offset. */
export interface BlobSource {
  readonly size: number;
  open(offset: number): AsyncIterable<Uint8Array>;
}

export interface GetAnswer {
  /** The whole blob's size. */
  readonly size: number;
  /** From the asked offset; throws `PEER_UNREACHABLE` if the peer ends early. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Asks whether a peer has a blob, and how large it is. */
export async function callHas(
  stream: FramedStream,
  name: BlobName,
  signal?: AbortSignal,
): Promise<{ size: number } | undefined> {
  try {
    const answer = await ask(stream, { op: "has", name }, signal);
    await stream.end();
    return answer.size === undefined ? undefined : { size: answer.size };
  } catch (error) {
    if (isDekuperError(error, "BLOB_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Opens a blob at an offset. The bytes are not verified: they may be a later part of it. */
export async function callGet(
  stream: FramedStream,
  request: { name: BlobName; offset: number; token?: ReadToken | undefined },
  signal?: AbortSignal,
): Promise<GetAnswer> {
  const { token, ...rest } = request;
  const answer = await ask(stream, { op: "get", ...rest, ...(token === undefined ? {} : { token }) }, signal);
  if (answer.size === undefined || answer.size < request.offset)
    throw new DekuperError("MESSAGE_INVALID", "The peer gives the blob no size.");
  await stream.end();
  return { size: answer.size, bytes: stream.bytes(answer.size - request.offset, signal) };
}

/** Sends what the peer lacks of a blob and waits until it has verified and stored the whole. */
export async function callPut(
  stream: FramedStream,
  name: BlobName,
  source: BlobSource,
  options: { onProgress?: ((sent: number) => void) | undefined; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { signal, onProgress } = options;
  const wanted = await ask(stream, { op: "put", name, size: source.size }, signal);
  const offset = Math.min(wanted.offset ?? 0, source.size);
  // The peer may refuse half-way (quota, disk): its answer then comes while we still send.
  const outcome = readAnswer(stream, signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  let refused: unknown;
  let answered = false;
  void outcome.then((error) => {
    answered = true;
    refused = error;
  });
  let sent = offset;
  onProgress?.(sent);
  try {
    for await (const part of source.open(offset)) {
      if (answered) break;
      await stream.write(part, signal);
      sent += part.length;
      onProgress?.(sent);
    }
  } catch (error) {
    // A peer that closes has usually said why just before; the source's own error goes first.
    if (!isDekuperError(error, "PEER_UNREACHABLE")) throw error;
    throw (await outcome) ?? error;
  }
  if (!answered && sent !== source.size)
    throw new DekuperError("INTERNAL", `The source gave ${sent} of ${source.size} bytes.`);
  refused = await outcome;
  if (refused !== undefined) throw refused;
  await stream.end();
}

/** Reads a log from an offset: frames of bytes, ended by an empty one. Throws `PEER_UNREACHABLE` without that end. */
export async function* callLogs(
  stream: FramedStream,
  request: LogsRequest,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  await stream.writeFrame(canonicalJson(request), signal);
  await readAnswer(stream, signal);
  await stream.end();
  for (;;) {
    const frame = await stream.readFrame(MAX_LOG_FRAME_BYTES, signal);
    if (frame === undefined) throw new DekuperError("PEER_UNREACHABLE", "The log was cut off.");
    if (frame.length === 0) return;
    yield frame;
  }
}

/** Asks a node for an offer, or for quotes. They are not verified: see `quoteProblem`. */
export async function callQuote(
  stream: FramedStream,
  request: QuoteRequest,
  signal?: AbortSignal,
): Promise<QuoteAnswer> {
  await stream.writeFrame(encodeQuoteRequest(request), signal);
  const frame = await stream.readFrame(MAX_QUOTE_ANSWER_BYTES, signal);
  if (frame === undefined) throw new DekuperError("PEER_UNREACHABLE", "The peer ended without an answer.");
  const answer = decodeQuoteAnswer(frame);
  if ("code" in answer) throw saidBy(answer);
  await stream.end();
  return answer;
}

/** Asks a seat of the committee to sign a report. Its signature is not verified: see `reportSigner`. */
export async function callReport(
  stream: FramedStream,
  report: LivenessReport,
  signal?: AbortSignal,
): Promise<ReportAnswer> {
  await stream.writeFrame(encodeReportRequest(report), signal);
  const frame = await stream.readFrame(MAX_HEADER_BYTES, signal);
  if (frame === undefined) throw new DekuperError("PEER_UNREACHABLE", "The peer ended without an answer.");
  const answer = decodeReportAnswer(frame);
  if ("code" in answer) throw saidBy(answer);
  await stream.end();
  return answer;
}

async function ask(stream: FramedStream, request: BlobRequest, signal?: AbortSignal) {
  await stream.writeFrame(canonicalJson(request), signal);
  return readAnswer(stream, signal);
}

type Failure = Extract<Answer, { ok: false }>;

/** Sends a request and reads the header of its answer; `schema` is of a success or a failure. Throws what the peer says. */
export async function askFor<Success extends { ok: true }>(
  stream: FramedStream,
  request: unknown,
  schema: ZodType<Success | Failure>,
  signal?: AbortSignal,
): Promise<Success> {
  await stream.writeFrame(canonicalJson(request), signal);
  return readHeader(stream, schema, signal);
}

function readAnswer(stream: FramedStream, signal?: AbortSignal): Promise<Extract<Answer, { ok: true }>> {
  return readHeader(stream, answerSchema, signal);
}

async function readHeader<Success extends { ok: true }>(
  stream: FramedStream,
  schema: ZodType<Success | Failure>,
  signal?: AbortSignal,
): Promise<Success> {
  const frame = await stream.readFrame(MAX_HEADER_BYTES, signal);
  if (frame === undefined) throw new DekuperError("PEER_UNREACHABLE", "The peer ended without an answer.");
  const parsed = schema.safeParse(parseJson(frame, "answer"));
  if (!parsed.success) throw new DekuperError("MESSAGE_INVALID", "The peer's answer is not valid.");
  if (parsed.data.ok) return parsed.data;
  throw saidBy(parsed.data);
}

function saidBy({ code, message }: { code: string; message: string }): DekuperError {
  return new DekuperError(
    ANSWER_CODES.has(code) ? (code as ErrorCode) : "PEER_UNREACHABLE",
    `The peer says: ${printable(message)}`,
  );
}

/** A stranger's text without control characters: it may end up on a terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, " ");
}
