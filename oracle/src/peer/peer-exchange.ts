import {
  canonicalJson,
  DekuperError,
  type DirectoryNode,
  FramedStream,
  MAX_HEADER_BYTES,
  type PeerDirectory,
  parseJson,
} from "@dekuper/protocol";
import type { Stream } from "@libp2p/interface";
import { type Address, bytesToHex, getAddress, type Hex, hexToBytes, isAddress } from "viem";
import { z } from "zod";
import { type Call, sendAnswer } from "./channel-server.ts";
import { denied } from "./read-access.ts";
import type { SignedHeartbeat } from "./signed-heartbeat.ts";

const MAX_PEERS = 32;
const MAX_ADDRESSES = 4;
const MAX_PAYLOAD_BYTES = 32 * 1024;
const IDLE_MS = 5_000;

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }))
  .transform((text) => getAddress(text));
const hexBytes = (max: number) =>
  z
    .string()
    .max(2 + 2 * max)
    .regex(/^0x(?:[0-9a-f]{2})*$/) as unknown as z.ZodType<Hex>;

const signedHeartbeatSchema = z
  .strictObject({
    data: hexBytes(1024),
    sequenceNumber: z.string().regex(/^[0-9]{1,20}$/),
    signature: hexBytes(128),
  })
  .transform(
    ({ data, sequenceNumber, signature }): SignedHeartbeat => ({
      data: hexToBytes(data),
      sequenceNumber: BigInt(sequenceNumber),
      signature: hexToBytes(signature),
    }),
  );

/** "Which nodes do you know, and whom did you hear under my key? This is my own last heartbeat." */
export const peersRequestSchema = z.strictObject({ heartbeat: signedHeartbeatSchema.optional() });
export type PeersRequest = z.infer<typeof peersRequestSchema>;

const payloadSchema = z.strictObject({
  peers: z
    .array(z.strictObject({ node: address, multiaddrs: z.array(z.string().max(256)).max(MAX_ADDRESSES) }))
    .max(MAX_PEERS),
  heartbeat: signedHeartbeatSchema.optional(),
});

export interface PeersAnswer {
  readonly peers: readonly { readonly node: Address; readonly multiaddrs: readonly string[] }[];
  readonly heartbeat?: SignedHeartbeat | undefined;
}

/**
 * `/peers/1`, between registered nodes only. Tells addresses as they were seen, for nodes whose registered ones are out of
 * date, and the last signed heartbeat under the asking node's own key, rather of another instance: so twins learn of each
 * other, which gossip cannot bring about, because a peer does not send a message back to the peer id that it came from.
 */
export function servePeers(
  tell: (asking: DirectoryNode, own: SignedHeartbeat | undefined) => Promise<PeersAnswer>,
) {
  return async ({ request, remote, stream }: Call<PeersRequest>): Promise<void> => {
    if (remote.node === undefined) throw denied("only registered nodes ask for others");
    const { peers, heartbeat } = await tell(remote.node, request.heartbeat);
    await sendAnswer(stream, { ok: true });
    const payload = {
      peers: peers.slice(0, MAX_PEERS).map(({ node, multiaddrs }) => ({
        node,
        multiaddrs: multiaddrs.filter((text) => text.length <= 256).slice(0, MAX_ADDRESSES),
      })),
      ...(heartbeat === undefined ? {} : { heartbeat: asText(heartbeat) }),
    };
    await stream.writeFrame(canonicalJson(payload));
  };
}

function asText({ data, sequenceNumber, signature }: SignedHeartbeat) {
  return {
    data: bytesToHex(data),
    sequenceNumber: sequenceNumber.toString(),
    signature: bytesToHex(signature),
  };
}

export async function askPeers(raw: Stream, own: SignedHeartbeat | undefined): Promise<PeersAnswer> {
  const stream = new FramedStream(raw, { idleMs: IDLE_MS });
  try {
    await stream.writeFrame(canonicalJson(own === undefined ? {} : { heartbeat: asText(own) }));
    await stream.end();
    await stream.readFrame(MAX_HEADER_BYTES); // a refusal has no payload after it
    const frame = await stream.readFrame(MAX_PAYLOAD_BYTES);
    if (frame === undefined) throw new DekuperError("PEER_UNREACHABLE", "The peer tells nothing.");
    return payloadSchema.parse(parseJson(frame, "peers answer"));
  } finally {
    stream.abort(new Error("done"));
  }
}

/** Addresses that peers told of registered nodes: second to the registry's, and bounded. */
export class AddressHints {
  private readonly directory: PeerDirectory;
  private readonly hints = new Map<Address, readonly string[]>();

  constructor(directory: PeerDirectory) {
    this.directory = directory;
  }

  of(node: Address): readonly string[] {
    return this.hints.get(node) ?? [];
  }

  learn(answer: PeersAnswer): void {
    for (const { node, multiaddrs } of answer.peers)
      if (this.directory.find(node) !== undefined) this.hints.set(node, multiaddrs);
    for (const node of this.hints.keys())
      if (this.directory.find(node) === undefined) this.hints.delete(node);
  }
}
