import {
  addressOfPublicKey,
  type BlobName,
  blobRequestSchema,
  callPut,
  callReport,
  channelName,
  chunkRequestSchema,
  DekuperError,
  type DirectoryNode,
  FramedStream,
  type Heartbeat,
  type LivenessReport,
  logsRequestSchema,
  type Presence,
  quoteRequestSchema,
  type ReportAnswer,
  receiptSchema,
  reportRequestSchema,
  verdictRequestSchema,
} from "@dekuper/protocol";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type Address, type Hex, hexToBytes } from "viem";
import { serveBlobs } from "./blob-channel.ts";
import { ChannelServer } from "./channel-server.ts";
import { serveChunks, serveReceipts, serveVerdicts } from "./claim-channels.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { Dialer, isConnected, peerIdOfNode } from "./dialer.ts";
import { fetchBlob } from "./fetch-blob.ts";
import { HeartbeatGossip } from "./gossip.ts";
import { createDaemonLibp2p, type DekuperLibp2p } from "./libp2p-node.ts";
import { serveLogs } from "./logs-channel.ts";
import { type CountPeer, DEFAULT_PEER_LIMITS, type PeerLimits, type PeerNodeOptions } from "./options.ts";
import type { PeerChannel, PeerNode } from "./peer.ts";
import { AddressHints, askPeers, type PeersAnswer, peersRequestSchema, servePeers } from "./peer-exchange.ts";
import { serveQuotes } from "./quote-channel.ts";
import { ReadAccess } from "./read-access.ts";
import { registeredNode } from "./remote.ts";
import { serveReports } from "./report-channel.ts";
import { isSignedBy, type SignedHeartbeat } from "./signed-heartbeat.ts";

const DIAL_INTERVAL_MS = 3_000;
const EXCHANGE_INTERVAL_MS = 5_000;
const EXCHANGE_TIMEOUT_MS = 5_000;
const IDLE_CHECK_MS = 10_000;
const MAX_STREAMS_PER_CONNECTION = 64;

/** The oracle's libp2p node. It does nothing before `start`. */
export function createPeerNode(options: PeerNodeOptions): PeerNode {
  return new DekuperPeerNode(options);
}

class DekuperPeerNode implements PeerNode {
  readonly peerId: string;
  private readonly self: Address;
  private readonly options: PeerNodeOptions;
  private readonly limits: PeerLimits;
  private readonly clock: { now(): number };
  private readonly count: CountPeer;
  private readonly gossip: HeartbeatGossip;
  private readonly connectionLimits: ConnectionLimits;
  private readonly hints: AddressHints;
  private readonly dialer: Dialer;
  private readonly timers: NodeJS.Timeout[] = [];
  private running: DekuperLibp2p | undefined;

  constructor(options: PeerNodeOptions) {
    this.options = options;
    this.limits = { ...DEFAULT_PEER_LIMITS, ...options.limits };
    this.clock = options.clock ?? Date;
    this.count = options.count ?? (() => undefined);
    const key = privateKeyOf(options.operatorPrivateKey);
    this.peerId = peerIdFromPrivateKey(key).toString();
    this.self = addressOfPublicKey(key.publicKey.raw);
    const { deployment, directory, log } = options;
    const { self, clock, count } = this;
    this.gossip = new HeartbeatGossip({ self, key, deployment, directory, clock, count });
    this.connectionLimits = new ConnectionLimits(directory, this.limits, count);
    this.hints = new AddressHints(directory);
    this.dialer = new Dialer({
      self,
      directory,
      hints: (node) => this.hints.of(node),
      most: this.limits.dialedNodes,
      log,
      count,
    });
  }

  get multiaddrs(): readonly string[] {
    return this.running?.getMultiaddrs().map(String) ?? [];
  }

  get heartbeatsReceived(): number {
    return this.gossip.received;
  }

  async start(): Promise<void> {
    if (this.running !== undefined) return;
    const libp2p = await createDaemonLibp2p(this.options, {
      privateKey: privateKeyOf(this.options.operatorPrivateKey),
      gater: this.connectionLimits.gater(),
      gossip: this.gossip,
    });
    this.connectionLimits.connections = () => libp2p.getConnections();
    libp2p.addEventListener("connection:open", ({ detail }) => this.connectionLimits.enforce(detail));
    await this.serve(libp2p);
    try {
      await libp2p.start();
    } catch (error) {
      await libp2p.stop();
      throw listenError(error, this.options.listen);
    }
    this.running = libp2p;
    this.gossip.attach(libp2p.services.pubsub);
    this.every(this.options.dialIntervalMs ?? DIAL_INTERVAL_MS, () => this.dialer.tick(libp2p, Date.now()));
    this.every(this.options.exchangeIntervalMs ?? EXCHANGE_INTERVAL_MS, () => void this.exchange(libp2p));
    this.every(IDLE_CHECK_MS, () => this.closeIdleStrangers(libp2p));
    this.dialer.tick(libp2p, Date.now());
    this.options.log.info({ peerId: this.peerId, node: this.self, listen: this.multiaddrs }, "peer-started");
  }

