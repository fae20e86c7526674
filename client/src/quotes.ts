import {
  DekuperError,
  isQuorum,
  type Order,
  quoteProblem,
  reservation,
  type SignedQuote,
} from "@dekuper/protocol";
import type { Address } from "viem";
import { type NodeOffer, type Placement, placeLeases } from "./quote-choice.ts";
import {
  askNode,
  type Decline,
  type DeclineKind,
  type Offers,
  type QuoteQuestion,
  requireOrder,
} from "./quote-offers.ts";

/** Signed quotes for every lease of an order: what `createAndAward` takes. */
export interface AwardableQuotes {
  /** By lease index. */
  readonly quotes: readonly SignedQuote[];
  readonly placements: readonly Placement[];
  /** Base units per hour, all leases together. */
  readonly ratePerHour: bigint;
  /** Base units reserved at creation, for `fundedSeconds`. */
  readonly reserved: bigint;
  /** Base units that the whole task may cost, for `maxDuration`. */
  readonly atMost: bigint;
  /** Chain time at which the first of the quotes expires, Unix seconds. */
  readonly expiry: bigint;
  readonly declined: readonly Decline[];
}

/** A node that changes its offer each time that it is to sign is asked no more often. */
const MAX_SIGNINGS = 3;

interface Signed {
  readonly quotes: readonly SignedQuote[];
  readonly times: number;
}

/**
 * Chooses among offers (see `placeLeases`) and has the chosen nodes sign. A node that does not is left out, and what it was to have
 * is placed on the others' offers. `now` reads chain time, Unix seconds. Throws `NO_NODE_FITS` with the reasons when no
 * choice covers all leases.
 */
export async function collectQuotes(
  question: QuoteQuestion,
  from: Offers,
  now: () => Promise<bigint>,
): Promise<AwardableQuotes> {
  const { order } = question;
  requireOrder(order);
  const leases = Array.from({ length: order.leases }, (_, index) => index);
  const declined = [...from.declined];
  const signed = new Map<Address, Signed>();
  let offers = from.offers;
  for (;;) {
    const placements = placeLeases(offers, leases, isQuorum(order));
    if (placements === undefined) throw notCovered(order, offers, declined);
    const unsigned = placements.filter(
      ({ node, members }) => !members.every((index) => quoteOf(signed, node, index)),
    );
    if (unsigned.length === 0) return awardable(order, placements, signed, declined);
    const at = Number(await now());
    const answers = await Promise.all(
      unsigned.map(async (placement) => ({
        placement,
        answer: await askToSign(question, placement, signed.get(placement.node)?.times ?? 0, at),
      })),
    );
    for (const { placement, answer } of answers) {
      const others = offers.filter(({ node }) => node !== placement.node);
      if ("kind" in answer) declined.push(answer);
      else signed.set(placement.node, answer.signed);
      offers = "kind" in answer ? others : [...others, answer.offer];
    }
  }
}

/** Has a node sign for the leases that were placed on it; its offer is what it says now. */
async function askToSign(
  question: QuoteQuestion,
  { node: address, owner, members }: Placement,
  times: number,
  now: number,
): Promise<{ offer: NodeOffer; signed: Signed } | Decline> {
  const decline = (kind: DeclineKind, reason: string): Decline => {
    return { node: address, owner, kind, reason, values: {} };
  };
  if (times >= MAX_SIGNINGS) return decline("invalid-quote", "its offer changes each time");
  const answer = await askNode(question, { address, owner, status: "Active" }, members);
  if ("kind" in answer) return answer;
  const { offer, quotes } = answer;
  const expected = { ...question.deployment, ...question, node: address, members, now };
  for (const quote of quotes) {
    const problem = await quoteProblem(quote, expected);
    if (problem !== undefined) return decline("invalid-quote", problem);
    if (quote.quote.ratePerHour !== offer.ratePerHour) return decline("invalid-quote", "other-rate");
  }
  const covered = new Set(quotes.map(({ quote }) => quote.memberIndex)).size;
  if (covered !== quotes.length) return decline("invalid-quote", "a lease is quoted twice");
  if (covered === 0) return decline("invalid-quote", "nothing was signed");
  const most = covered < members.length ? covered : offer.members;
  return { offer: { ...offer, members: most }, signed: { quotes, times: times + 1 } };
}

function awardable(
  order: Order,
  placements: readonly Placement[],
  signed: ReadonlyMap<Address, Signed>,
  declined: readonly Decline[],
): AwardableQuotes {
  const quotes = placements
    .flatMap(({ node, members }) => members.map((index) => quoteOf(signed, node, index)))
    .filter((quote) => quote !== undefined)
    .sort((a, b) => a.quote.memberIndex - b.quote.memberIndex);
  const rates = quotes.map(({ quote }) => quote.ratePerHour);
  return {
    quotes,
    placements,
    ratePerHour: sum(rates),
    reserved: sum(rates.map((rate) => reservation(rate, order.fundedSeconds))),
    atMost: sum(rates.map((rate) => reservation(rate, order.maxDuration))),
    expiry: quotes.reduce(
      (first, { quote }) => (quote.expiry < first ? quote.expiry : first),
      quotes[0]?.quote.expiry ?? 0n,
    ),
    declined,
  };
}

function quoteOf(
  signed: ReadonlyMap<Address, Signed>,
  node: Address,
  index: number,
): SignedQuote | undefined {
  return signed.get(node)?.quotes.find(({ quote }) => quote.memberIndex === index);
}

/** Why the offers do not cover an order's leases. */
export function notCovered(
  order: Order,
  offers: readonly NodeOffer[],
  declined: readonly Decline[],
): DekuperError {
  const owners = new Set(offers.map(({ owner }) => owner)).size;
  const offered = isQuorum(order) ? owners : offers.reduce((total, { members }) => total + members, 0);
  const counts = new Map<string, number>();
  for (const { reason, kind } of declined) {
    const why = kind === "refused" ? reason : kind;
    counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  const why = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, times]) => `${reason} (${times})`);
  const some = isQuorum(order)
    ? `Nodes of ${owners} ${owners === 1 ? "owner" : "owners"} offer a replica, ${order.leases} are needed`
    : `Nodes offer ${offered} of ${order.leases} ${order.leases === 1 ? "lease" : "leases"}`;
  return new DekuperError("NO_NODE_FITS", `${[some, why.join(", ")].filter(Boolean).join(": ")}.`, {
    details: { leases: order.leases, offered, reasons: why.join(", ") },
  });
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
