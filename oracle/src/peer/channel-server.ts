import {
  type Answer,
  canonicalJson,
  DekuperError,
  FramedStream,
  isDekuperError,
  MAX_HEADER_BYTES,
  type PeerDirectory,
  parseJson,
} from "@dekuper/protocol";
import type { Connection, Stream } from "@libp2p/interface";
import type { ZodType } from "zod";
import type { CountPeer, PeerLimits, PeerLog } from "./options.ts";
import { type Remote, remoteOf } from "./remote.ts";
import { TokenBuckets } from "./token-bucket.ts";

/** One request on a channel. */
export interface Call<Request> {
  readonly request: Request;
  readonly remote: Remote;
  readonly stream: FramedStream;
  /** Aborts when the stream is gone. */
  readonly signal: AbortSignal;
}

/** How long the other end has to close after the last byte, and how much it may still send, before it is cut. */
const LINGER_MS = 5_000;
const LINGER_BYTES = 4 * 1024 * 1024;

/** Takes streams of all channels: reads the header, keeps the limits, turns errors into answers. */
export class ChannelServer {
  private readonly directory: PeerDirectory;
  private readonly limits: PeerLimits;
  private readonly log: PeerLog;
  private readonly count: CountPeer;
  private readonly requests: TokenBuckets;
  private readonly open = new Map<string, number>();
  private strangers = 0;

  constructor(options: { directory: PeerDirectory; limits: PeerLimits; log: PeerLog; count: CountPeer }) {
    this.directory = options.directory;
    this.limits = options.limits;
    this.log = options.log;
    this.count = options.count;
    this.requests = new TokenBuckets({
      burst: this.limits.requestBurst,
      perSecond: this.limits.requestsPerSecond,
      now: () => performance.now(),
    });
  }

  /** A libp2p stream handler for one channel. */
  handler<Request>(schema: ZodType<Request>, serve: (call: Call<Request>) => Promise<void>) {
    return (stream: Stream, connection: Connection): void => {
      const framed = new FramedStream(stream, { idleMs: this.limits.streamIdleMs });
      const gone = new AbortController();
      stream.addEventListener("close", () =>
        gone.abort(new DekuperError("PEER_UNREACHABLE", "The peer is gone.")),
      );
      const remote = remoteOf(connection, this.directory);
      void this.take(framed, remote, gone.signal, schema, serve)
        .catch((error: unknown) => this.refuse(framed, remote, error))
        .then(() => linger(framed));
    };
  }

  private async take<Request>(
    stream: FramedStream,
    remote: Remote,
    signal: AbortSignal,
    schema: ZodType<Request>,
    serve: (call: Call<Request>) => Promise<void>,
  ): Promise<void> {
    this.count("channel_requests");
    const release = this.enter(remote);
    try {
      const waitMs = this.requests.takeInTurn(remote.owner, this.limits.requestWaitMs);
      if (waitMs === undefined) throw busy();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const frame = await stream.readFrame(MAX_HEADER_BYTES, signal);
      if (frame === undefined) return;
      const parsed = schema.safeParse(parseJson(frame, "request"));
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new DekuperError(
          "MESSAGE_INVALID",
          `The request's ${issue?.path.join(".")}: ${issue?.message}.`,
        );
      }
      await serve({ request: parsed.data, remote, stream, signal });
    } finally {
      release();
    }
  }

  private enter(remote: Remote): () => void {
    const stranger = remote.node === undefined;
    const mine = this.open.get(remote.owner) ?? 0;
    const limit = stranger ? this.limits.streamsPerHost : this.limits.streamsPerNode;
    if (mine >= limit || (stranger && this.strangers >= this.limits.strangerStreams)) throw busy();
    this.open.set(remote.owner, mine + 1);
    if (stranger) this.strangers++;
    return () => {
      const left = (this.open.get(remote.owner) ?? 1) - 1;
      if (left === 0) this.open.delete(remote.owner);
      else this.open.set(remote.owner, left);
      if (stranger) this.strangers--;
    };
  }

  private async refuse(stream: FramedStream, remote: Remote, error: unknown): Promise<void> {
    this.count("channel_refusals");
    if (isDekuperError(error, "READ_DENIED")) this.count("reads_denied");
    const known = error instanceof DekuperError;
    const fields = {
      peer: remote.peerId,
      owner: remote.owner,
      ...(known ? { code: error.code } : { err: error }),
    };
    if (known) this.log.debug(fields, "channel-refused");
    else this.log.warn(fields, "channel-failed");
    const answer: Answer = known
      ? { ok: false, code: error.code, message: error.message.slice(0, 512) }
      : { ok: false, code: "INTERNAL", message: "The node failed; its log says why." };
    await sendAnswer(stream, answer).catch(() => undefined);
  }
}

export async function sendAnswer(stream: FramedStream, answer: Answer): Promise<void> {
  await stream.writeFrame(canonicalJson(answer));
}

/** Ends our half and lets the other end read what was sent; a reset at once would throw the answer away. */
async function linger(stream: FramedStream): Promise<void> {
  try {
    await stream.end();
    const signal = AbortSignal.timeout(LINGER_MS);
    for (let bytes = 0; bytes < LINGER_BYTES; ) {
      const part = await stream.read(64 * 1024, signal);
      if (part === undefined) break;
      bytes += part.length;
    }
  } catch {
    // The stream is gone already, or is cut now: either way nothing is left to say.
  }
  stream.abort(new Error("done"));
}

function busy(): DekuperError {
  return new DekuperError("TIMED_OUT", "The node has too many requests of this address; try again later.");
}
