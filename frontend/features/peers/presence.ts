import { PRESENCE_TIMEOUT_MS, type Presence } from "@dekuper/protocol";
import type { Address } from "viem";

/** How this browser sees the network. `listening` has not heard long enough to call a silent node offline. */
export interface PeerView {
  readonly state: "starting" | "listening" | "ready" | "unavailable";
  readonly presence: ReadonlyMap<Address, Presence>;
  /** Nodes that this browser has a direct connection with. */
  readonly connected: ReadonlySet<Address>;
}

export const STARTING: PeerView = { state: "starting", presence: new Map(), connected: new Set() };

/** Whether the last heartbeat is young enough. */
export function isOnline(presence: Presence | undefined, nowMs: number): boolean {
  return presence !== undefined && nowMs - presence.receivedAt <= PRESENCE_TIMEOUT_MS;
}
