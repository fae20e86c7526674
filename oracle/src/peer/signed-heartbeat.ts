import { RPC } from "@libp2p/gossipsub/message";
import type { PeerId, PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";

/** A heartbeat as gossipsub's StrictSign carried it: whoever has it can prove who sent it. */
export interface SignedHeartbeat {
  readonly data: Uint8Array;
  readonly sequenceNumber: bigint;
  readonly signature: Uint8Array;
}

const PREFIX = new TextEncoder().encode("libp2p-pubsub:");

/** Signs a heartbeat as gossipsub would, for handing it over besides gossip. */
export async function signHeartbeat(
  key: PrivateKey,
  topic: string,
  data: Uint8Array,
): Promise<SignedHeartbeat> {
  const sequenceNumber = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  const message = { data, sequenceNumber };
  return { ...message, signature: await key.sign(signedBytes(peerIdFromPrivateKey(key), topic, message)) };
}

/** Whether the peer signed this message on this topic (libp2p pubsub specification, message signing). */
export async function isSignedBy(peer: PeerId, topic: string, message: SignedHeartbeat): Promise<boolean> {
  if (peer.type !== "secp256k1") return false;
  return peer.publicKey.verify(signedBytes(peer, topic, message), message.signature);
}

function signedBytes(
  from: PeerId,
  topic: string,
  { data, sequenceNumber }: Pick<SignedHeartbeat, "data" | "sequenceNumber">,
): Uint8Array {
  const seqno = new Uint8Array(8);
  new DataView(seqno.buffer).setBigUint64(0, sequenceNumber);
  const body = RPC.Message.encode({ from: from.toMultihash().bytes, data, seqno, topic });
  const bytes = new Uint8Array(PREFIX.length + body.length);
  bytes.set(PREFIX);
  bytes.set(body, PREFIX.length);
  return bytes;
}
