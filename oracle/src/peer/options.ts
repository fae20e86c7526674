import type { Deployment, PeerDirectory } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { ClaimSource } from "./claim-channels.ts";
import type { BlobStore, LogStore, QuoteSource, ReadPolicy, ReportSource } from "./peer.ts";

/** Events with fields; pino's loggers fit. */
export interface PeerLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

/** Counters of the peer layer. */
export const peerCounters = {
  heartbeats_accepted: "Heartbeats of registered nodes that counted",
  heartbeats_ignored: "Heartbeats dropped without blame (late, overtaken, too often)",
  heartbeats_rejected: "Heartbeats dropped with a score penalty for who passed them on",
  twin_heartbeats: "Heartbeats under this node's own key that it did not send",
  connections_refused: "Inbound connections refused by a limit",
  connections_idle_closed: "Strangers' connections closed because they did nothing",
  channel_requests: "Requests on the blob, logs, peers, quote and report channels",
  channel_refusals: "Requests answered with an error",
  reads_denied: "Reads refused for want of a valid token",
  blob_bytes_in: "Bytes of blobs taken from peers",
  blob_bytes_out: "Bytes of blobs given to peers",
  log_bytes_out: "Bytes of logs given to consumers",
  blobs_fetched: "Blobs fetched from other nodes",
  receipts_taken: "Receipts of consumers that were checked and kept",
  chunk_bytes_out: "Bytes of disputed outputs given to attesters",
  quotes_signed: "Quotes signed",
  quotes_refused: "Quote requests answered with a reason",
  reports_signed: "Reports signed for other seats of the committee",
  reports_not_signed: "Reports of other seats that this node has not seen so, or not in full",
  dials_failed: "Dials of registered nodes that failed",
} as const;
export type PeerCounter = keyof typeof peerCounters;
export type CountPeer = (counter: PeerCounter, by?: number) => void;

/** What strangers (consumers' clients, browsers, anybody) and registered nodes get. */
export interface PeerLimits {
  /** Connections of unregistered peers, in all, from one host, of one peer. */
  readonly strangers: number;
  readonly strangersPerHost: number;
  readonly connectionsPerStranger: number;
  readonly connectionsPerNode: number;
  /** New inbound connections of one host: at once, and then per second. */
  readonly inboundBurst: number;
  readonly inboundPerSecond: number;
  /** Channel streams at a time: of all strangers, of one stranger's host, of one registered node. */
  readonly strangerStreams: number;
  readonly streamsPerHost: number;
  readonly streamsPerNode: number;
  /** Channel requests of one host or node: at once, and then per second. More wait their turn, if it comes within so many milliseconds. */
  readonly requestBurst: number;
  readonly requestsPerSecond: number;
  readonly requestWaitMs: number;
  /** Quote requests of one host or node, and those that name one consumer: at once, and then per second; and of all at a time. */
  readonly quoteBurst: number;
  readonly quotesPerSecond: number;
  readonly consumerQuoteBurst: number;
  readonly consumerQuotesPerSecond: number;
  readonly quotesAtATime: number;
  /** Requests of one seat to sign a report: at once, and then per second. */
  readonly reportBurst: number;
  readonly reportsPerSecond: number;
  /** A channel on which nothing moves ends after it, milliseconds. */
  readonly streamIdleMs: number;
  /** A stranger's connection without a channel or a subscription is closed after it, milliseconds. */
  readonly strangerIdleMs: number;
  /** Registered nodes that this node keeps connections to by its own dials. */
  readonly dialedNodes: number;
}
export const DEFAULT_PEER_LIMITS: PeerLimits = {
  strangers: 128,
  strangersPerHost: 32,
  connectionsPerStranger: 4,
  connectionsPerNode: 8,
  inboundBurst: 40,
  inboundPerSecond: 10,
  strangerStreams: 256,
  streamsPerHost: 64,
  streamsPerNode: 64,
  requestBurst: 512,
  requestsPerSecond: 100,
  requestWaitMs: 20_000,
  quoteBurst: 32,
  quotesPerSecond: 2,
  consumerQuoteBurst: 64,
  consumerQuotesPerSecond: 8,
  quotesAtATime: 32,
  reportBurst: 6,
  reportsPerSecond: 0.5,
  streamIdleMs: 30_000,
  strangerIdleMs: 60_000,
  dialedNodes: 64,
};

export interface PeerNodeOptions {
  /** 32 bytes: the operator's key is the node's network identity. */
  readonly operatorPrivateKey: Uint8Array | Hex;
  /** Multiaddrs such as `/ip4/0.0.0.0/tcp/4001` and `/ip4/0.0.0.0/tcp/4002/ws`; `/p2p-circuit` asks a relay for a slot. */
  readonly listen: readonly string[];
  /** Multiaddrs to announce besides those listened on (a public address behind NAT). */
  readonly announce?: readonly string[];
  /** Certificate for `wss`, PEM. */
  readonly wsTls?: { readonly cert: string; readonly key: string };
  readonly deployment: Deployment;
  readonly directory: PeerDirectory;
  readonly blobStore: BlobStore;
  readonly logStore: LogStore;
  readonly readPolicy: ReadPolicy;
  /** Without one there is no quote channel. */
  readonly quotes?: QuoteSource;
  /** Without one there is no report channel. */
  readonly reports?: ReportSource;
  /** Without one there are no channels for receipts, chunks and verdicts. */
  readonly claims?: ClaimSource;
  readonly log: PeerLog;
  /** Milliseconds. */
  readonly clock?: { now(): number };
  readonly count?: CountPeer;
  readonly limits?: Partial<PeerLimits>;
  /** How often missing connections are dialled, milliseconds [3000]. */
  readonly dialIntervalMs?: number;
  /** How often one connected node is asked for addresses and twins, milliseconds [5000]. */
  readonly exchangeIntervalMs?: number;
}
