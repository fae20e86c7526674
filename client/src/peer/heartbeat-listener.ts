import {
  type Deployment,
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

type Listen = (heartbeat: Heartbeat, receivedAt: number) => void;

/** Joins the market's heartbeat topic while anybody listens. */
export class HeartbeatListener {
  private readonly libp2p: ClientLibp2p;
  private readonly directory: PeerDirectory;
  private readonly refresh: () => Promise<void>;
  private readonly connect: (node: Address) => Promise<unknown>;
  private readonly connected: () => readonly Address[];
  private readonly topic: string;
  private readonly book: HeartbeatBook;
  private readonly listeners = new Set<Listen>();
  private timer: ReturnType<typeof setInterval> | undefined;

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

  /** Returns how to stop listening. */
  add(listen: Listen): () => void {
    const listener: Listen = (heartbeat, receivedAt) => listen(heartbeat, receivedAt);
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.join();
    return () => {
      if (this.listeners.delete(listener) && this.listeners.size === 0) this.leave();
    };
  }

  /** Ends the timer; libp2p is stopped by its owner. */
  stop(): void {
    clearInterval(this.timer);
    this.listeners.clear();
  }

  private join(): void {
    const { pubsub } = this.libp2p.services;
    pubsub.topicValidators.set(this.topic, (from, message) => this.validate(from, message));
    pubsub.subscribe(this.topic);
    void this.keepConnected();
    this.timer = setInterval(() => void this.keepConnected(), RECONNECT_MS);
  }

  private leave(): void {
    clearInterval(this.timer);
    if (this.libp2p.status !== "started") return;
    this.libp2p.services.pubsub.unsubscribe(this.topic);
    this.libp2p.services.pubsub.topicValidators.delete(this.topic);
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

  /** Random nodes, so that no node carries all the light subscribers. */
  private async keepConnected(): Promise<void> {
    await this.refresh().catch(() => undefined); // with an RPC that is away, those that are known will do
    const connected = new Set(this.connected());
    const missing = Math.max(0, CONNECTIONS - connected.size);
    const nodes = this.directory
      .all()
      .filter(({ node }) => !connected.has(node))
      .map(({ node }) => ({ node, order: Math.random() }))
      .sort((left, right) => left.order - right.order);
    // A node that is away is tried again at the next turn.
    await Promise.allSettled(nodes.slice(0, missing).map(({ node }) => this.connect(node)));
  }
}
