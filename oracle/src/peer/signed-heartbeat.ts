import { RPC } from "@libp2p/gossipsub/message";
import type { PeerId } from "@libp2p/interface";

/** A heartbeat as gossipsub's StrictSign carried it: whoever has it can prove who sent it. */
export interface SignedHeartbeat {
  readonly data: Uint8Array;
  readonly sequenceNumber: bigint;
  readonly signature: Uint8Array;
}

const PREFIX = new TextEncoder().encode("libp2p-pubsub:");

/** Whether the peer signed this message on this topic (libp2p pubsub specification, message signing). */
export async function isSignedBy(peer: PeerId, topic: string, message: SignedHeartbeat): Promise<boolean> {
  if (peer.type !== "secp256k1") return false;
  const seqno = new Uint8Array(8);
  new DataView(seqno.buffer).setBigUint64(0, message.sequenceNumber);
  const body = RPC.Message.encode({ from: peer.toMultihash().bytes, data: message.data, seqno, topic });
  const bytes = new Uint8Array(PREFIX.length + body.length);
  bytes.set(PREFIX);
  bytes.set(body, PREFIX.length);
  return peer.publicKey.verify(bytes, message.signature);
}
