import {
  type Deployment,
  HEARTBEAT_INTERVAL_MS,
  type Heartbeat,
  HeartbeatBook,
  heartbeatTopic,
  type PeerDirectory,
} from "@dekuper/protocol";
import { type Message, TopicValidatorResult } from "@libp2p/gossipsub";
import type { PeerId } from "@libp2p/interface";
import type { Address } from "viem";
import type { ClientLibp2p } from "./client-libp2p.ts";

/** Nodes that a light subscriber keeps connections to: each brings the whole market's heartbeats. */
const CONNECTIONS = 3;
const RECONNECT_MS = 5_000;
/** After a connection is lost, before others are dialled: one that is refused at once is not asked in a loop. */
const LOST_MS = 250;
/** How long one node's dial holds up the next one's. */
const DIAL_PATIENCE_MS = 700;
/** A node that was not heard for so long after somebody began to listen is dialled itself. */
const SILENT_MS = 1.5 * HEARTBEAT_INTERVAL_MS;
/** Silent nodes that are dialled for one listener. */
const SILENT_DIALS = 8;
/** What was heard less long ago is told to a new listener at once. */
const FRESH_MS = 2 * HEARTBEAT_INTERVAL_MS;

type Listen = (heartbeat: Heartbeat, receivedAt: number) => void;

/**
 * Joins the market's heartbeat topic with the first listener, and stays: nodes take a peer that left and came back into
 * their meshes only after gossipsub's backoff, ten seconds and more. Connections are kept while anybody listens.
 */
export class HeartbeatListener {
  private readonly libp2p: ClientLibp2p;
  private readonly directory: PeerDirectory;
  private readonly refresh: () => Promise<void>;
  private readonly connect: (node: Address) => Promise<unknown>;
  private readonly connected: () => readonly Address[];
  private readonly topic: string;
  private readonly book: HeartbeatBook;
  private readonly listeners = new Set<Listen>();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private joined = false;
  private isDialling = false;
  /** What is missing now was not when the dialling that is under way began. */
  private isToDialAgain = false;

  constructor(options: {
    libp2p: ClientLibp2p;
    deployment: Deployment;
    directory: PeerDirectory;
    /** Brings the directory up to date where it is old. */
    refresh: () => Promise<void>;
    connect: (node: Address) => Promise<unknown>;
    /** Nodes with an open connection. */
    connected: () => readonly Address[];
  }) {
    this.libp2p = options.libp2p;
    this.directory = options.directory;
    this.refresh = options.refresh;
    this.connect = options.connect;
    this.connected = options.connected;
    this.topic = heartbeatTopic(options.deployment.chainId, options.deployment.nodeRegistry);
    this.book = new HeartbeatBook(options.deployment, options.directory);
  }

  /** Returns how to stop listening. `listen` is called at once with what was heard in the last seconds. */
  add(listen: Listen): () => void {
    const listener: Listen = (heartbeat, receivedAt) => listen(heartbeat, receivedAt);
    const now = Date.now();
    for (const { heartbeat, receivedAt } of this.book.present(now).values())
      if (now - receivedAt <= FRESH_MS) listener(heartbeat, receivedAt);
    this.listeners.add(listener);
    this.join();
    if (this.listeners.size === 1) {
      this.isToDialAgain = this.isDialling; // for earlier listeners, and perhaps given up with them
      this.keepConnected();
    }
    this.after(SILENT_MS, () => this.dialSilent(now));
    return () => {
      if (this.listeners.delete(listener) && this.listeners.size === 0) this.clear();
    };
  }

  /** Ends the timers; libp2p is stopped by its owner. */
  stop(): void {
    this.listeners.clear();
    this.clear();
  }

  private join(): void {
    if (this.joined) return;
    this.joined = true;
    const { pubsub } = this.libp2p.services;
    pubsub.topicValidators.set(this.topic, (from, message) => this.validate(from, message));
    pubsub.subscribe(this.topic);
    this.libp2p.addEventListener("peer:disconnect", () => {
      if (this.listeners.size > 0) this.after(LOST_MS, () => this.replaceLost());
    });
  }

  private validate(from: PeerId, message: Message): TopicValidatorResult {
    if (message.type !== "signed") return TopicValidatorResult.Reject;
    const direct = from.equals(message.from);
    const now = Date.now();
    const verdict = this.book.judge(message.data, message.key.raw, direct, now);
    if (verdict.kind === "rejected") return TopicValidatorResult.Reject;
    if (verdict.kind === "ignored") return TopicValidatorResult.Ignore;
    for (const listener of this.listeners) listener(verdict.heartbeat, now);
    return TopicValidatorResult.Accept;
  }

  private replaceLost(): void {
    if (this.isDialling) this.isToDialAgain = true;
    else void this.fillConnections();
  }

  private keepConnected(): void {
    void this.fillConnections();
    this.after(RECONNECT_MS, () => this.keepConnected());
  }

  /** Random nodes, so that no node carries all the light subscribers; one that is away makes way for the next. */
  private async fillConnections(): Promise<void> {
    if (this.isDialling) return;
    this.isDialling = true;
    try {
      await this.refresh().catch(() => undefined); // with an RPC that is away, those that are known will do
      const waiting = this.unconnected();
      const isEnough = () => this.listeners.size === 0 || this.connected().length >= CONNECTIONS;
      const work = async () => {
        for (let node = waiting.shift(); node !== undefined && !isEnough(); node = waiting.shift())
          await this.dial(node);
      };
      const missing = Math.max(0, CONNECTIONS - this.connected().length);
      await Promise.all(Array.from({ length: missing }, work));
    } finally {
      this.isDialling = false;
      if (this.isToDialAgain && this.listeners.size > 0)
        this.after(LOST_MS, () => void this.fillConnections());
      this.isToDialAgain = false;
    }
  }

  /** Whom the others do not pass on is asked itself: a node sends its own heartbeats to everyone connected to it. */
  private dialSilent(since: number): void {
    const heard = (node: Address) => (this.book.last(node)?.receivedAt ?? 0) >= since - FRESH_MS;
    const silent = this.unconnected().filter((node) => !heard(node));
    for (const node of silent.slice(0, SILENT_DIALS)) void this.dial(node);
  }

  /** In random order. */
  private unconnected(): Address[] {
    const connected = new Set(this.connected());
    return this.directory
      .all()
      .filter(({ node }) => !connected.has(node))
      .map(({ node }) => ({ node, order: Math.random() }))
      .sort((left, right) => left.order - right.order)
      .map(({ node }) => node);
  }

  /** Resolves when it is connected, has failed, or takes too long to be waited for. */
  private async dial(node: Address): Promise<void> {
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, DIAL_PATIENCE_MS);
    const dialled = this.connect(node).catch(() => undefined); // it is tried again at a later turn
    await Promise.race([dialled, patience.promise]);
    clearTimeout(timer);
  }

  private after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      work();
    }, ms);
    this.timers.add(timer);
  }

  private clear(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}
