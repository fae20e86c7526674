import { DekuperError, encodeQuoteAnswer, type QuoteRequest } from "@dekuper/protocol";
import type { Call } from "./channel-server.ts";
import type { CountPeer, PeerLimits } from "./options.ts";
import type { QuoteSource } from "./peer.ts";
import { TokenBuckets } from "./token-bucket.ts";

/** Signing takes a millisecond or two of the daemon's own time: many leases cost more than one request. */
const SIGNATURES_A_TOKEN = 8;

/**
 * `/quote/1`. Anybody may ask: whoever will pay has no stake here yet. So requests are bounded by host (or registered node), by
 * the consumer that they name, and in all at a time; what is over a bound is refused at once, and nothing is queued. A
 * consumer's bound is several hosts' wide, since anyone may name anybody.
 */
export function serveQuotes(options: {
  source: QuoteSource;
  limits: PeerLimits;
  count: CountPeer;
  now?: () => number;
}) {
  const { source, limits, count, now = () => performance.now() } = options;
  const askers = new TokenBuckets({ burst: limits.quoteBurst, perSecond: limits.quotesPerSecond, now });
  const consumers = new TokenBuckets({
    burst: limits.consumerQuoteBurst,
    perSecond: limits.consumerQuotesPerSecond,
    now,
  });
  let open = 0;
  return async ({ request, remote, stream, signal }: Call<QuoteRequest>): Promise<void> => {
    if (open >= limits.quotesAtATime) throw busy("of everybody");
    for (let cost = 1 + request.members.length / SIGNATURES_A_TOKEN; cost > 0; cost -= 1)
      if (!askers.tryTake(remote.owner)) throw busy("of this address");
    if (!consumers.tryTake(request.consumer)) throw busy("for this consumer");
    open += 1;
    try {
      const answer = await source.quote(request, remote.owner);
      if ("refused" in answer) count("quotes_refused");
      else count("quotes_signed", answer.quotes.length);
      await stream.writeFrame(encodeQuoteAnswer(answer), signal);
    } finally {
      open -= 1;
    }
  };
}

function busy(whose: string): DekuperError {
  return new DekuperError("TIMED_OUT", `The node has too many quote requests ${whose}; try again later.`);
}
