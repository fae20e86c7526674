import {
  type BlobName,
  blobVerifier,
  callGet,
  callHas,
  callLogs,
  callPut,
  callQuote,
  callReceipt,
  channelName,
  compressedPublicKey,
  DekuperError,
  type Deployment,
  type DirectoryNode,
  dialAddress,
  FramedStream,
  type Heartbeat,
  heartbeatTopic,
  type LogsRequest,
  type PeerDirectory,
  type QuoteAnswer,
  type QuoteRequest,
  type ReadToken,
  type Receipt,
} from "@dekuper/protocol";
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import type { Address } from "viem";
import type { ConsumerPeer, PeerOptions } from "../consumer-peer.ts";
import { type BlobInput, blobSource } from "./blob-source.ts";
import { type ClientLibp2p, createClientLibp2p, type TransportFactory } from "./client-libp2p.ts";
import { FreshDirectory } from "./fresh-directory.ts";
import { HeartbeatListener } from "./heartbeat-listener.ts";
import { Retries, type RetryOptions, unreachable } from "./reconnect.ts";

const DIAL_TIMEOUT_MS = 10_000;
const IDLE_MS = 60_000;
/** A followed log may be silent for long; a dead connection is noticed by libp2p's pings. */
const FOLLOW_IDLE_MS = 24 * 3_600_000;
export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes done so far and in all, counted from the blob's beginning. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly retry?: RetryOptions | undefined;
}

export interface GetOptions extends TransferOptions {
  readonly offset?: number | undefined;
  /** Needed for outputs. */
  readonly token?: ReadToken | undefined;
}

/**
 * The consumer's own peer: reaches nodes by chain address. Errors are `DekuperError`s with the node's code.
 * Transfers go on by themselves after a short cut; what lasts longer than `retry` says is thrown.
 */
export interface ClientPeer extends ConsumerPeer {
  /** Does nothing if it runs already. */
  start(): Promise<void>;
  /** Uploads what the node lacks and goes on where it was cut; resolves when the node has verified and stored it. */
  putBlob(node: Address, name: BlobName, input: BlobInput, options?: TransferOptions): Promise<void>;
  /** Specs and inputs only. */
  hasBlob(node: Address, name: BlobName, options?: PeerOptions): Promise<{ size: number } | undefined>;
  /** Bytes from an offset, resumed where they are cut. They are not verified: see `getVerified`. */
  getBlob(node: Address, name: BlobName, options?: GetOptions): AsyncIterable<Uint8Array>;
  /** The whole blob; throws `BLOB_CORRUPT` after the last byte if it is not the named one. */
  getVerified(
    node: Address,
    name: BlobName,
    options?: Omit<GetOptions, "offset"> & { readonly maxBytes?: number | undefined },
  ): AsyncIterable<Uint8Array>;
  /**
   * A lease attempt's log from an offset; with `follow` until the run has ended, across reconnects. It ends with
   * `PEER_UNREACHABLE` when the token has expired: call again with a new one, from the offset reached.
   */
  followLogs(
    node: Address,
    request: LogsRequest,
    options?: PeerOptions & { readonly retry?: RetryOptions | undefined },
  ): AsyncIterable<Uint8Array>;
  /** Not verified: see `quoteProblem`. */
  askQuote(node: Address, request: QuoteRequest, options?: PeerOptions): Promise<QuoteAnswer>;
  giveReceipt(node: Address, receipt: Receipt, options?: PeerOptions): Promise<void>;
  /**
   * Joins the market's heartbeats as a light subscriber; every one is checked against the registry. The listener is called
   * at once with what was heard in the last seconds; the returned function ends it, and the peer stays joined.
   */
  subscribeHeartbeats(listener: (heartbeat: Heartbeat, receivedAt: number) => void): () => void;
  /** Nodes with an open connection. */
  connectedNodes(): readonly Address[];
  stop(): Promise<void>;
}

export interface ClientPeerOptions {
  readonly deployment: Deployment;
  readonly directory: PeerDirectory;
  /** Brings the directory up to date: called, at most every few seconds, for a node that it lacks. */
  readonly reread?: (() => Promise<void>) | undefined;
  /** WebSockets if not given: what a browser has. Node's are in `@dekuper/client/node`. */
  readonly transports?: readonly TransportFactory[];
}

