import { type LogsRequest, MAX_LOG_FRAME_BYTES } from "@dekuper/protocol";
import { type Call, sendAnswer } from "./channel-server.ts";
import type { CountPeer } from "./options.ts";
import type { LogStore } from "./peer.ts";
import { denied, type ReadAccess } from "./read-access.ts";

/** Longest delay that setTimeout takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** `/logs/1`: the log of a lease attempt on its consumer's token. An empty frame says that it is whole; a cut has none. */
export function serveLogs(options: {
  store: LogStore;
  access: ReadAccess;
  count: CountPeer;
  clock: { now(): number };
}) {
  return async ({ request, stream, signal }: Call<LogsRequest>): Promise<void> => {
    const { leaseId, attempt, offset, follow, token } = request;
    await options.access.demandLog(token, { leaseId, attempt });
    await sendAnswer(stream, { ok: true, offset });
    const expired = new AbortController();
    const left = Math.min(token.expiry * 1000 - options.clock.now(), MAX_TIMEOUT_MS);
    const timer = setTimeout(() => expired.abort(denied("the token has expired")), left);
    try {
      const until = AbortSignal.any([signal, expired.signal]);
      for await (const bytes of options.store.read(leaseId, attempt, { offset, follow, signal: until })) {
        for (let from = 0; from < bytes.length; from += MAX_LOG_FRAME_BYTES)
          await stream.writeFrame(bytes.subarray(from, from + MAX_LOG_FRAME_BYTES), until);
        options.count("log_bytes_out", bytes.length);
      }
      await stream.writeFrame(new Uint8Array());
    } catch (error) {
      // Frames are on their way: an answer now would be read as log. The missing end says it.
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    } finally {
      clearTimeout(timer);
    }
  };
}
