"use client";

import { marketDirectory } from "@dekuper/client";
import type { ClientPeer } from "@dekuper/client/peer";
import { DekuperError, HEARTBEAT_INTERVAL_MS, type Presence } from "@dekuper/protocol";
import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Address } from "viem";
import { useNodes } from "../market/market-queries.ts";
import { useNetwork } from "../network/network-provider.tsx";
import { type PeerView, STARTING } from "./presence.ts";

/** How often the page learns what the peer has heard, milliseconds. */
const REFRESH_MS = 500;
/** A node that stays silent for so long after the start is offline, milliseconds. */
const LISTEN_MS = 3 * HEARTBEAT_INTERVAL_MS;

interface Peers extends PeerView {
  /** This browser's peer once it has started. */
  peer(): Promise<ClientPeer>;
}

const PeerContext = createContext<Peers | undefined>(undefined);

export function usePeers(): Peers {
  const peers = use(PeerContext);
  if (peers === undefined) throw new Error("usePeers needs PeerProvider.");
  return peers;
}

/** Runs one libp2p peer for the whole visit. libp2p is loaded after the page: nothing waits for it. */
export function PeerProvider({ children }: { children: ReactNode }) {
  const { deployment } = useNetwork();
  const { data: nodes } = useNodes();
  const [directory] = useState(() => marketDirectory());
  const [view, setView] = useState<PeerView>(STARTING);
  const started = useRef<Promise<ClientPeer>>(undefined);
  const known = nodes !== undefined;

  useEffect(() => {
    if (nodes !== undefined) directory.set(nodes);
  }, [directory, nodes]);

  useEffect(() => {
    if (!known) return;
    const starting = import("@dekuper/client/peer").then(async ({ createClientPeer }) => {
      const peer = createClientPeer({ deployment, directory });
      await peer.start();
      return peer;
    });
    started.current = starting;
    const presence = new Map<Address, Presence>();
    const since = Date.now();
    let isOver = false;
    let timer: ReturnType<typeof setInterval> | undefined;
    starting
      .then((peer) => {
        if (isOver) return;
        peer.subscribeHeartbeats((heartbeat, receivedAt) =>
          presence.set(heartbeat.node, { heartbeat, receivedAt: receivedAt ?? Date.now() }),
        );
        timer = setInterval(() => {
          const heardAll = directory.all().every(({ node }) => presence.has(node));
          const state = heardAll || Date.now() - since > LISTEN_MS ? "ready" : "listening";
          setView({ state, presence: new Map(presence), connected: new Set(peer.connectedNodes()) });
        }, REFRESH_MS);
      })
      .catch((error: unknown) => {
        console.error("The libp2p peer did not start.", error);
        if (!isOver) setView({ ...STARTING, state: "unavailable" });
      });
    return () => {
      isOver = true;
      clearInterval(timer);
      void starting.then((peer) => peer.stop()).catch(() => undefined);
    };
  }, [deployment, directory, known]);

  const peer = useCallback((): Promise<ClientPeer> => {
    if (started.current !== undefined) return started.current;
    throw new DekuperError("PEER_UNREACHABLE", "This browser's peer has not started yet.", {
      retryable: true,
    });
  }, []);
  const value = useMemo(() => ({ ...view, peer }), [view, peer]);
  return <PeerContext value={value}>{children}</PeerContext>;
}