  async stop(): Promise<void> {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    const libp2p = this.running;
    this.running = undefined;
    await libp2p?.stop();
  }

  connectedNodes(): readonly Address[] {
    const nodes = (this.running?.getPeers() ?? []).map(
      (peer) => registeredNode(peer, this.options.directory)?.node,
    );
    return nodes.filter((node) => node !== undefined);
  }

  async publishHeartbeat(heartbeat: Heartbeat): Promise<void> {
    await this.gossip.publish(this.libp2p().services.pubsub, heartbeat);
  }

  presence(): ReadonlyMap<Address, Presence> {
    return this.gossip.presence();
  }

  lastHeard(node: Address): number | undefined {
    return this.gossip.last(node)?.receivedAt;
  }

  onTwin(listener: (heartbeat: Heartbeat) => void): () => void {
    return this.gossip.onTwin(listener);
  }

  async fetchBlob(name: BlobName, maxBytes: number, signal: AbortSignal): Promise<void> {
    const { blobStore: store, log } = this.options;
    await fetchBlob(
      {
        candidates: () => this.candidates(),
        openBlobStream: (node, until) => this.openStream(node, "blob", until),
        store,
        log,
        count: this.count,
      },
      name,
      maxBytes,
      signal,
    );
  }

  async putBlob(node: Address, name: BlobName, signal: AbortSignal): Promise<void> {
    const { blobStore: store } = this.options;
    const found = await store.has(name);
    if (found === undefined)
      throw new DekuperError("NOT_FOUND", "There is no such blob here.", { details: { blob: name.digest } });
    const source = { size: found.size, open: (offset: number) => store.read(name, offset) };
    await this.call(node, "blob", (stream) => callPut(stream, name, source, { signal }), signal);
  }

