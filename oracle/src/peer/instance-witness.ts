import { type Deployment, decodeHeartbeat, type Heartbeat, MAX_HEARTBEAT_SKEW_MS } from "@dekuper/protocol";
import type { PeerId } from "@libp2p/interface";
import type { Address } from "viem";
import { addressOfPeer } from "./remote.ts";
import { isSignedBy, type SignedHeartbeat } from "./signed-heartbeat.ts";

/** Instances of one node that are remembered: a third twin is no news. */
const MAX_INSTANCES = 2;

/**
 * Remembers the last signed heartbeat of each instance that runs under a node's key. Two daemons under one key share one
 * peer id, and gossipsub keeps one stream a peer: only a third node that both talk to can tell one of the other (rule 32).
 */
export class InstanceWitness {
  private readonly deployment: Deployment;
  private readonly topic: string;
  private readonly clock: { now(): number };
  private readonly seen = new Map<Address, Map<string, SignedHeartbeat>>();

  constructor(deployment: Deployment, topic: string, clock: { now(): number }) {
    this.deployment = deployment;
    this.topic = topic;
    this.clock = clock;
  }

  /** A heartbeat that gossip has accepted. */
  remember(heartbeat: Heartbeat, signed: SignedHeartbeat): void {
    const instances = this.seen.get(heartbeat.node) ?? new Map<string, SignedHeartbeat>();
    instances.delete(heartbeat.instanceId);
    instances.set(heartbeat.instanceId, signed);
    const oldest = instances.keys().next().value;
    if (instances.size > MAX_INSTANCES && oldest !== undefined) instances.delete(oldest);
    this.seen.set(heartbeat.node, instances);
  }

  /** A heartbeat that a peer hands over itself; anything but a recent one of its own is passed over. */
  async take(peer: PeerId, signed: SignedHeartbeat): Promise<void> {
    let heartbeat: Heartbeat;
    try {
      heartbeat = decodeHeartbeat(signed.data);
    } catch {
      return;
    }
    const { chainId, nodeRegistry } = this.deployment;
    if (heartbeat.chainId !== chainId || heartbeat.registry !== nodeRegistry) return;
    if (heartbeat.node !== addressOfPeer(peer)) return;
    if (Math.abs(this.clock.now() - heartbeat.issuedAt) > MAX_HEARTBEAT_SKEW_MS) return;
    if (await isSignedBy(peer, this.topic, signed)) this.remember(heartbeat, signed);
  }

  /** The last heartbeat under a node's key, rather of another instance than the one that asks. */
  tell(node: Address, asking: SignedHeartbeat | undefined): SignedHeartbeat | undefined {
    const instances = [...(this.seen.get(node) ?? [])].reverse();
    const own = asking === undefined ? undefined : instanceOf(asking);
    return (instances.find(([instance]) => instance !== own) ?? instances[0])?.[1];
  }
}

function instanceOf(signed: SignedHeartbeat): string | undefined {
  try {
    return decodeHeartbeat(signed.data).instanceId;
  } catch {
    return undefined;
  }
}
