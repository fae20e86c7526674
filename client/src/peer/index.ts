export type { BlobSource } from "@dekuper/protocol";
export { type BlobInput, blobSource } from "./blob-source.ts";
export type { TransportFactory } from "./client-libp2p.ts";
export {
  type ClientPeer,
  type ClientPeerOptions,
  createClientPeer,
  type GetOptions,
  type TransferOptions,
} from "./client-peer.ts";
export type { RetryOptions } from "./reconnect.ts";
