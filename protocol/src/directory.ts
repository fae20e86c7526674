import type { Address, Hex } from "viem";

/** The registry as the peer layer needs it: who may be talked to, and where. */
export interface PeerDirectory {
  /** Undefined: not registered. */
  find(node: Address): DirectoryNode | undefined;
  /** Every node that is Active or Draining. */
  all(): readonly DirectoryNode[];
}

export interface DirectoryNode {
  readonly node: Address;
  /** 64 bytes. */
  readonly operatorPublicKey: Hex;
  readonly multiaddrs: readonly string[];
  readonly active: boolean;
}

/**
 * A registered multiaddr with the peer id that the registered key has. An id in the text is never trusted; only a
 * relay's, which stands before `/p2p-circuit`, is kept: it is part of the way.
 */
export function dialAddress(multiaddr: string, peerId: string): string {
  const circuit = multiaddr.lastIndexOf("/p2p-circuit");
  const tail = circuit < 0 ? 0 : circuit;
  const id = multiaddr.indexOf("/p2p/", tail);
  return `${(id < 0 ? multiaddr : multiaddr.slice(0, id)).replace(/\/+$/, "")}/p2p/${peerId}`;
}