/** An ephemeral peer; it does nothing before `start`. Load this module lazily in a browser: it brings libp2p. */
export function createClientPeer(options: ClientPeerOptions): ClientPeer {
  return new DekuperClientPeer(options);
}

class DekuperClientPeer implements ClientPeer {
  private readonly options: ClientPeerOptions;
  private readonly deployment: Deployment;
  private readonly directory: PeerDirectory;
  private readonly fresh: FreshDirectory;
  private readonly stopped = new AbortController();
  private starting: Promise<void> | undefined;
  private running: { libp2p: ClientLibp2p; heartbeats: HeartbeatListener } | undefined;

  constructor(options: ClientPeerOptions) {
    this.options = options;
    this.deployment = options.deployment;
    this.directory = options.directory;
    this.fresh = new FreshDirectory(options);
  }

  start(): Promise<void> {
    this.starting ??= this.build();
    return this.starting;
  }

  async stop(): Promise<void> {
    this.stopped.abort(new DekuperError("PEER_UNREACHABLE", "The client's peer was stopped."));
    await this.starting;
    this.running?.heartbeats.stop();
    await this.running?.libp2p.stop();
    this.running = undefined;
  }

  async putBlob(
    node: Address,
    name: BlobName,
    input: BlobInput,
    options: TransferOptions = {},
  ): Promise<void> {
    const source = blobSource(input);
    const retries = new Retries(options.retry);
    for (let most = 0; ; ) {
      try {
        return await this.withStream(node, "blob", IDLE_MS, options.signal, (stream, signal) =>
          callPut(stream, name, source, {
            signal,
            onProgress: (sent) => {
              if (sent > most) retries.progress();
              most = Math.max(most, sent);
              options.onProgress?.(sent, source.size);
            },
          }),
        );
      } catch (error) {
        await retries.pause(error, options.signal);
      }
    }
  }

  async hasBlob(
    node: Address,
    name: BlobName,
    options: PeerOptions = {},
  ): Promise<{ size: number } | undefined> {
    return this.withStream(node, "blob", IDLE_MS, options.signal, (stream, until) =>
      callHas(stream, name, until),
    );
  }

