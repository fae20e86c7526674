import {
  type Deployment,
  decodeHeartbeat,
  encodeHeartbeat,
  type Heartbeat,
  HeartbeatBook,
  heartbeatTopic,
  MAX_HEARTBEAT_BYTES,
  MAX_HEARTBEAT_SKEW_MS,
  type PeerDirectory,
  type Presence,
} from "@dekuper/protocol";
import { type GossipSub, gossipsub, type Message, TopicValidatorResult } from "@libp2p/gossipsub";
import type { PeerId, PrivateKey } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import type { Address } from "viem";
import { InstanceWitness } from "./instance-witness.ts";
import type { CountPeer } from "./options.ts";
import { addressOfPeer, registeredNode } from "./remote.ts";
import { type SignedHeartbeat, signHeartbeat } from "./signed-heartbeat.ts";

/** Own heartbeats that are remembered, to know them from a twin's: far more than are sent while one may still count. */
const REMEMBERED = 256;

/** Heartbeats over gossipsub: judged before they are passed on, and one's own key watched for a second daemon. */
export class HeartbeatGossip {
  readonly topic: string;
  received = 0;
  private readonly self: Address;
  private readonly directory: PeerDirectory;
  private readonly clock: { now(): number };
  private readonly count: CountPeer;
  private readonly book: HeartbeatBook;
  private readonly twinListeners = new Set<(heartbeat: Heartbeat) => void>();
  private readonly sent = new Map<string, true>();
  private firstSentAt: number | undefined;
  private lastSigned: SignedHeartbeat | undefined;
  private readonly key: PrivateKey;
  readonly witness: InstanceWitness;

  constructor(options: {
    self: Address;
    key: PrivateKey;
    deployment: Deployment;
    directory: PeerDirectory;
    clock: { now(): number };
    count: CountPeer;
  }) {
    this.self = options.self;
    this.key = options.key;
    this.directory = options.directory;
    this.clock = options.clock;
    this.count = options.count;
    this.book = new HeartbeatBook(options.deployment, options.directory);
    this.topic = heartbeatTopic(options.deployment.chainId, options.deployment.nodeRegistry);
    this.witness = new InstanceWitness(options.deployment, this.topic, options.clock);
  }

  /** The libp2p service. A bounded mesh in which registered peers go before strangers. */
  service() {
    return gossipsub({
      globalSignaturePolicy: "StrictSign",
      allowPublishToZeroTopicPeers: true,
      allowedTopics: [this.topic],
      emitSelf: false,
      fallbackToFloodsub: false,
      floodPublish: true, // one's own heartbeat goes to everyone connected: being heard directly needs no place in a mesh
      doPX: false, // addresses come from the registry and the peers channel
      D: 6,
      Dlo: 4,
      Dhi: 12,
      Dscore: 4,
      maxInboundDataLength: 64 * 1024,
      maxOutboundBufferSize: 1024 * 1024,
      maxTopicBytesPerPeer: 16 * 1024,
      decodeRpcLimits: {
        maxSubscriptions: 8,
        maxMessages: 64,
        maxIhaveMessageIDs: 2048,
        maxIwantMessageIDs: 2048,
        maxIdontwantMessageIDs: 2048,
        maxControlMessages: 64,
        maxPeerInfos: 0,
      },
      scoreParams: {
        topics: { [this.topic]: topicScore },
        appSpecificScore: (peer) => (registeredNode(peerIdFromString(peer), this.directory) ? 20 : 0),
        appSpecificWeight: 1,
        IPColocationFactorWeight: 0, // many nodes and clients stand behind one address
        behaviourPenaltyWeight: -10,
        behaviourPenaltyThreshold: 6,
        behaviourPenaltyDecay: 0.9,
        decayInterval: 1000,
        decayToZero: 0.01,
        retainScore: 600_000,
      },
      scoreThresholds: {
        gossipThreshold: -20,
        publishThreshold: -40,
        graylistThreshold: -80,
        acceptPXThreshold: 1000,
        opportunisticGraftThreshold: 2,
      },
    });
  }

  /** Joins the topic once libp2p runs. */
  attach(service: GossipSub): void {
    service.topicValidators.set(this.topic, (from, message) => this.validate(from, message));
    service.subscribe(this.topic);
  }

  async publish(service: GossipSub, heartbeat: Heartbeat): Promise<void> {
    this.firstSentAt ??= heartbeat.issuedAt;
    this.sent.set(markOf(heartbeat), true);
    const oldest = this.sent.keys().next().value;
    if (this.sent.size > REMEMBERED && oldest !== undefined) this.sent.delete(oldest);
    const data = encodeHeartbeat(heartbeat);
    this.lastSigned = await signHeartbeat(this.key, this.topic, data);
    await service.publish(this.topic, data);
  }

  presence(): ReadonlyMap<Address, Presence> {
    return this.book.present(this.clock.now());
  }

  last(node: Address): Presence | undefined {
    return this.book.last(node);
  }

  /** This node's own last heartbeat, signed, to be handed to another one. */
  get ownHeartbeat(): SignedHeartbeat | undefined {
    return this.lastSigned;
  }

  onTwin(listener: (heartbeat: Heartbeat) => void): () => void {
    this.twinListeners.add(listener);
    return () => this.twinListeners.delete(listener);
  }

  /** A heartbeat under this node's own key: another daemon's if this one did not send it. */
  seeOwn(data: Uint8Array): void {
    let heartbeat: Heartbeat;
    try {
      heartbeat = decodeHeartbeat(data);
    } catch {
      return;
    }
    // Older ones may be this node's own from before a restart.
    if (this.firstSentAt === undefined || heartbeat.issuedAt <= this.firstSentAt) return;
    // Own ones that are remembered no more could be played back by anyone and would stop an honest node for good.
    if (Math.abs(this.clock.now() - heartbeat.issuedAt) > MAX_HEARTBEAT_SKEW_MS) return;
    if (heartbeat.node !== this.self || this.sent.has(markOf(heartbeat))) return;
    this.count("twin_heartbeats");
    for (const listener of this.twinListeners) listener(heartbeat);
  }

  private validate(from: PeerId, message: Message): TopicValidatorResult {
    if (message.type !== "signed" || message.data.length > MAX_HEARTBEAT_BYTES) return this.drop("rejected");
    if (addressOfPeer(message.from) === this.self) {
      this.seeOwn(message.data);
      return this.drop("ignored");
    }
    const verdict = this.book.judge(
      message.data,
      message.key.raw,
      from.equals(message.from),
      this.clock.now(),
    );
    if (verdict.kind !== "accepted") return this.drop(verdict.kind);
    this.received++;
    this.count("heartbeats_accepted");
    this.witness.remember(verdict.heartbeat, {
      data: message.data,
      sequenceNumber: message.sequenceNumber,
      signature: message.signature,
    });
    return TopicValidatorResult.Accept;
  }

  private drop(kind: "ignored" | "rejected"): TopicValidatorResult {
    this.count(`heartbeats_${kind}`);
    return kind === "ignored" ? TopicValidatorResult.Ignore : TopicValidatorResult.Reject;
  }
}

/** Only wrong messages cost: three within a few seconds greylist a stranger. Delivery is not scored: the mesh is small. */
const topicScore = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 60_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.97,
};

function markOf(heartbeat: Heartbeat): string {
  return `${heartbeat.instanceId}:${heartbeat.seq}:${heartbeat.issuedAt}`;
}
