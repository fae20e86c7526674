import { type Address, getAddress } from "viem";
import type { PeerDirectory } from "./directory.ts";
import {
  decodeHeartbeat,
  type Heartbeat,
  heartbeatProblem,
  MAX_HEARTBEAT_BYTES,
  PRESENCE_TIMEOUT_MS,
} from "./heartbeat.ts";
import { addressOfPublicKey } from "./node-key.ts";

/** What is known of another node's presence. */
export interface Presence {
  readonly heartbeat: Heartbeat;
  /** By this node's clock, milliseconds. */
  readonly receivedAt: number;
}

/** Shortest time between two heartbeats of one node that are passed on, milliseconds: a flood stops at its neighbours. */
export const MIN_HEARTBEAT_GAP_MS = 250;

export type HeartbeatVerdict =
  | { readonly kind: "accepted"; readonly heartbeat: Heartbeat }
  /** Dropped without blame: clocks differ, messages overtake each other, directories lag. */
  | { readonly kind: "ignored"; readonly reason: string }
  /** Only a peer that does not check, or lies, sends this. */
  | { readonly kind: "rejected"; readonly reason: string };

/** Judges heartbeats by rule 33 and remembers the newest of each registered node. The same in the daemon and in a browser. */
export class HeartbeatBook {
  private readonly deployment: { readonly chainId: number; readonly nodeRegistry: Address };
  private readonly directory: PeerDirectory;
  private readonly entries = new Map<Address, Presence>();

  constructor(
    deployment: { readonly chainId: number; readonly nodeRegistry: Address },
    directory: PeerDirectory,
  ) {
    this.deployment = deployment;
    this.directory = directory;
  }

  /** `senderKey` is the public key that signed the message, `direct` whether its sender handed it over itself. */
  judge(data: Uint8Array, senderKey: Uint8Array, direct: boolean, nowMs: number): HeartbeatVerdict {
    if (data.length > MAX_HEARTBEAT_BYTES) return { kind: "rejected", reason: "oversized" };
    let heartbeat: Heartbeat;
    let sender: Address;
    try {
      heartbeat = decodeHeartbeat(data);
      sender = addressOfPublicKey(senderKey);
    } catch {
      return { kind: "rejected", reason: "malformed" };
    }
    const last = this.entries.get(sender);
    const problem = heartbeatProblem(heartbeat, {
      chainId: this.deployment.chainId,
      registry: this.deployment.nodeRegistry,
      nowMs,
      sender,
      last: last?.heartbeat,
    });
    if (problem === "other-market" || problem === "other-sender")
      return { kind: "rejected", reason: problem };
    // A neighbour whose directory is a block ahead may pass on a node that is unknown here: only the node itself is blamed.
    if (this.directory.find(sender) === undefined)
      return { kind: direct ? "rejected" : "ignored", reason: "unregistered" };
    if (problem !== undefined) return { kind: "ignored", reason: problem };
    if (last !== undefined && nowMs - last.receivedAt < MIN_HEARTBEAT_GAP_MS)
      return { kind: "ignored", reason: "too-often" };
    this.entries.set(sender, { heartbeat, receivedAt: nowMs });
    return { kind: "accepted", heartbeat };
  }

  /** The newest heartbeat of a node, however old. */
  last(node: Address): Presence | undefined {
    return this.entries.get(getAddress(node));
  }

  /** Nodes heard within `PRESENCE_TIMEOUT_MS` that are still registered; the others are forgotten. */
  present(nowMs: number): ReadonlyMap<Address, Presence> {
    const present = new Map<Address, Presence>();
    for (const [node, entry] of this.entries) {
      if (this.directory.find(node) === undefined) this.entries.delete(node);
      else if (nowMs - entry.receivedAt <= PRESENCE_TIMEOUT_MS) present.set(node, entry);
    }
    return present;
  }
}
