import {
  DekuperError,
  formatAmount,
  isQuorum,
  type Order,
  reservation,
  type TaskSpec,
} from "@dekuper/protocol";
import type { Address } from "viem";
import type { MarketNode } from "./chain/nodes.ts";
import type { ConsumerPeer } from "./consumer-peer.ts";
import type { Market } from "./market.ts";
import { type Placement, placeLeases } from "./quote-choice.ts";
import { askOffers, type Decline, type Offers, type QuoteQuestion } from "./quote-offers.ts";
import { collectQuotes, notCovered } from "./quotes.ts";
import { notSeeded, seed } from "./seed.ts";
import { requireFunds, type SubmitStep, type SubmittedTask } from "./submit.ts";
import { orderOf, type PreparedTask } from "./task.ts";
import { wrapsFor } from "./task-key.ts";

/** Nodes beside the awarded ones that get spec and inputs (and keys), so that they can take a lease over at once. */
export const MAX_STANDBY_NODES = 2;
/** A quote that expires sooner than this is asked for again: the award has to be mined first. */
const QUOTE_MARGIN_SECONDS = 20n;
/** How often nodes are asked to sign before an award is given up. */
const MAX_ROUNDS = 5;

/** What nodes say that they would take, and what that would cost. Nothing of it binds anybody. */
export interface QuotedPlan {
  readonly offers: Offers;
  /** Who would have which lease; empty where the offers do not cover them. */
  readonly placements: readonly Placement[];
  /** Base units per hour, all leases together; undefined where the offers do not cover them. */
  readonly ratePerHour: bigint | undefined;
  readonly reserved: bigint | undefined;
  readonly atMost: bigint | undefined;
  readonly budget: bigint | undefined;
  /** The most that a quote for one lease may ask, base units per hour. */
  readonly cap: bigint;
  /** Why the order should not be placed, or undefined. */
  readonly problem: DekuperError | undefined;
}

