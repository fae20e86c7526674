import { HEARTBEAT_INTERVAL_MS, type Presence } from "@dekuper/protocol";
import type { Address } from "viem";
import type { ConsumerPeer } from "./consumer-peer.ts";

/** Keeps the newest heartbeat of each node; `stop` ends it. */
export function watchPresence(
  peer: ConsumerPeer,
  onChange?: (presence: ReadonlyMap<Address, Presence>) => void,
): { presence(): ReadonlyMap<Address, Presence>; stop(): void } {
  const seen = new Map<Address, Presence>();
  const stop = peer.subscribeHeartbeats((heartbeat, receivedAt) => {
    seen.set(heartbeat.node, { heartbeat, receivedAt });
    onChange?.(seen);
  });
  return { presence: () => seen, stop };
}

/** Listens until every expected node has been heard, or for two heartbeats' time. */
export async function listenForPresence(
  peer: ConsumerPeer,
  expected: readonly Address[],
  options: { waitMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<ReadonlyMap<Address, Presence>> {
  const waitMs = options.waitMs ?? 3 * HEARTBEAT_INTERVAL_MS;
  const done = Promise.withResolvers<void>();
  const watch = watchPresence(peer, (presence) => {
    if (expected.every((node) => presence.has(node))) done.resolve();
  });
  if (expected.length === 0) done.resolve();
  const timer = setTimeout(done.resolve, waitMs);
  const abort = () => done.reject(options.signal?.reason);
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    await done.promise;
    return watch.presence();
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
    watch.stop();
  }
}
