"use client";

import { createContext, type ReactNode, use } from "react";
import { type PeerView, STARTING } from "./presence.ts";

const PeerContext = createContext<PeerView>(STARTING);

export function usePeers(): PeerView {
  return use(PeerContext);
}

export function PeerProvider({ children }: { children: ReactNode }) {
  return <PeerContext value={STARTING}>{children}</PeerContext>;
}
