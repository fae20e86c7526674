"use client";

import { type FetchedDelivery, fetchDelivery, memoryCiphertext, memorySink, signerOf } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { useState } from "react";
import type { Hex } from "viem";
import { formatBytes } from "../../ui/bytes.ts";
import { useMarket } from "../market/market-provider.tsx";
import { useAction } from "../market/use-action.ts";
import { usePeers } from "../peers/peer-provider.tsx";
import { outputKeyFor } from "../wallet/output-key.ts";
import { keptSpec } from "./spec-store.ts";

/** Most bytes that a browser tab decrypts: it holds the delivery in memory. */
export const MAX_BROWSER_OUTPUT_BYTES = 512n * 1024n * 1024n;

export interface OpenedOutput {
  readonly delivery: FetchedDelivery;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly log: Uint8Array;
}

/** Fetches a lease's output from its node, decrypts it with the wallet's key and checks it against the attestation. */
export function useOutput(id: Hex, specDigest: Hex) {
  const market = useMarket();
  const { peer } = usePeers();
  const [progress, setProgress] = useState("");
  const action = useAction(async ({ givesReceipt }: { givesReceipt: boolean }): Promise<OpenedOutput> => {
    if (market.wallet === undefined) throw new DekuperError("NOT_ALLOWED", "Connect the wallet that paid.");
    const signer = signerOf(market.wallet);
    setProgress("Your wallet signs: for the key, and to read");
    const key = await outputKeyFor(signer, market.network.deployment);
    const sink = memorySink();
    const spec = keptSpec(specDigest);
    const delivery = await fetchDelivery({
      market,
      peer: await peer(),
      signer,
      key,
      id,
      store: memoryCiphertext(),
      sink,
      givesReceipt,
      ...(spec === undefined ? {} : { spec }),
      onProgress: (received, all) => setProgress(`${formatBytes(received)} of ${formatBytes(all)}`),
    });
    return { delivery, files: sink.files, log: sink.logBytes() };
  });
  return { ...action, progress };
}
