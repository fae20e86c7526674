import {
  DekuperError,
  type Deployment,
  isDekuperError,
  type Order,
  orderProblem,
  type QuoteAnswer,
  type QuoteRequest,
  type SignedQuote,
} from "@dekuper/protocol";
import type { Address } from "viem";
import type { MarketNode } from "./chain/nodes.ts";
import type { ConsumerPeer } from "./consumer-peer.ts";
import type { NodeOffer } from "./quote-choice.ts";

/** Why a node did not quote: `refused` carries the node's own reason. */
export type DeclineKind =
  | "not-active"
  | "offline"
  | "timed-out"
  | "refused"
  | "rate-above-cap"
  | "invalid-answer"
  | "invalid-quote";

export interface Decline {
  readonly node: Address;
  readonly owner: Address;
  readonly kind: DeclineKind;
  /** The node's reason, or what is wrong with its answer. */
  readonly reason: string;
  /** The values that decided, as the node gave them. */
  readonly values: Readonly<Record<string, string>>;
}

/** What nodes are asked about, and how. */
export interface QuoteQuestion {
  readonly peer: Pick<ConsumerPeer, "askQuote">;
  readonly deployment: Pick<Deployment, "chainId" | "taskRegistry">;
  readonly nodes: readonly Pick<MarketNode, "address" | "owner" | "status">[];
  readonly order: Order;
  readonly consumer: Address;
  /** What a node needs for its own rules; the spec itself is not shown. */
  readonly envelope: QuoteRequest["envelope"];
  readonly signal?: AbortSignal | undefined;
  /** For each node [5000]. */
  readonly deadlineMs?: number | undefined;
  /** Nodes asked at a time [16]. */
  readonly parallel?: number | undefined;
}

export interface Offers {
  /** Cheapest first. */
  readonly offers: readonly NodeOffer[];
  readonly declined: readonly Decline[];
}

const DEADLINE_MS = 5_000;
const PARALLEL = 16;

/** Asks every node what it would take; nothing is signed, and nothing is held for us. */
export async function askOffers(question: QuoteQuestion): Promise<Offers> {
  requireOrder(question.order);
  const offers: NodeOffer[] = [];
  const declined: Decline[] = [];
  await inParallel(question.nodes, question.parallel ?? PARALLEL, async (node) => {
    const answer = await askNode(question, node, []);
    if ("kind" in answer) declined.push(answer);
    else offers.push(answer.offer);
  });
  offers.sort((a, b) => Number(a.ratePerHour > b.ratePerHour) - Number(a.ratePerHour < b.ratePerHour));
  return { offers, declined };
}

/** Asks one node, or says why there is no answer to go by. Throws when the caller's signal fires. */
export async function askNode(
  question: QuoteQuestion,
  node: QuoteQuestion["nodes"][number],
  members: readonly number[],
): Promise<{ offer: NodeOffer; quotes: readonly SignedQuote[] } | Decline> {
  const { peer, order, consumer, envelope, signal } = question;
  const { address, owner, status } = node;
  const decline = (kind: DeclineKind, reason: string, values: Decline["values"] = {}): Decline => {
    return { node: address, owner, kind, reason, values };
  };
  if (status !== "Active") return decline("not-active", status);
  const deadline = AbortSignal.timeout(question.deadlineMs ?? DEADLINE_MS);
  const until = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  let answer: QuoteAnswer;
  try {
    const request: QuoteRequest = { version: 1, order, consumer, members: [...members], envelope };
    answer = await untilAborted(peer.askQuote(address, request, { signal: until }), until);
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted) return decline("timed-out", "no answer in time");
    if (!isDekuperError(error)) throw error;
    if (error.code === "PEER_UNREACHABLE") return decline("offline", error.message);
    if (error.code === "MESSAGE_INVALID") return decline("invalid-answer", error.message);
    return decline("refused", error.message);
  }
  if ("refused" in answer) {
    const { reason, values } = answer.refused;
    return decline(reason === "rate-above-cap" ? "rate-above-cap" : "refused", reason, values);
  }
  const { ratePerHour, members: most } = answer.offer;
  if (ratePerHour > order.ratePerHour) {
    const values = { asks: `${ratePerHour}`, cap: `${order.ratePerHour}` };
    return decline("rate-above-cap", "rate-above-cap", values);
  }
  return { offer: { node: address, owner, ratePerHour, members: most }, quotes: answer.quotes };
}

export function requireOrder(order: Order): void {
  const problem = orderProblem(order);
  if (problem !== undefined)
    throw new DekuperError("ORDER_INVALID", `The order cannot be placed: ${problem}.`);
}

/** The work's result, or the signal's reason at once: what does not heed the signal is not waited for. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function inParallel<Item>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
}
