import { DekuperError, isDekuperError, type ReadToken } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { ConsumerPeer } from "./consumer-peer.ts";
import { pause } from "./delivery/ciphertext.ts";
import { signReadToken, type TypedDataSigner } from "./keys.ts";
import { isOver, type LeaseState } from "./lease-state.ts";
import type { Market } from "./market.ts";

/** What happens between the bytes of a followed log. */
export type LogNotice =
  | { readonly kind: "waiting"; readonly state: LeaseState }
  /** Another node has the lease: its log begins anew. */
  | { readonly kind: "restarted"; readonly node: Address; readonly attempt: number }
  | { readonly kind: "connected"; readonly node: Address; readonly offset: number }
  | { readonly kind: "reconnecting"; readonly error: DekuperError };

const POLL_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** A follower gives up after this long without reaching the node, milliseconds. */
const GIVE_UP_MS = 10 * 60_000;
/** A node that was awarded a lease may not have seen the award yet: for so long it is asked again, milliseconds. */
const AWARD_LAG_MS = 20_000;
/** A token is replaced this long before it expires, seconds. */
const TOKEN_MARGIN = 60;

/**
 * The log of a lease (of a task: its first) as bytes. With `follow` it waits until a node has it, goes on after broken
 * connections where it stopped, begins anew where another node takes the lease over, and ends when the run has ended;
 * without, it gives what is there.
 */
export async function* followTaskLogs(from: {
  market: Market;
  peer: ConsumerPeer;
  signer: TypedDataSigner;
  id: Hex;
  follow: boolean;
  offset?: number | undefined;
  onNotice?: ((notice: LogNotice) => void) | undefined;
  signal?: AbortSignal | undefined;
}): AsyncGenerator<Uint8Array, void, undefined> {
  const { market, peer, signer, follow, onNotice, signal } = from;
  let offset = from.offset ?? 0;
  let token: ReadToken | undefined;
  let reading: number | undefined;
  let deniedSince: number | undefined;
  let failing: { since: number; times: number } | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const { lease } = await market.task(from.id);
    const { node, leaseId, attempt, state } = lease;
    if (node === undefined) {
      if (reading !== undefined && isOver(state)) return; // lost, and nobody took it over
      if (!follow || isOver(state)) throw notStarted(from.id, state);
      onNotice?.({ kind: "waiting", state });
      await pause(POLL_MS, signal);
      continue;
    }
    if (reading !== undefined && reading !== attempt) {
      offset = 0;
      failing = undefined;
      onNotice?.({ kind: "restarted", node, attempt });
    }
    reading = attempt;
    try {
      const expired = token === undefined || token.expiry < Date.now() / 1000 + TOKEN_MARGIN;
      if (token === undefined || expired || token.attempt !== attempt) {
        token = await signReadToken(signer, market.network.deployment, { leaseId, attempt }, "logs");
      }
      onNotice?.({ kind: "connected", node, offset });
      for await (const bytes of peer.followLogs(
        node,
        { leaseId, attempt, offset, follow, token },
        { signal },
      )) {
        failing = undefined;
        offset += bytes.length;
        yield bytes;
      }
      if (!follow || !(await isLost(market, leaseId, attempt))) return;
    } catch (error) {
      if (signal?.aborted || !isDekuperError(error)) throw error;
      if (follow && (await isLost(market, leaseId, attempt))) continue;
      if (follow && isUnaware(error, state, deniedSince)) {
        deniedSince ??= Date.now();
        onNotice?.({ kind: "waiting", state });
        await pause(POLL_MS, signal);
        continue;
      }
      if (!error.retryable) throw error;
      const notYet = error.code === "BLOB_NOT_FOUND";
      if (!follow || (notYet && isOver(state))) throw error;
      failing = { since: failing?.since ?? Date.now(), times: (failing?.times ?? 0) + 1 };
      if (!notYet && Date.now() - failing.since > GIVE_UP_MS) throw error;
      onNotice?.(notYet ? { kind: "waiting", state } : { kind: "reconnecting", error });
      await pause(notYet ? POLL_MS : Math.min(POLL_MS * 2 ** failing.times, MAX_BACKOFF_MS), signal);
    }
  }
}

/** Whether the node may refuse only because it does not know yet that the lease is its own. */
function isUnaware(error: DekuperError, state: LeaseState, since: number | undefined): boolean {
  if (error.code !== "READ_DENIED" || (state !== "Assigned" && state !== "AwaitingKey")) return false;
  return since === undefined || Date.now() - since < AWARD_LAG_MS;
}

/** Whether the attempt is over because its node lost the lease, which goes on elsewhere or will. */
async function isLost(market: Market, leaseId: Hex, attempt: number): Promise<boolean> {
  const { lease } = await market.task(leaseId);
  return lease.attempt !== attempt || lease.state === "Reopened";
}

function notStarted(id: Hex, state: LeaseState): DekuperError {
  return new DekuperError("WRONG_STATE", `Task ${id} is ${state}: no node runs it, so there is no log.`, {
    details: { id, state },
  });
}
