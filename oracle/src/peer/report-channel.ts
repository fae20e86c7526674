import { DekuperError, encodeReportAnswer, type ReportRequest } from "@dekuper/protocol";
import type { Call } from "./channel-server.ts";
import type { CountPeer, PeerLimits } from "./options.ts";
import type { ReportSource } from "./peer.ts";
import { TokenBuckets } from "./token-bucket.ts";

/**
 * `/report/1`, between the seats of the committee: one asks another to sign what has changed (rule 24). An answer costs a
 * read of the chain and a signature, so that each seat may ask a few times in a row, and then as often as its turns come.
 */
export function serveReports(options: {
  source: ReportSource;
  limits: Pick<PeerLimits, "reportBurst" | "reportsPerSecond">;
  count: CountPeer;
  now?: () => number;
}) {
  const { source, limits, count, now = () => performance.now() } = options;
  const seats = new TokenBuckets({ burst: limits.reportBurst, perSecond: limits.reportsPerSecond, now });
  return async ({ request, remote, stream, signal }: Call<ReportRequest>): Promise<void> => {
    if (remote.node === undefined)
      throw new DekuperError("NOT_ALLOWED", "Only seats of the committee ask for signatures.");
    if (!seats.tryTake(remote.owner))
      throw new DekuperError("TIMED_OUT", "This node has asked for too many signatures; try again later.");
    const answer = await source.answer(request.report, remote.node.node);
    count(answer.signature === undefined ? "reports_not_signed" : "reports_signed");
    await stream.writeFrame(encodeReportAnswer(answer), signal);
  };
}
