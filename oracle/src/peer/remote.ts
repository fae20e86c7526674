import { addressOfPublicKey, type DirectoryNode, type PeerDirectory } from "@dekuper/protocol";
import type { Connection, PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Address } from "viem";

/** Who is at the other end of a connection, as far as limits and rights go. */
export interface Remote {
  readonly peerId: string;
  /** The registered node whose key the peer has proved to hold. */
  readonly node: DirectoryNode | undefined;
  /** Whose limits and quotas apply: a registered node's, or the host's, because a stranger's keys are free. */
  readonly owner: string;
}

export function remoteOf(connection: Connection, directory: PeerDirectory): Remote {
  const node = registeredNode(connection.remotePeer, directory);
  return {
    peerId: connection.remotePeer.toString(),
    node,
    owner: node === undefined ? `host:${hostOf(connection.remoteAddr)}` : `node:${node.node}`,
  };
}

/** The chain address of a peer, or undefined if its key is of another kind. */
export function addressOfPeer(peer: PeerId): Address | undefined {
  return peer.type === "secp256k1" ? addressOfPublicKey(peer.publicKey.raw) : undefined;
}

export function registeredNode(peer: PeerId, directory: PeerDirectory): DirectoryNode | undefined {
  const address = addressOfPeer(peer);
  return address === undefined ? undefined : directory.find(address);
}

/** The IPv4 address, the IPv6 /64 (one subscriber's), or the relay that a connection comes from. */
export function hostOf(address: Multiaddr): string {
  const parts = address.getComponents();
  if (parts.some((part) => part.name === "p2p-circuit"))
    return `relay:${parts.find((part) => part.name === "p2p")?.value}`;
  const host = parts.find((part) => part.name === "ip4" || part.name === "ip6");
  if (host?.value === undefined) return "unknown";
  return host.name === "ip4" ? host.value : prefix64(host.value);
}

function prefix64(ip6: string): string {
  const [head = "", tail] = ip6.toLowerCase().split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