  async *getBlob(
    node: Address,
    name: BlobName,
    options: GetOptions & { maxBytes?: number | undefined } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, token, onProgress, maxBytes } = options;
    const retries = new Retries(options.retry);
    for (let offset = options.offset ?? 0; ; ) {
      const stream = await this.openPatiently(node, "blob", IDLE_MS, signal, retries);
      try {
        const { size, bytes } = await callGet(stream, { name, offset, token }, this.until(signal));
        if (maxBytes !== undefined && size > maxBytes)
          throw new DekuperError(
            "MESSAGE_INVALID",
            `The ${name.kind} has ${size} bytes, more than ${maxBytes}.`,
          );
        for await (const part of bytes) {
          offset += part.length;
          retries.progress();
          onProgress?.(offset, size);
          yield part;
        }
        return;
      } catch (error) {
        await retries.pause(error, signal);
      } finally {
        stream.abort(new Error("done"));
      }
    }
  }

  async *getVerified(
    node: Address,
    name: BlobName,
    options: Omit<GetOptions, "offset"> & { maxBytes?: number | undefined } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const verifier = blobVerifier(name);
    for await (const part of this.getBlob(node, name, options)) {
      verifier.update(part);
      yield part;
    }
    verifier.finish();
  }

  async *followLogs(
    node: Address,
    request: LogsRequest,
    options: PeerOptions & { readonly retry?: RetryOptions | undefined } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = options;
    const idleMs = request.follow ? FOLLOW_IDLE_MS : IDLE_MS;
    const retries = new Retries(options.retry);
    for (let offset = request.offset; ; ) {
      const stream = await this.openPatiently(node, "logs", idleMs, signal, retries);
      try {
        for await (const part of callLogs(stream, { ...request, offset }, this.until(signal))) {
          offset += part.length;
          retries.progress();
          yield part;
        }
        return;
      } catch (error) {
        if (request.token.expiry * 1000 <= Date.now()) throw error; // the caller signs a new token
        await retries.pause(error, signal);
      } finally {
        stream.abort(new Error("done"));
      }
    }
  }

  async askQuote(node: Address, request: QuoteRequest, options: PeerOptions = {}): Promise<QuoteAnswer> {
    return this.withStream(node, "quote", IDLE_MS, options.signal, (stream, until) =>
      callQuote(stream, request, until),
    );
  }

  async giveReceipt(node: Address, receipt: Receipt, options: PeerOptions = {}): Promise<void> {
    return this.withStream(node, "receipt", IDLE_MS, options.signal, (stream, until) =>
      callReceipt(stream, receipt, until),
    );
  }

  subscribeHeartbeats(listener: (heartbeat: Heartbeat, receivedAt: number) => void): () => void {
    return this.demand().heartbeats.add(listener);
  }

  connectedNodes(): readonly Address[] {
    const open = new Set((this.running?.libp2p.getPeers() ?? []).map(String));
    const nodes = this.directory.all().filter((node) => open.has(peerIdOf(node).toString()));
    return nodes.map(({ node }) => node);
  }

  private async build(): Promise<void> {
    const { deployment, directory } = this;
    const topic = heartbeatTopic(deployment.chainId, deployment.nodeRegistry);
    const libp2p = await createClientLibp2p(this.options.transports ?? [webSockets()], topic);
    const connect = (node: Address) => this.connect(node, this.until());
    const connected = () => this.connectedNodes();
    const refresh = () => this.fresh.refresh();
    const heartbeats = new HeartbeatListener({ libp2p, deployment, directory, refresh, connect, connected });
    this.running = { libp2p, heartbeats };
  }

  private demand(): { libp2p: ClientLibp2p; heartbeats: HeartbeatListener } {
    if (this.running === undefined) throw new DekuperError("INTERNAL", "The client's peer is not started.");
    return this.running;
  }

  private async withStream<T>(
    node: Address,
    kind: Parameters<typeof channelName>[0],
    idleMs: number,
    signal: AbortSignal | undefined,
    use: (stream: FramedStream, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stream = await this.open(node, kind, idleMs, signal);
    try {
      return await use(stream, this.until(signal));
    } finally {
      stream.abort(new Error("done"));
    }
  }

  private async openPatiently(
    node: Address,
    kind: Parameters<typeof channelName>[0],
    idleMs: number,
    signal: AbortSignal | undefined,
    retries: Retries,
  ): Promise<FramedStream> {
    for (;;) {
      try {
        return await this.open(node, kind, idleMs, signal);
      } catch (error) {
        await retries.pause(error, signal);
      }
    }
  }

  private async open(
    node: Address,
    kind: Parameters<typeof channelName>[0],
    idleMs: number,
    signal: AbortSignal | undefined,
  ): Promise<FramedStream> {
    const { libp2p } = this.demand();
    const until = this.until(signal);
    const channel = channelName(kind, this.deployment.chainId, this.deployment.taskRegistry);
    try {
      const peer = await this.connect(node, until);
      const dial = AbortSignal.any([until, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
      const stream = await libp2p.dialProtocol(peer, channel, {
        signal: dial,
        runOnLimitedConnection: true,
      });
      return new FramedStream(stream, { idleMs });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(error, `The node ${node} cannot be reached`);
    }
  }

  /** Dials the registered addresses; the peer id is the registered key's, so noise proves that it is this node. */
  private async connect(node: Address, signal: AbortSignal): Promise<PeerId> {
    const { libp2p } = this.demand();
    const entry = await this.fresh.find(node);
    if (entry === undefined)
      throw new DekuperError("PEER_UNREACHABLE", `The node ${node} is not registered.`);
    const peer = peerIdOf(entry);
    if (libp2p.getConnections(peer).some((connection) => connection.status === "open")) return peer;
    const addresses = entry.multiaddrs.flatMap((text) => {
      try {
        return [multiaddr(dialAddress(text, peer.toString()))];
      } catch {
        return [];
      }
    });
    if (addresses.length === 0)
      throw new DekuperError("PEER_UNREACHABLE", `The node ${node} has registered no usable address.`);
    await libp2p.dial(addresses, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]),
    });
    return peer;
  }

  private until(signal?: AbortSignal): AbortSignal {
    return signal === undefined ? this.stopped.signal : AbortSignal.any([signal, this.stopped.signal]);
  }
}

function peerIdOf(node: DirectoryNode): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(compressedPublicKey(node.operatorPublicKey)));
}
