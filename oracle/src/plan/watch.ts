import type { LeaseStatus } from "@dekuper/protocol";
import type { Seconds } from "./plan.ts";

/** A lease that somebody else holds, or that has lost its node. */
export interface WatchedLease {
  readonly status: LeaseStatus;
  /** Until when the actor of its state may act; `Infinity` while its gang waits for others. */
  readonly deadline: Seconds;
  readonly outageGrace: number;
  /** Seconds offline after which another node may have it. */
  readonly failoverAfter: number;
  /** Its node's owner has revoked the node's key. */
  readonly isRevoked: boolean;
  /** Since when the chain holds its node to be offline; undefined: it does not. */
  readonly offlineSince: Seconds | undefined;
}

const LIVE: ReadonlySet<LeaseStatus> = new Set(["Assigned", "Running", "Stopping"]);

/** What anyone may do about a lease now, so that it goes to another node, or its reservation back (rules 17 and 27). */
export function planWatch(lease: WatchedLease, now: Seconds): "failover" | "expire" | undefined {
  const isLive = LIVE.has(lease.status);
  if (!isLive && lease.status !== "Open") return undefined;
  if (now > lease.deadline + lease.outageGrace) return "expire";
  if (!isLive) return undefined;
  const isLost = lease.offlineSince !== undefined && now > lease.offlineSince + lease.failoverAfter;
  return lease.isRevoked || isLost ? "failover" : undefined;
}

/**
 * Seconds for which a node lets others go first, so that they do not all pay for the same call: spread over at most a minute
 * by a number of its own for this lease. `draw` is any 32 bits that no other node shares.
 */
export function patienceOf(draw: number, nodes: number): number {
  const spread = Math.min(60, 2 * nodes);
  return spread === 0 ? 0 : draw % spread;
}
