import { compressedPublicKey, type DirectoryNode, dialAddress, type PeerDirectory } from "@dekuper/protocol";
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Address } from "viem";
import type { CountPeer, PeerLog } from "./options.ts";

const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 60_000;
const PARALLEL_DIALS = 8;
const DIAL_TIMEOUT_MS = 10_000;
/** A registered address list is bounded on chain; this bounds what is tried of it. */
const MAX_ADDRESSES = 16;

/** The peer id that a registered node has: its key, never a text's. */
export function peerIdOfNode(node: DirectoryNode): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(compressedPublicKey(node.operatorPublicKey)));
}

/** A node's addresses with its proved peer id; those that cannot be read are left out. */
export function addressesOfNode(node: DirectoryNode, more: readonly string[] = []): Multiaddr[] {
  const id = peerIdOfNode(node).toString();
  return [...node.multiaddrs, ...more].slice(0, MAX_ADDRESSES).flatMap((text) => {
    try {
      return [multiaddr(dialAddress(text, id))];
    } catch {
      return [];
    }
  });
}

/** Keeps connections to registered nodes: the directory's addresses first, then what peers told. */
export class Dialer {
  private readonly self: Address;
  private readonly directory: PeerDirectory;
  private readonly hints: (node: Address) => readonly string[];
  private readonly most: number;
  private readonly log: PeerLog;
  private readonly count: CountPeer;
  private readonly failures = new Map<Address, { times: number; nextAt: number }>();
  private readonly dialing = new Map<Address, Promise<void>>();

  constructor(options: {
    self: Address;
    directory: PeerDirectory;
    hints: (node: Address) => readonly string[];
    most: number;
    log: PeerLog;
    count: CountPeer;
  }) {
    this.self = options.self;
    this.directory = options.directory;
    this.hints = options.hints;
    this.most = options.most;
    this.log = options.log;
    this.count = options.count;
  }

  /** Dials some of the registered nodes that are missing. Random order: no node is everybody's first choice. */
  tick(libp2p: Libp2p, nowMs: number): void {
    const nodes = this.directory.all().filter((node) => node.node !== this.self);
    const connected = nodes.filter((node) => isConnected(libp2p, node));
    for (const node of connected) this.failures.delete(node.node);
    let free = Math.min(PARALLEL_DIALS, this.most - connected.length) - this.dialing.size;
    const missing = nodes.filter(
      (node) => !connected.includes(node) && (this.failures.get(node.node)?.nextAt ?? 0) <= nowMs,
    );
    for (const node of shuffled(missing)) {
      if (free-- <= 0) return;
      void this.dial(libp2p, node).catch(() => undefined); // logged, and tried again after the backoff
    }
  }

  /** Connects to one node, or joins the dial that is under way. */
  dial(libp2p: Libp2p, node: DirectoryNode, signal?: AbortSignal): Promise<void> {
    const running = this.dialing.get(node.node);
    if (running !== undefined) return running;
    const dial = this.connect(libp2p, node, signal).finally(() => this.dialing.delete(node.node));
    this.dialing.set(node.node, dial);
    return dial;
  }

  private async connect(libp2p: Libp2p, node: DirectoryNode, signal?: AbortSignal): Promise<void> {
    const timeout = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    try {
      const addresses = addressesOfNode(node, this.hints(node.node));
      if (addresses.length === 0) throw new Error("no address that can be dialled");
      const connection = await libp2p.dial(addresses, {
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      this.failures.delete(node.node);
      this.log.debug({ node: node.node, address: connection.remoteAddr.toString() }, "node-connected");
    } catch (error) {
      const times = (this.failures.get(node.node)?.times ?? 0) + 1;
      const backoff =
        Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (times - 1)) * (0.75 + Math.random() / 2);
      this.failures.set(node.node, { times, nextAt: Date.now() + backoff });
      this.count("dials_failed");
      this.log.debug({ node: node.node, times, reason: String(error) }, "node-dial-failed");
      throw error;
    }
  }
}

export function isConnected(libp2p: Libp2p, node: DirectoryNode): boolean {
  return libp2p.getConnections(peerIdOfNode(node)).some((connection) => connection.status === "open");
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((left, right) => left.order - right.order)
    .map(({ item }) => item);
}
