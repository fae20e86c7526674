import type {
  BlobName,
  BlobSource,
  Heartbeat,
  QuoteAnswer,
  QuoteRequest,
  ReadToken,
  Receipt,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";

/** The consumer's own libp2p peer, as the SDK needs it. `client/src/peer/` builds it for Node and for browsers. */
export interface ConsumerPeer {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Puts a blob on a node; a partial put is taken up where it stopped. `BLOB_QUOTA`, `PEER_UNREACHABLE` otherwise. */
  putBlob(
    node: Address,
    name: BlobName,
    source: Uint8Array | BlobSource,
    options?: PeerOptions,
  ): Promise<void>;
  hasBlob(node: Address, name: BlobName, options?: PeerOptions): Promise<{ size: number } | undefined>;
  /** The bytes from an offset; not verified against the name, since they may be a later part. */
  getBlob(
    node: Address,
    name: BlobName,
    options?: PeerOptions & { offset?: number; token?: ReadToken },
  ): AsyncIterable<Uint8Array>;
  /** A lease attempt's log from a byte offset; with `follow` until the run has ended. */
  followLogs(
    node: Address,
    request: { leaseId: Hex; attempt: number; offset: number; follow: boolean; token: ReadToken },
    options?: PeerOptions,
  ): AsyncIterable<Uint8Array>;
  /** Asks a node for an offer or for quotes; what it signs is not verified: see `quoteProblem`. */
  askQuote(node: Address, request: QuoteRequest, options?: PeerOptions): Promise<QuoteAnswer>;
  /** Hands a node the consumer's receipt; resolves once the node keeps it. `NOT_FOUND` or `NOT_ALLOWED` where it does not. */
  giveReceipt(node: Address, receipt: Receipt, options?: PeerOptions): Promise<void>;
  /** Calls back with every heartbeat that counts; returns how to stop. */
  subscribeHeartbeats(listener: (heartbeat: Heartbeat, receivedAt: number) => void): () => void;
}

export interface PeerOptions {
  readonly signal?: AbortSignal | undefined;
}
