import type {
  BlobName,
  channelName,
  DirectoryNode,
  FramedStream,
  Heartbeat,
  LivenessReport,
  PeerDirectory,
  Presence,
  QuoteAnswer,
  QuoteRequest,
  ReportAnswer,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";

export type { DirectoryNode, PeerDirectory, Presence };

/** Who may read what: answered from the chain's facts. */
export interface ReadPolicy {
  /** The consumer of a lease that this node holds or held, or undefined. */
  consumerOf(leaseId: Hex, attempt: number): Address | undefined;
  /** The lease attempt whose output has this ciphertext root, or undefined. */
  outputOwner(ciphertextRoot: Hex): { leaseId: Hex; attempt: number } | undefined;
  /** The spec digest of a lease that this node holds or held: its consumer reads the spec with the output's token. */
  specOf?(leaseId: Hex, attempt: number): Hex | undefined;
  /** The chain says that a node was handed a task key of this salt. */
  isKeyHolder?(node: Address, salt: Hex): boolean;
  /** What is sealed under a key of this salt belongs to the task of a lease that this node holds or held. */
  isSealedFor?(leaseId: Hex, attempt: number, salt: Hex): boolean;
  /** Whether the consumer may read the log by itself: a replica's comes with its output, once it has won. Default: it may. */
  showsLog?(leaseId: Hex, attempt: number): boolean;
  /** Checks the consumer's signature over a read token (EOA, or ERC-1271 where it is a contract). */
  verifySignature(token: { consumer: Address; digest: Hex; signature: Hex }): Promise<boolean>;
}

/** Answers quote requests that have passed the channel's limits. */
export interface QuoteSource {
  /** `asker`: a registered node, or a stranger's host. */
  quote(request: QuoteRequest, asker: string): Promise<QuoteAnswer>;
}

/** Answers other seats of the committee that ask for a signature. */
export interface ReportSource {
  /** `asker`: a registered node. Throws `NOT_ALLOWED` where it holds no seat, or the report is of another time. */
  answer(report: LivenessReport, asker: Address): Promise<ReportAnswer>;
}

/** Content-addressed bytes on disk with quotas and expiry. Bytes are verified against their name before they count. */
export interface BlobStore {
  has(name: BlobName): Promise<{ size: number } | undefined>;
  /** Throws `BLOB_NOT_FOUND`. */
  read(name: BlobName, offset?: number): AsyncIterable<Uint8Array>;
  readAll(name: BlobName, maxBytes: number): Promise<Uint8Array>;
  /** Takes bytes from a peer, resuming a partial put; `BLOB_CORRUPT`, `BLOB_QUOTA` or `DISK_FULL` otherwise. */
  put(
    name: BlobName,
    size: number,
    from: { owner: string; offset: number; bytes: AsyncIterable<Uint8Array> },
  ): Promise<void>;
  /** Bytes of this owner's partial put that are there already; without an owner, of the longest one. */
  partialSize(name: BlobName, owner?: string): Promise<number>;
  /** Of a blob that is here, counts its time without retention anew: who puts it again relies on it. */
  renew(name: BlobName): Promise<{ size: number } | undefined>;
  /** Opens a file for what this node makes itself; `commit` syncs it and gives it its name. */
  create(): Promise<BlobWriter>;
  /** Keeps a blob until then (Unix seconds); the later of two wins. */
  retain(name: BlobName, until: number): Promise<void>;
  /** Deletes what nobody retains any more. */
  sweep(nowSeconds: number): Promise<number>;
}
export interface BlobWriter {
  write(bytes: Uint8Array): Promise<void>;
  commit(name: BlobName): Promise<void>;
  abort(): Promise<void>;
}

/** Logs of lease attempts as files that grow; they outlive the pod. */
export interface LogStore {
  append(leaseId: Hex, attempt: number, bytes: Uint8Array): Promise<void>;
  replace(leaseId: Hex, attempt: number, bytes: Uint8Array): Promise<void>;
  end(leaseId: Hex, attempt: number): Promise<void>;
  size(leaseId: Hex, attempt: number): Promise<{ bytes: number; ended: boolean } | undefined>;
  /** From a byte offset; with `follow` until the log has ended. */
  read(
    leaseId: Hex,
    attempt: number,
    options: { offset: number; follow: boolean; signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /** Deletes the logs of leases to which nothing was written for 60 days; returns of how many. */
  sweep(nowSeconds: number): Promise<number>;
}

/** Channels on which this node asks others. */
export type PeerChannel = Extract<
  Parameters<typeof channelName>[0],
  "blob" | "peers" | "report" | "chunk" | "verdict"
>;

/** The oracle's libp2p node. Its identity is the operator key: its peer id is its chain address. */
export interface PeerNode {
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly peerId: string;
  readonly multiaddrs: readonly string[];
  /** Registered peers that are connected. */
  connectedNodes(): readonly Address[];
  /** Sends this node's heartbeat to everyone. */
  publishHeartbeat(heartbeat: Heartbeat): Promise<void>;
  presence(): ReadonlyMap<Address, Presence>;
  /** When the newest heartbeat of a node came, Unix milliseconds; undefined: never. */
  lastHeard(node: Address): number | undefined;
  readonly heartbeatsReceived: number;
  /** Fires when another instance sends heartbeats under this node's own key (rule 32). */
  onTwin(listener: (heartbeat: Heartbeat) => void): () => void;
  /** Gets a blob from whichever registered node has it, and gives it to this one, into the local store. Throws `BLOB_NOT_FOUND`. */
  fetchBlob(name: BlobName, maxBytes: number, signal: AbortSignal): Promise<void>;
  /** Opens a channel to a registered node for one call. Throws what the call does, `NOT_FOUND`, or `PEER_UNREACHABLE`. */
  call<T>(
    node: Address,
    kind: PeerChannel,
    use: (stream: FramedStream) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
  /** Gives a registered node a blob of the local store. Throws what the channel answers, or `PEER_UNREACHABLE`. */
  putBlob(node: Address, name: BlobName, signal: AbortSignal): Promise<void>;
  /** Asks another seat to sign a report. Throws what the channel answers, or `PEER_UNREACHABLE`. */
  askReport(node: Address, report: LivenessReport, signal: AbortSignal): Promise<ReportAnswer>;
}
