import { DekuperError } from "./errors.ts";

/** What is used of a libp2p peer id. */
interface Peer {
  toString(): string;
}

/** What is used of a libp2p connection; `limits` are a relay's. */
interface Connection {
  readonly id: string;
  readonly remotePeer: Peer;
  readonly status: string;
  readonly direction: string;
  readonly remoteAddr: object;
  readonly limits?: object | undefined;
}

/** What is used of libp2p; libp2p's own fits. No libp2p import, so that protocol stays pure. */
interface Host {
  addEventListener(type: "connection:open", listener: (event: { readonly detail: Connection }) => void): void;
  addEventListener(
    type: "peer:identify",
    listener: (event: {
      readonly detail: { readonly protocols: string[]; readonly connection: Connection };
    }) => void,
  ): void;
  getConnections(peer?: Peer): readonly Connection[];
}

/** What is used of gossipsub: more than its type says, so it is looked for. */
interface Router {
  /** Those that it writes to, by peer id. */
  readonly streamsOutbound: Map<string, { readonly rawStream: { readonly status: string } }>;
  addPeer(peer: Peer, direction: string, address: object): void;
  /** Opens a stream over the connection, if the peer is among gossipsub's and has none. Throws nothing. */
  createOutboundStream(peer: Peer, connection: Connection): Promise<void>;
  addEventListener(type: "gossipsub:heartbeat", listener: () => void): void;
}

/** What gossipsub has after a peer is identified, or asked anew, to open its stream, milliseconds. */
const PATIENCE_MS = { identified: 2_000, asked: 10_000 };

/**
 * Keeps two peers that are connected from being deaf to each other. gossipsub 17.1 opens a stream to a peer when a connection
 * opens, if it knows of none, and at no other time; it opens one after another, and each may take ten seconds. So:
 * - One that is dead is forgotten: it may have been opened just when its connection ended.
 * - One that is missing is opened, beside all others: it may have ended alone, or with one of two connections, or wait for
 *   strangers that do not answer.
 *
 * Looks each time that gossipsub's heart beats, once a second.
 */
export function keepGossiping(libp2p: Host, gossipsub: object): void {
  const router = asRouter(gossipsub);
  /** From when a stream that is missing is asked for, by connection to a peer that gossips, milliseconds. */
  const askFrom = new WeakMap<Connection, number>();

  libp2p.addEventListener("connection:open", ({ detail: { id, remotePeer } }) => {
    const others = libp2p.getConnections(remotePeer).filter((connection) => connection.id !== id);
    // Of no connection, so it is dead, although it may not know it yet.
    if (!others.some(isOpen)) router.streamsOutbound.delete(remotePeer.toString());
  });
  libp2p.addEventListener("peer:identify", ({ detail: { protocols, connection } }) => {
    if (connection.limits !== undefined) return; // gossipsub uses no relay
    if (protocols.some((protocol) => protocol.startsWith("/meshsub/")))
      askFrom.set(connection, Date.now() + PATIENCE_MS.identified);
  });
  router.addEventListener("gossipsub:heartbeat", () => {
    for (const [peer, { rawStream }] of router.streamsOutbound)
      if (!isOpen(rawStream)) router.streamsOutbound.delete(peer);
    const now = Date.now();
    for (const connection of libp2p.getConnections()) {
      const from = askFrom.get(connection);
      if (from === undefined || from > now || !isOpen(connection)) continue;
      if (router.streamsOutbound.has(connection.remotePeer.toString())) continue;
      askFrom.set(connection, now + PATIENCE_MS.asked);
      router.addPeer(connection.remotePeer, connection.direction, connection.remoteAddr);
      void router.createOutboundStream(connection.remotePeer, connection);
    }
  });
}

const isOpen = ({ status }: { readonly status: string }) => status === "open";

function asRouter(gossipsub: object): Router {
  const { streamsOutbound, addPeer, createOutboundStream } = gossipsub as Partial<Router>;
  const isKnown = streamsOutbound instanceof Map && [addPeer, createOutboundStream].every(isFunction);
  if (isKnown) return gossipsub as Router;
  throw new DekuperError("INTERNAL", "This version of gossipsub does not keep its streams as 17.1 does.");
}

const isFunction = (value: unknown) => typeof value === "function";
