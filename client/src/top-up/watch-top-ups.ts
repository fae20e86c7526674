import { DekuperError, isDekuperError } from "@dekuper/protocol";
import type { Hex } from "viem";
import { chainError } from "../chain/errors.ts";
import type { SentTransaction } from "../chain/send.ts";
import { readToppedUp } from "../chain/top-ups.ts";
import type { Market } from "../market.ts";
import {
  planTopUp,
  type TopUp,
  type TopUpFacts,
  type TopUpHindrance,
  type TopUpNotice,
  type TopUpRules,
} from "./plan-top-up.ts";

/** What a watch tells. */
export type TopUpEvent =
  /** It will be sent at `sendAt` (chain time) unless the watch is stopped before. */
  | { readonly kind: "announced"; readonly topUp: TopUp; readonly sendAt: bigint }
  | { readonly kind: "sending"; readonly topUp: TopUp }
  | {
      readonly kind: "toppedUp";
      readonly topUp: TopUp;
      readonly sent: SentTransaction;
      readonly reserved: bigint;
      /** For how long the task is funded now, in all. */
      readonly fundedSeconds: number;
    }
  | { readonly kind: "hindered"; readonly by: TopUpHindrance; readonly endsAt: bigint }
  /** A transaction of the account is not mined yet: nothing is sent before it is. */
  | { readonly kind: "pending"; readonly since: number }
  /** Tried again at the next turn. */
  | { readonly kind: "failed"; readonly error: DekuperError }
  | { readonly kind: "done"; readonly why: "over" | "funded" };

/** Where a notice outlives a restart: without it, the time of notice would begin anew. */
export interface TopUpMemory {
  load(taskId: Hex): Promise<TopUpNotice | undefined>;
  save(taskId: Hex, notice: TopUpNotice): Promise<void>;
}

/**
 * Tops a task up by itself within the rules, until it is over or funded for all of its duration. A top-up is announced
 * before it is sent. What it cannot do it tells once and goes on looking.
 *
 * Nothing is reserved twice, whatever restarts or runs beside it, and by whichever way it is sent: a top-up funds the task up
 * to a second, and another one that the facts do not show leaves it less to add, or nothing. While a transaction of the account
 * is pending, its wallet sends nothing: it would only wait behind it.
 */
export async function* watchTopUps(from: {
  market: Market;
  taskId: Hex;
  rules: TopUpRules;
  memory: TopUpMemory;
  /** Milliseconds between two looks [5000]. */
  pollMs?: number | undefined;
  signal: AbortSignal;
}): AsyncGenerator<TopUpEvent, void, undefined> {
  const { market, taskId, rules, memory, signal } = from;
  const wallet = market.wallet;
  if (wallet === undefined) throw new DekuperError("NOT_ALLOWED", "A wallet is needed to top a task up.");
  const { address } = wallet.account;
  let notice = await memory.load(taskId);
  let told = "";
  const once = (key: string, event: TopUpEvent): TopUpEvent[] => {
    if (told === key) return [];
    told = key;
    return [event];
  };

  for (;;) {
    signal.throwIfAborted();
    try {
      const { number } = await market.head();
      const nonce = await nonceOf({ blockNumber: number });
      const facts = await readFacts(market, taskId, number);
      const step = planTopUp(facts, rules, notice);
      if (step.kind === "done") {
        yield { kind: "done", why: step.why };
        return;
      }
      if (step.kind === "announce") {
        notice = { ...step.topUp, announcedAt: facts.now };
        await memory.save(taskId, notice);
        yield { kind: "announced", topUp: step.topUp, sendAt: step.sendAt };
      } else if (step.kind === "hindered") {
        yield* once(`hindered ${step.by} ${step.endsAt}`, step);
      } else if (step.kind === "send") {
        const pending = market.isRelayed ? nonce : await nonceOf({ blockTag: "pending" });
        if (pending > nonce) yield* once(`pending ${nonce}`, { kind: "pending", since: nonce });
        else {
          yield { kind: "sending", topUp: step.topUp };
          signal.throwIfAborted();
          const { fundedSeconds, extraSeconds } = step.topUp;
          const {
            reserved,
            fundedSeconds: seconds,
            ...sent
          } = await market.topUp(taskId, fundedSeconds + extraSeconds);
          yield { kind: "toppedUp", topUp: step.topUp, sent, reserved, fundedSeconds: seconds };
        }
      }
    } catch (error) {
      if (signal.aborted || !isDekuperError(error) || isFinal(error)) throw error;
      // Somebody was faster: the next look shows it.
      if (error.details.error !== "FundedAlready")
        yield* once(`failed ${error.message}`, { kind: "failed", error });
    }
    await pause(from.pollMs ?? 5_000, signal);
  }

  async function nonceOf(at: { blockNumber: bigint } | { blockTag: "pending" }): Promise<number> {
    return market.publicClient.getTransactionCount({ address, ...at }).catch((cause) => {
      throw chainError(cause, "read the account's nonce", market.network);
    });
  }
}

/** Whoever may not, or asks for what is not there, may not at the next turn either. */
function isFinal(error: DekuperError): boolean {
  return ["NOT_ALLOWED", "NOT_FOUND", "CHAIN_CHANGED", "NETWORK_MISMATCH"].includes(error.code);
}

/** What the chain says at block `since` or later. */
async function readFacts(market: Market, taskId: Hex, since: bigint): Promise<TopUpFacts> {
  const [head, { task, leases }] = [await market.head(), await market.task(taskId)];
  if (head.number < since) {
    throw new DekuperError("RPC_UNAVAILABLE", `The RPC fell back from block ${since} to ${head.number}.`);
  }
  const { free } = await market.account(task.consumer);
  // Read last: a top-up may be counted that the task does not show yet, never the reverse.
  const { number } = await market.head();
  const toppedUp = await readToppedUp(market.publicClient, market.network, taskId, number);
  const { relayFee } = market;
  return { task, leases, now: head.timestamp, free: free > relayFee ? free - relayFee : 0n, toppedUp };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
