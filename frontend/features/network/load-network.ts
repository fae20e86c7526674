import { DekuperError, type Network, networkSchema } from "@dekuper/protocol";
import type { Hex } from "viem";
import { z } from "zod";

/** The network file as the page gets it: a local network may name a throw-away key whose funds are worth nothing. */
export interface SiteNetwork extends Network {
  readonly burnerKey?: Hex | undefined;
}

const siteNetworkSchema = networkSchema.extend({
  burnerKey: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/i)
    .optional(),
});

/** Fetches `/network.json`. A burner key on a network that is not local is dropped, whoever wrote it. */
export async function loadNetwork(signal: AbortSignal): Promise<SiteNetwork> {
  const response = await fetch("/network.json", { signal, cache: "no-store" });
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    throw new DekuperError("NETWORK_UNKNOWN", "This site has no network file yet.", {
      hint: "Start a local network with `dekuper up`, or have the site serve the deployment's network file at /network.json.",
    });
  }
  const parsed = siteNetworkSchema.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DekuperError(
      "CONFIG_INVALID",
      `The network file's ${issue?.path.join(".") || "content"}: ${issue?.message ?? "is not JSON"}.`,
      { hint: "Correct the file that the site serves at /network.json." },
    );
  }
  const { burnerKey, ...network } = parsed.data;
  return network.local && burnerKey !== undefined ? { ...network, burnerKey: burnerKey as Hex } : network;
}
