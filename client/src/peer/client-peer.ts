import {
  type BlobName,
  blobVerifier,
  callGet,
  callHas,
  callLogs,
  callPut,
  channelName,
  compressedPublicKey,
  DekuperError,
  type Deployment,
  dialAddress,
  FramedStream,
  type Heartbeat,
  heartbeatTopic,
  type PeerDirectory,
  type ReadToken,
} from "@dekuper/protocol";
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import type { Address, Hex } from "viem";
import { type BlobInput, blobSource } from "./blob-source.ts";
import { type ClientLibp2p, createClientLibp2p, type TransportFactory } from "./client-libp2p.ts";
import { HeartbeatListener } from "./heartbeat-listener.ts";
import { Retries, type RetryOptions, unreachable } from "./reconnect.ts";

const DIAL_TIMEOUT_MS = 10_000;
const IDLE_MS = 60_000;
/** A followed log may be silent for long; a dead connection is noticed by libp2p's pings. */
const FOLLOW_IDLE_MS = 24 * 3_600_000;
/** About two minutes: a node that restarts is awaited. */
const FOLLOW_RETRY: RetryOptions = { tries: 30 };

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

/** The consumer's own peer: reaches nodes by chain address. Errors are `DekuperError`s with the node's code. */
export interface ClientPeer {
  /** Uploads what the node lacks and goes on where it was cut; resolves when the node has verified and stored it. */
  putBlob(node: Address, name: BlobName, input: BlobInput, options?: TransferOptions): Promise<void>;
  /** Specs and inputs only. */
  hasBlob(node: Address, name: BlobName, signal?: AbortSignal): Promise<{ size: number } | undefined>;
  /** Bytes from an offset, resumed where they are cut. They are not verified: see `getVerified`. */
  getBlob(node: Address, name: BlobName, options?: GetOptions): AsyncIterable<Uint8Array>;
  /** The whole blob; throws `BLOB_CORRUPT` after the last byte if it is not the named one. */
  getVerified(
    node: Address,
    name: BlobName,
    options?: Omit<GetOptions, "offset"> & { readonly maxBytes?: number | undefined },
  ): AsyncIterable<Uint8Array>;
  /** A lease attempt's log from an offset; with `follow` until the run has ended, across reconnects. */
  followLogs(
    node: Address,
    options: {
      readonly leaseId: Hex;
      readonly attempt: number;
      readonly token: ReadToken;
      readonly offset?: number | undefined;
      readonly follow?: boolean | undefined;
      readonly signal?: AbortSignal | undefined;
      readonly retry?: RetryOptions | undefined;
    },
  ): AsyncIterable<Uint8Array>;
  /** Joins the market's heartbeats as a light subscriber; every one is checked against the registry. */
  subscribeHeartbeats(onHeartbeat: (heartbeat: Heartbeat) => void): () => void;
  stop(): Promise<void>;
}

export interface ClientPeerOptions {
  readonly deployment: Deployment;
  readonly directory: PeerDirectory;
  /** WebSockets if not given: what a browser has. Node's are in `@dekuper/client/node`. */
  readonly transports?: readonly TransportFactory[];
}

/** Starts an ephemeral peer. Load this module lazily in a browser: it brings libp2p. */
export async function createClientPeer(options: ClientPeerOptions): Promise<ClientPeer> {
  const { deployment } = options;
  const topic = heartbeatTopic(deployment.chainId, deployment.nodeRegistry);
  const libp2p = await createClientLibp2p(options.transports ?? [webSockets()], topic);
  return new DekuperClientPeer(options, libp2p);
}

class DekuperClientPeer implements ClientPeer {
  private readonly deployment: Deployment;
  private readonly directory: PeerDirectory;
  private readonly libp2p: ClientLibp2p;
  private readonly heartbeats: HeartbeatListener;
  private readonly stopped = new AbortController();

  constructor(options: ClientPeerOptions, libp2p: ClientLibp2p) {
    this.deployment = options.deployment;
    this.directory = options.directory;
    this.libp2p = libp2p;
    const { deployment, directory } = options;
    const connect = (node: Address) => this.connect(node, this.until());
    this.heartbeats = new HeartbeatListener({ libp2p, deployment, directory, connect });
  }

  async stop(): Promise<void> {
    this.stopped.abort(new DekuperError("PEER_UNREACHABLE", "The client's peer was stopped."));
    this.heartbeats.stop();
    await this.libp2p.stop();
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

  async hasBlob(node: Address, name: BlobName, signal?: AbortSignal): Promise<{ size: number } | undefined> {
    return this.withStream(node, "blob", IDLE_MS, signal, (stream, until) => callHas(stream, name, until));
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
    options: Parameters<ClientPeer["followLogs"]>[1],
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { leaseId, attempt, token, follow = true, signal } = options;
    const retries = new Retries(options.retry ?? (follow ? FOLLOW_RETRY : {}));
    for (let offset = options.offset ?? 0; ; ) {
      const stream = await this.openPatiently(
        node,
        "logs",
        follow ? FOLLOW_IDLE_MS : IDLE_MS,
        signal,
        retries,
      );
      try {
        const request = { leaseId, attempt, offset, follow, token };
        for await (const part of callLogs(stream, request, this.until(signal))) {
          offset += part.length;
          retries.progress();
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

  subscribeHeartbeats(onHeartbeat: (heartbeat: Heartbeat) => void): () => void {
    return this.heartbeats.add(onHeartbeat);
  }

  private async withStream<T>(
    node: Address,
    kind: "blob" | "logs",
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
    kind: "blob" | "logs",
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
    kind: "blob" | "logs",
    idleMs: number,
    signal: AbortSignal | undefined,
  ): Promise<FramedStream> {
    const until = this.until(signal);
    const channel = channelName(kind, this.deployment.chainId, this.deployment.taskRegistry);
    try {
      const peer = await this.connect(node, until);
      const dial = AbortSignal.any([until, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
      const stream = await this.libp2p.dialProtocol(peer, channel, {
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
    const entry = this.directory.find(node);
    if (entry === undefined)
      throw new DekuperError("PEER_UNREACHABLE", `The node ${node} is not registered.`);
    const peer = peerIdFromPublicKey(publicKeyFromRaw(compressedPublicKey(entry.operatorPublicKey)));
    if (this.libp2p.getConnections(peer).some((connection) => connection.status === "open")) return peer;
    const addresses = entry.multiaddrs.flatMap((text) => {
      try {
        return [multiaddr(dialAddress(text, peer.toString()))];
      } catch {
        return [];
      }
    });
    if (addresses.length === 0)
      throw new DekuperError("PEER_UNREACHABLE", `The node ${node} has registered no usable address.`);
    await this.libp2p.dial(addresses, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]),
    });
    return peer;
  }

  private until(signal?: AbortSignal): AbortSignal {
    return signal === undefined ? this.stopped.signal : AbortSignal.any([signal, this.stopped.signal]);
  }
}