interface Asking {
  readonly market: Market;
  readonly peer: ConsumerPeer;
  readonly task: PreparedTask;
  /** The most that one lease may cost, base units per hour. */
  readonly cap: bigint;
  /** Default: the market's. */
  readonly nodes?: readonly MarketNode[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Asks every node what it would take, without having anything signed. `consumer` may be anybody's address. */
export async function planQuotes(asking: Asking & { consumer: Address }): Promise<QuotedPlan> {
  const { task, cap } = asking;
  const question = await questionOf(asking, asking.consumer);
  const { order } = question;
  const offers = await askOffers(question);
  const placements = place(offers, order) ?? [];
  const cost = (seconds: number) =>
    placements.reduce(
      (sum, { ratePerHour, members }) => sum + BigInt(members.length) * reservation(ratePerHour, seconds),
      0n,
    );
  const { budget } = task.planOrder;
  if (placements.length === 0) {
    const problem = notCovered(order, offers.offers, offers.declined);
    return {
      offers,
      placements,
      ratePerHour: undefined,
      reserved: undefined,
      atMost: undefined,
      budget,
      cap,
      problem,
    };
  }
  const atMost = cost(order.maxDuration);
  return {
    offers,
    placements,
    ratePerHour: placements.reduce(
      (sum, { ratePerHour, members }) => sum + BigInt(members.length) * ratePerHour,
      0n,
    ),
    reserved: cost(order.fundedSeconds),
    atMost,
    budget,
    cap,
    problem: await tooDear(asking.market, atMost, budget, "its budget is"),
  };
}

/**
 * The quoted path: puts spec and inputs on the nodes that would have the leases and on a few more, has them sign, and
 * orders and assigns everything in one transaction, which hands a private task's key to all of them (rule 11). Throws `NO_NODE_FITS` when no choice covers all leases,
 * `BUDGET_EXCEEDED` when what is signed costs more than `atMost`, or what the chain says.
 */
export async function awardTask(
  from: Asking & {
    plan: QuotedPlan;
    onStep?: ((step: SubmitStep) => void) | undefined;
  },
): Promise<SubmittedTask> {
  const { market, task, plan, onStep, signal } = from;
  if (plan.problem !== undefined) throw plan.problem;
  const agreed = plan.atMost ?? 0n;
  await requireFunds(market, plan.reserved ?? 0n);
  const consumer = market.wallet?.account.address;
  if (consumer === undefined) throw new DekuperError("NOT_ALLOWED", "A wallet is needed to order a task.");
  const seeded = new Set<Address>();
  let offers = plan.offers;
  const leaveOut = (gone: ReadonlyMap<Address, DekuperError>) => {
    const declined = offers.offers.flatMap(({ node, owner }): Decline[] => {
      const error = gone.get(node);
      return error === undefined ? [] : [{ node, owner, kind: "offline", reason: error.message, values: {} }];
    });
    offers = {
      offers: offers.offers.filter(({ node }) => !gone.has(node)),
      declined: [...offers.declined, ...declined],
    };
  };
  const give = async (nodes: readonly Address[]) => {
    const given = await seed(
      from,
      nodes.filter((node) => !seeded.has(node)),
    );
    for (const node of given.nodes) seeded.add(node);
    leaveOut(given.failures);
    if (offers.offers.length === 0) throw notSeeded(given);
    return given.failures.size === 0;
  };

  for (let round = 0; round < MAX_ROUNDS; round++) {
    const question = await questionOf(from, consumer);
    const expected = place(offers, question.order);
    if (expected === undefined) throw notCovered(question.order, offers.offers, offers.declined);
    const chosen = expected.map(({ node }) => node);
    // Nobody takes a replica over.
    await give([...chosen, ...(isQuorum(question.order) ? [] : standbysOf(offers, chosen))]);
    onStep?.({ kind: "quoting", nodes: chosen });
    const found = await collectQuotes(question, offers, async () => (await market.head()).timestamp);
    const awarded = found.placements.map(({ node }) => node);
    offers = { ...offers, declined: found.declined };
    if (!(await give(awarded))) continue;
    const { timestamp } = await market.head();
    if (found.expiry < timestamp + QUOTE_MARGIN_SECONDS && round + 1 < MAX_ROUNDS) continue;
    const problem = await tooDear(market, found.atMost, agreed, "what was agreed is");
    if (problem !== undefined) throw problem;
    // Who has dropped out on the way has the sealed data, and no use for its key.
    const isOut = (node: Address) =>
      awarded.includes(node) || offers.declined.some((declined) => declined.node === node);
    const standbys = isQuorum(question.order)
      ? []
      : [...seeded].filter((node) => !isOut(node)).slice(0, MAX_STANDBY_NODES);
    const { sealed } = task;
    const { wraps, failures } =
      sealed === undefined
        ? { wraps: [], failures: new Map<Address, DekuperError>() }
        : await wrapsFor(market, { key: sealed.key, specBlob: sealed.spec.digest, consumer }, [
            ...awarded,
            ...standbys,
          ]);
    if (awarded.some((node) => failures.has(node))) {
      leaveOut(failures);
      if (offers.offers.length === 0) throw notCovered(question.order, [], offers.declined);
      continue;
    }
    onStep?.({ kind: "ordering", ratePerHour: found.ratePerHour, reserved: found.reserved });
    signal?.throwIfAborted();
    const created = await market.createAndAward(question.order, found.quotes, wraps);
    return { ...created, path: "quoted", ratePerHour: found.ratePerHour, seeded: [...seeded] };
  }
  throw new DekuperError("NO_NODE_FITS", `After ${MAX_ROUNDS} rounds no choice of nodes held.`, {
    hint: "Nothing was ordered and nothing was paid. Try again later.",
  });
}

async function questionOf(from: Asking, consumer: Address): Promise<QuoteQuestion> {
  const { market, peer, task, cap, signal } = from;
  const [head, nodes] = await Promise.all([market.head(), from.nodes ?? market.nodes()]);
  return {
    peer,
    deployment: market.network.deployment,
    nodes,
    order: orderOf(task, cap, head.timestamp, "quoted"),
    consumer,
    envelope: {
      image: task.spec.image,
      inputBytes: task.inputs.reduce((sum, { source }) => sum + source.size, 0),
    },
    signal,
  };
}

function place(offers: Offers, order: Order): Placement[] | undefined {
  return placeLeases(
    offers.offers,
    Array.from({ length: order.leases }, (_, index) => index),
    isQuorum(order),
  );
}

/**
 * Who gets the task's data, and a private task's key: the nodes that would have its leases, and the standbys beside them. Nobody
 * stands by for a quorum's replicas.
 */
export function readersOf(
  { offers, placements }: Pick<QuotedPlan, "offers" | "placements">,
  { verification }: Pick<TaskSpec, "verification">,
): {
  readonly chosen: readonly Address[];
  readonly standbys: readonly Address[];
} {
  const chosen = placements.map(({ node }) => node);
  return { chosen, standbys: verification === "quorum" ? [] : standbysOf(offers, chosen) };
}

/** The cheapest of the others: where a node is lost, they have the data already. */
function standbysOf({ offers }: Offers, chosen: readonly Address[]): Address[] {
  return offers
    .map(({ node }) => node)
    .filter((node) => !chosen.includes(node))
    .slice(0, MAX_STANDBY_NODES);
}

async function tooDear(
  market: Market,
  atMost: bigint,
  limit: bigint | undefined,
  what: string,
): Promise<DekuperError | undefined> {
  if (limit === undefined || atMost <= limit) return undefined;
  const token = await market.token();
  return new DekuperError(
    "BUDGET_EXCEEDED",
    `The task may cost ${formatAmount(atMost, token)}; ${what} ${formatAmount(limit, token)}.`,
    { details: { atMost, limit } },
  );
}
