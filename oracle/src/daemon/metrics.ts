import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { peerCounters } from "../peer/options.ts";

/** Everything that /metrics shows. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "dekuper_process_" });
  const registers = [registry];
  return {
    registry,
    headBlock: new Gauge({
      name: "dekuper_chain_head_block",
      help: "Head block as seen by the best RPC",
      registers,
    }),
    readable: new Gauge({
      name: "dekuper_chain_readable",
      help: "1 while the RPCs answer and agree",
      registers,
    }),
    clusterReachable: new Gauge({
      name: "dekuper_cluster_reachable",
      help: "1 while the Kubernetes API answers",
      registers,
    }),
    clusterRequests: new Counter({
      name: "dekuper_cluster_requests_total",
      help: "Requests to the Kubernetes API",
      labelNames: ["verb"],
      registers,
    }),
    leases: new Gauge({
      name: "dekuper_leases",
      help: "Lease attempts in the journal that are not over",
      registers,
    }),
    actions: new Counter({
      name: "dekuper_actions_total",
      help: "Steps taken for leases",
      labelNames: ["action", "result"],
      registers,
    }),
    actionSeconds: new Histogram({
      name: "dekuper_action_seconds",
      help: "How long steps took",
      labelNames: ["action"],
      registers,
    }),
    refusedCalls: new Gauge({
      name: "dekuper_calls_backing_off",
      help: "Calls that a contract refuses and that wait: look at the log",
      registers,
    }),
    pendingTransactions: new Gauge({
      name: "dekuper_transactions_pending",
      help: "Transactions sent and not mined",
      registers,
    }),
    committee: {
      seat: new Gauge({
        name: "dekuper_committee_seat",
        help: "1 while this node holds a seat of the committee",
        registers,
      }),
      hearing: new Gauge({
        name: "dekuper_committee_hearing",
        help: "1 while this node hears enough of the others to say who is offline",
        registers,
      }),
      reports: new Counter({
        name: "dekuper_committee_reports_total",
        help: "Reports that this node proposed: sent, failed, no-quorum",
        labelNames: ["result"],
        registers,
      }),
      lastReport: new Gauge({
        name: "dekuper_committee_last_report_seconds",
        help: "When the last report that this node got signed was issued, by the chain's clock",
        registers,
      }),
      signatures: new Gauge({
        name: "dekuper_committee_last_report_signatures",
        help: "Signatures of that report, this node's included",
        registers,
      }),
      stillAlive: new Counter({
        name: "dekuper_still_alive_total",
        help: "Reports about this node that it answered on chain",
        registers,
      }),
    },
    twins: new Gauge({
      name: "dekuper_twin_seen",
      help: "1 after another daemon was seen under this key: it signs nothing any more",
      registers,
    }),
    peer: new Counter({
      name: "dekuper_peer_events_total",
      help: `Events of the peer layer: ${Object.keys(peerCounters).join(", ")}`,
      labelNames: ["event"],
      registers,
    }),
  };
}
export type Metrics = ReturnType<typeof createMetrics>;
