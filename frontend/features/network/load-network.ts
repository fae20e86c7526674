import { parseNetwork } from "@dekuper/client";
import { DekuperError, type Network } from "@dekuper/protocol";
import { type Hex, isHex, size } from "viem";

/** The network file as the page gets it: a local network may name a throw-away key whose funds are worth nothing. */
export interface SiteNetwork extends Network {
  readonly burnerKey?: Hex | undefined;
}

/** Fetches `/network.json`. A burner key on a network that is not local is dropped, whoever wrote it. */
export async function loadNetwork(signal: AbortSignal): Promise<SiteNetwork> {
  const response = await fetch("/network.json", { signal, cache: "no-store" });
  const content: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    throw new DekuperError("NETWORK_UNKNOWN", "This site has no network file yet.", {
      hint: "Start a local network with `dekuper up`, or have the site serve the deployment's network file at /network.json.",
    });
  }
  const network = parseNetwork(content, "/network.json");
  const { burnerKey } = content as { burnerKey?: unknown };
  const isKey = isHex(burnerKey) && size(burnerKey) === 32;
  return network.local && isKey ? { ...network, burnerKey } : network;
}
