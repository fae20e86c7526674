"use client";

import { followTaskLogs, type LogNotice, signerOf } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Hex } from "viem";
import { useMarket } from "../market/market-provider.tsx";
import { usePeers } from "../peers/peer-provider.tsx";

/** Most characters that the page keeps: the whole log is in the delivery. */
const MAX_CHARACTERS = 200_000;

export interface LogView {
  readonly state: "idle" | "following" | "ended" | "failed";
  readonly text: string;
  readonly notice: string;
  readonly error?: unknown;
}

const IDLE: LogView = { state: "idle", text: "", notice: "" };

/** A lease's log, followed from its node over libp2p once `start` is called: the wallet signs a read token. */
export function useLog(id: Hex): LogView & { start(): void } {
  const market = useMarket();
  const { peer } = usePeers();
  const [view, setView] = useState(IDLE);
  const following = useRef<AbortController>(undefined);
  useEffect(() => () => following.current?.abort(), []);

  const start = useCallback(() => {
    const abort = new AbortController();
    following.current?.abort();
    following.current = abort;
    setView({ state: "following", text: "", notice: "Waiting for your wallet's signature" });
    const run = async () => {
      if (market.wallet === undefined) throw new DekuperError("NOT_ALLOWED", "Connect the wallet that paid.");
      const decoder = new TextDecoder();
      const bytes = followTaskLogs({
        market,
        peer: await peer(),
        signer: signerOf(market.wallet),
        id,
        follow: true,
        signal: abort.signal,
        onNotice: (notice) =>
          setView((now) => ({
            ...now,
            notice: sentenceOf(notice),
            text: notice.kind === "restarted" ? "" : now.text,
          })),
      });
      for await (const part of bytes) {
        const text = plain(decoder.decode(part, { stream: true }));
        setView((now) => ({ ...now, notice: "Live", text: (now.text + text).slice(-MAX_CHARACTERS) }));
      }
      setView((now) => ({ ...now, state: "ended", notice: "The log has ended" }));
    };
    run().catch((error: unknown) => {
      if (!abort.signal.aborted) setView((now) => ({ ...now, state: "failed", notice: "", error }));
    });
  }, [id, market, peer]);
  return { ...view, start };
}

function sentenceOf(notice: LogNotice): string {
  switch (notice.kind) {
    case "waiting":
      return "Waiting for the run to write";
    case "connected":
      return "Connected to the node";
    case "restarted":
      return "Another node has taken over";
    case "reconnecting":
      return `Trying again: ${notice.error.message}`;
  }
}

/** Without terminal colours and cursor movements. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  return text.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replaceAll("\r\n", "\n");
}
