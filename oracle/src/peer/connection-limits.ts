import type { PeerDirectory } from "@dekuper/protocol";
import type { Connection, ConnectionGater, PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { CountPeer, PeerLimits } from "./options.ts";
import { hostOf, registeredNode } from "./remote.ts";
import { TokenBuckets } from "./token-bucket.ts";

/**
 * Who may connect. Registered nodes are let in whatever strangers do, and are dialled besides; strangers are counted in
 * all, by host and by peer. (Akash support 659: one tenant's 120,000 connections took a provider offline.)
 */
export class ConnectionLimits {
  private readonly directory: PeerDirectory;
  private readonly limits: PeerLimits;
  private readonly count: CountPeer;
  private readonly inbound: TokenBuckets;
  /** Set when the node starts. */
  connections: () => readonly Connection[] = () => [];

  constructor(directory: PeerDirectory, limits: PeerLimits, count: CountPeer) {
    this.directory = directory;
    this.limits = limits;
    this.count = count;
    this.inbound = new TokenBuckets({
      burst: limits.inboundBurst,
      perSecond: limits.inboundPerSecond,
      now: () => performance.now(),
    });
  }

  gater(): ConnectionGater {
    return {
      // Addresses come from the registry and the key is proved by noise: private ones are right on a local network.
      denyDialMultiaddr: () => false,
      denyInboundConnection: (raw) => this.refused(!this.inbound.tryTake(hostOf(raw.remoteAddr))),
      denyInboundEncryptedConnection: (peer, raw) => this.refused(this.overLimit(peer, raw.remoteAddr, 1)),
      denyInboundRelayReservation: (peer) => !this.isRegistered(peer),
      denyOutboundRelayedConnection: (_from, to) => !this.isRegistered(to),
    };
  }

  /** Upgrades run at the same time, so the count is right only once the connection is among the others. */
  enforce(connection: Connection): void {
    if (connection.direction === "outbound") return;
    if (!this.overLimit(connection.remotePeer, connection.remoteAddr, 0)) return;
    this.refused(true);
    connection.abort(new Error("too many connections"));
  }

  /** Strangers' connections that do nothing; `subscribers` are peer ids that listen to the heartbeats. */
  idleStrangers(subscribers: ReadonlySet<string>, nowMs: number): Connection[] {
    return this.connections().filter(
      (connection) =>
        nowMs - connection.timeline.open > this.limits.strangerIdleMs &&
        !this.isRegistered(connection.remotePeer) &&
        !subscribers.has(connection.remotePeer.toString()) &&
        !connection.streams.some((stream) => stream.protocol.startsWith("/dekuper/")),
    );
  }

  private overLimit(peer: PeerId, address: Multiaddr, more: number): boolean {
    const all = this.connections();
    const ofPeer = all.filter((connection) => connection.remotePeer.equals(peer)).length + more;
    if (this.isRegistered(peer)) return ofPeer > this.limits.connectionsPerNode;
    if (ofPeer > this.limits.connectionsPerStranger) return true;
    const strangers = all.filter((connection) => !this.isRegistered(connection.remotePeer));
    if (strangers.length + more > this.limits.strangers) return true;
    const host = hostOf(address);
    const ofHost = strangers.filter((connection) => hostOf(connection.remoteAddr) === host).length;
    return ofHost + more > this.limits.strangersPerHost;
  }

  private isRegistered(peer: PeerId): boolean {
    return registeredNode(peer, this.directory) !== undefined;
  }

  private refused(yes: boolean): boolean {
    if (yes) this.count("connections_refused");
    return yes;
  }
}
