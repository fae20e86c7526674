"use client";

import { marketDirectory } from "@dekuper/client";
import type { ClientPeer } from "@dekuper/client/peer";
import { HEARTBEAT_INTERVAL_MS, type Presence } from "@dekuper/protocol";
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
  /** This browser's peer; waits until it has started, throws why it could not. */
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
  const started = useRef<PromiseWithResolvers<ClientPeer>>(undefined);
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
    started.current ??= Promise.withResolvers();
    started.current.resolve(starting);
    started.current.promise.catch(() => undefined); // reported below, and to whoever waits
    const presence = new Map<Address, Presence>();
    let isOver = false;
    let timer: ReturnType<typeof setInterval> | undefined;
    starting
      .then((peer) => {
        if (isOver) return;
        const since = Date.now();
        peer.subscribeHeartbeats((heartbeat, receivedAt) =>
          presence.set(heartbeat.node, { heartbeat, receivedAt }),
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
      started.current = undefined;
      clearInterval(timer);
      void starting.then((peer) => peer.stop()).catch(() => undefined);
    };
  }, [deployment, directory, known]);

  const peer = useCallback(() => {
    // Who asks before the registry has been read waits for the start.
    started.current ??= Promise.withResolvers();
    return started.current.promise;
  }, []);
  const value = useMemo(() => ({ ...view, peer }), [view, peer]);
  return <PeerContext value={value}>{children}</PeerContext>;
}