  async call<T>(
    node: Address,
    kind: PeerChannel,
    use: (stream: FramedStream) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const entry = this.options.directory.find(node);
    if (entry === undefined)
      throw new DekuperError("NOT_FOUND", `There is no node ${node}.`, { details: { node } });
    const stream = new FramedStream(await this.openStream(entry, kind, signal), {
      idleMs: this.limits.streamIdleMs,
    });
    try {
      return await use(stream);
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  async askReport(node: Address, report: LivenessReport, signal: AbortSignal): Promise<ReportAnswer> {
    const entry = this.options.directory.find(node);
    if (entry === undefined)
      throw new DekuperError("NOT_FOUND", "There is no such node.", { details: { node } });
    const raw = await this.openStream(entry, "report", signal);
    const stream = new FramedStream(raw, { idleMs: this.limits.streamIdleMs });
    try {
      return await callReport(stream, report, signal);
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  private async serve(libp2p: DekuperLibp2p): Promise<void> {
    const { deployment, directory, blobStore, logStore, readPolicy, quotes, reports, claims, log } =
      this.options;
    const { limits, count, clock } = this;
    const server = new ChannelServer({ directory, limits, log, count });
    const access = new ReadAccess(deployment, readPolicy, clock);
    const settings = { maxInboundStreams: MAX_STREAMS_PER_CONNECTION, runOnLimitedConnection: true };
    const blobs = serveBlobs({ store: blobStore, access, count });
    const logs = serveLogs({ store: logStore, access, count, clock });
    const peers = servePeers((asking, own) => this.tell(libp2p, asking, own));
    await libp2p.handle(this.channel("blob"), server.handler(blobRequestSchema, blobs), settings);
    await libp2p.handle(this.channel("logs"), server.handler(logsRequestSchema, logs), settings);
    await libp2p.handle(this.channel("peers"), server.handler(peersRequestSchema, peers), {
      maxInboundStreams: 4,
    });
    if (quotes !== undefined) {
      const serve = serveQuotes({ source: quotes, limits, count });
      await libp2p.handle(this.channel("quote"), server.handler(quoteRequestSchema, serve), settings);
    }
    if (reports !== undefined) {
      const serve = serveReports({ source: reports, limits, count });
      await libp2p.handle(this.channel("report"), server.handler(reportRequestSchema, serve), settings);
    }
    if (claims === undefined) return;
    const receipts = serveReceipts({ source: claims, count });
    const chunks = serveChunks({ source: claims, count });
    const verdicts = serveVerdicts({ source: claims });
    await libp2p.handle(this.channel("receipt"), server.handler(receiptSchema, receipts), settings);
    await libp2p.handle(this.channel("chunk"), server.handler(chunkRequestSchema, chunks), settings);
    await libp2p.handle(this.channel("verdict"), server.handler(verdictRequestSchema, verdicts), settings);
  }

  private candidates(): DirectoryNode[] {
    const libp2p = this.libp2p();
    const nodes = this.options.directory.all().filter((node) => node.node !== this.self);
    const connected = nodes.filter((node) => isConnected(libp2p, node));
    return [...connected, ...nodes.filter((node) => !connected.includes(node))];
  }

  private async openStream(node: DirectoryNode, kind: PeerChannel, signal: AbortSignal): Promise<Stream> {
    const libp2p = this.libp2p();
    if (!isConnected(libp2p, node)) await this.dialer.dial(libp2p, node, signal);
    return libp2p.dialProtocol(peerIdOfNode(node), this.channel(kind), {
      signal,
      runOnLimitedConnection: true,
    });
  }

  /** What this node tells another one that asks. */
  private async tell(
    libp2p: DekuperLibp2p,
    asking: DirectoryNode,
    own: SignedHeartbeat | undefined,
  ): Promise<PeersAnswer> {
    if (own !== undefined) await this.gossip.witness.take(peerIdOfNode(asking), own);
    const peers: { node: Address; multiaddrs: string[] }[] = [];
    for (const peer of libp2p.getPeers()) {
      const node = registeredNode(peer, this.options.directory)?.node;
      if (node === undefined || node === asking.node) continue;
      const known = await libp2p.peerStore.get(peer).catch(() => undefined);
      const multiaddrs = (known?.addresses ?? []).map(({ multiaddr }) => multiaddr.toString());
      if (multiaddrs.length > 0) peers.push({ node, multiaddrs });
    }
    return { peers, heartbeat: this.gossip.witness.tell(asking.node, own) };
  }

  /** Asks one connected node for addresses and for its news of this node itself. */
  private async exchange(libp2p: DekuperLibp2p): Promise<void> {
    const nodes = this.options.directory
      .all()
      .filter((node) => node.node !== this.self && isConnected(libp2p, node));
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    if (node === undefined) return;
    try {
      const stream = await this.openStream(node, "peers", AbortSignal.timeout(EXCHANGE_TIMEOUT_MS));
      const answer = await askPeers(stream, this.gossip.ownHeartbeat);
      this.hints.learn(answer);
      if (answer.heartbeat === undefined) return;
      if (await isSignedBy(libp2p.peerId, this.gossip.topic, answer.heartbeat))
        this.gossip.seeOwn(answer.heartbeat.data);
    } catch (error) {
      this.options.log.debug({ node: node.node, reason: String(error) }, "peer-exchange-failed");
    }
  }

  private closeIdleStrangers(libp2p: DekuperLibp2p): void {
    const subscribers = new Set(libp2p.services.pubsub.getSubscribers(this.gossip.topic).map(String));
    for (const connection of this.connectionLimits.idleStrangers(subscribers, Date.now())) {
      this.count("connections_idle_closed");
      void connection.close().catch((error) => connection.abort(error));
    }
  }

  private channel(kind: Parameters<typeof channelName>[0]): string {
    return channelName(kind, this.options.deployment.chainId, this.options.deployment.taskRegistry);
  }

  private every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.timers.push(timer);
  }

  private libp2p(): DekuperLibp2p {
    if (this.running === undefined) throw new DekuperError("INTERNAL", "The peer node is not started.");
    return this.running;
  }
}

function privateKeyOf(key: Uint8Array | Hex) {
  return privateKeyFromRaw(typeof key === "string" ? hexToBytes(key) : key);
}

function listenError(error: unknown, listen: readonly string[]): unknown {
  const taken = /EADDRINUSE|UnsupportedListenAddresses|could not listen/i.test(String(error));
  return taken
    ? new DekuperError("PORT_TAKEN", `The peer cannot listen on ${listen.join(", ")}.`, { cause: error })
    : error;
}
