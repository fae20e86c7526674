import { type Heartbeat, PRESENCE_TIMEOUT_MS } from "@dekuper/protocol";
import type { Address } from "viem";

/** What this browser knows of one node's liveness. */
export interface Presence {
  readonly heartbeat: Heartbeat;
  /** This browser's clock, Unix milliseconds. */
  readonly receivedAt: number;
}

/** How this browser sees the network. `connected` are the nodes it has a direct connection with. */
export interface PeerView {
  readonly state: "starting" | "ready" | "unavailable";
  readonly error?: unknown;
  readonly presence: ReadonlyMap<Address, Presence>;
  readonly connected: ReadonlySet<Address>;
}

export const STARTING: PeerView = { state: "starting", presence: new Map(), connected: new Set() };

/** Whether the last heartbeat is young enough. */
export function isOnline(presence: Presence | undefined, nowMs: number): boolean {
  return presence !== undefined && nowMs - presence.receivedAt <= PRESENCE_TIMEOUT_MS;
}
