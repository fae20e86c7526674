import { setImmediate } from "node:timers/promises";
import {
  DekuperError,
  type Deployment,
  isDekuperError,
  orderHash,
  type Quote,
  type QuoteAnswer,
  type QuoteRequest,
  quoteTypedData,
  type SignedQuote,
} from "@dekuper/protocol";
import type { Hex, LocalAccount } from "viem";
import { readLockTerms } from "../chain/contracts.ts";
import { isQuoteVoid, readQuoteFloor } from "../chain/quote-nonces.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { AttemptJournal } from "../journal/attempts.ts";
import { MOST_NONCE, type QuoteHold, type QuoteJournal } from "../journal/quotes.ts";
import type { QuoteSource } from "../peer/peer.ts";
import { nodeProblem } from "../plan/fit.ts";
import { type Holds, planQuote, type QuoteAsk, type QuoteFacts, type QuotePlan } from "../plan/quote.ts";
import type { Accepter, NodeState } from "./accepter.ts";
import type { ImageChecker } from "./image-checker.ts";
import type { OracleLog } from "./oracle-log.ts";

export interface QuoteDeskDeps {
  readonly deployment: Deployment;
  readonly account: Pick<LocalAccount, "address" | "signTypedData">;
  readonly reader: Pick<ChainReader, "read" | "lastReadable">;
  readonly accepter: Pick<Accepter, "lookAtNode">;
  /** How the daemon stands at this moment. */
  readonly state: () => NodeState;
  readonly attempts: Pick<AttemptJournal, "newest">;
  readonly journal: QuoteJournal;
  readonly images: Pick<ImageChecker, "check">;
  readonly clock: { now(): number };
  readonly log: Pick<OracleLog, "info">;
  readonly settings: { readonly quoteLife: number; readonly allowsQuorum: boolean };
  /** The daemon's. */
  readonly signal: AbortSignal;
}

type Offer = Extract<QuotePlan, { kind: "offer" }>;
type Look = (asker: string, own: (hold: QuoteHold) => boolean) => QuoteFacts;

/** One look at the chain serves the requests of so many milliseconds. */
const LOOK_MS = 1_000;
/** Quotes that hold something at a time: of all, and for one host or node. The next is refused until one expires. */
const MAX_LIVE_QUOTES = 1_024;
const MAX_LIVE_QUOTES_OF_ONE = 256;
/** A registry that takes longer leaves the request unanswered; its answer serves the next. */
const IMAGE_WAIT_MS = 3_000;
/** Images that strangers may have asked for at a time: orders that are paid for need the rest. */
const MAX_IMAGES_ASKED = 4;
/** Attempts among which an awarded order is looked for: more than begin while a quote holds. */
const RECENT_ATTEMPTS = 256;

/** Answers quote requests: plans, writes down what it promises, then signs. Nothing is signed while the daemon may not sign. */
export class QuoteDesk implements QuoteSource {
  private readonly deps: QuoteDeskDeps;
  private looked: { readonly at: number; readonly look: Promise<Look> } | undefined;
  private imagesAsked = 0;
  /** The operator has cancelled all quotes that this daemon could still sign. */
  private isVoidForGood = false;

  constructor(deps: QuoteDeskDeps) {
    this.deps = deps;
  }

  async quote(request: QuoteRequest, asker: string): Promise<QuoteAnswer> {
    const hash = orderHash(request.order);
    let look: Look;
    try {
      look = await this.look();
    } catch (error) {
      if (isDekuperError(error)) return refused("chain-unreadable");
      throw error;
    }
    if (this.isVoidForGood && request.members.length > 0) return refused("quotes-cancelled");
    const factsNow = () =>
      look(asker, (hold) => hold.consumer === request.consumer && hold.orderHash === hash);
    let plan = this.plan(request, { kind: "unknown" }, factsNow());
    if (plan.kind === "check-image") {
      const answer = await this.imageAnswer(request.envelope.image);
      plan = this.plan(request, answer, factsNow());
    }
    if (plan.kind === "check-image") throw new DekuperError("INTERNAL", "The image was asked for already.");
    if (plan.kind === "refuse") return refused(plan.reason, plan.values);
    const { ratePerHour, startWindow, leases } = plan;
    const offer = { ratePerHour, startWindow, members: leases };
    if (plan.sign === 0) return { offer, quotes: [] };
    const quotes = await this.sign(this.issue(request, hash, asker, plan));
    // A twin may have been seen, or the owner may have stopped the node, since the plan.
    const blocked = nodeProblem(factsNow());
    return blocked === undefined ? { offer, quotes } : refused(blocked);
  }

  private plan(request: QuoteRequest, imageAnswer: QuoteAsk["imageAnswer"], facts: QuoteFacts): QuotePlan {
    const { order, envelope, members } = request;
    const now = this.deps.reader.lastReadable?.head.timestamp ?? 0;
    return planQuote({ order, ...envelope, members: members.length, imageAnswer }, facts, now);
  }

  /** From the plan to here nothing is awaited: no other request can be promised the same share. */
  private issue(request: QuoteRequest, hash: Hex, asker: string, plan: Offer): Quote[] {
    const { account, journal, reader, log } = this.deps;
    const { order, consumer } = request;
    const members = request.members.slice(0, plan.sign);
    const holds = members.map((memberIndex): QuoteHold => {
      const { gpus, vCpus, memoryMiB } = order;
      const { lock, expiry } = plan;
      return { consumer, orderHash: hash, asker, memberIndex, gpus, vCpus, memoryMiB, lock, expiry };
    });
    const nonces = journal.issue(holds, reader.lastReadable?.head.timestamp ?? 0);
    log.info(
      { consumer, orderHash: hash, members, ratePerHour: plan.ratePerHour.toString(), expiry: plan.expiry },
      "quoted",
    );
    return members.map((memberIndex, index) => ({
      node: account.address,
      consumer,
      orderHash: hash,
      memberIndex,
      ratePerHour: plan.ratePerHour,
      startWindow: plan.startWindow,
      expiry: BigInt(plan.expiry),
      nonce: nonces[index] ?? 0n,
      verification: order.verification,
    }));
  }

  private async sign(quotes: readonly Quote[]): Promise<SignedQuote[]> {
    const { account, deployment } = this.deps;
    const signed: SignedQuote[] = [];
    for (const quote of quotes) {
      const typed = quoteTypedData(deployment.chainId, deployment.taskRegistry, quote);
      signed.push({ quote, signature: await account.signTypedData(typed) });
      await setImmediate(); // the daemon has other things to do between two signatures
    }
    return signed;
  }

  private async imageAnswer(image: string): Promise<QuoteAsk["imageAnswer"]> {
    if (this.imagesAsked >= MAX_IMAGES_ASKED) return { kind: "unanswered" };
    this.imagesAsked += 1;
    const asked = this.deps.images.check(image, this.deps.signal).finally(() => {
      this.imagesAsked -= 1;
    });
    const tooLate = new AbortController();
    const late = new Promise<undefined>((resolve) => {
      const timer = setTimeout(resolve, IMAGE_WAIT_MS, undefined);
      tooLate.signal.addEventListener("abort", () => clearTimeout(timer));
    });
    try {
      const answer = await Promise.race([asked, late]);
      if (answer === undefined || answer.kind === "unknown") return { kind: "unanswered" };
      return answer;
    } finally {
      tooLate.abort();
      asked.catch(() => undefined);
    }
  }

  /** The node as the chain shows it, read once for the requests that come together. */
  private look(): Promise<Look> {
    const at = this.deps.clock.now();
    if (this.looked !== undefined && at - this.looked.at < LOOK_MS) return this.looked.look;
    const looked = { at, look: this.lookAtChain() };
    this.looked = looked;
    looked.look.catch(() => {
      if (this.looked === looked) this.looked = undefined;
    });
    return looked.look;
  }

  private async lookAtChain(): Promise<Look> {
    const { accepter, reader, deployment, state, journal, settings } = this.deps;
    this.releaseAwarded(); // before the chain is read: what is known here is on chain
    const [node, terms] = await Promise.all([
      accepter.lookAtNode(),
      reader.read((client) => readLockTerms(client, deployment)),
      this.skipVoid(),
    ]);
    return (asker, own) => {
      const live = journal.live(reader.lastReadable?.head.timestamp ?? 0).filter((hold) => !own(hold));
      const ofAsker = live.filter((hold) => hold.asker === asker).length;
      return {
        ...node.facts(state()),
        ...terms,
        ...settings,
        unlockedStake: node.unlockedStake,
        held: sum(live),
        quotesLeft: Math.max(0, Math.min(MAX_LIVE_QUOTES - live.length, MAX_LIVE_QUOTES_OF_ONE - ofAsker)),
      };
    };
  }

  /** What the operator has cancelled meanwhile is skipped: signed with such a nonce, a quote would be void at once. */
  private async skipVoid(): Promise<void> {
    const { reader, deployment, account, journal, log } = this.deps;
    const node = account.address;
    const next = journal.nextNonce;
    const floor = await reader.read((client) => readQuoteFloor(client, deployment, node, next, MOST_NONCE));
    this.isVoidForGood = floor === undefined;
    if (floor === undefined || floor <= next) return;
    // One nonce may have been cancelled ahead of its time: then what was quoted before it is still good.
    const live = journal.liveNonces(reader.lastReadable?.head.timestamp ?? 0);
    const areVoid = await reader.read((client) =>
      Promise.all(live.map((nonce) => isQuoteVoid(client, deployment, node, nonce))),
    );
    journal.skipTo(
      floor,
      live.filter((_, index) => areVoid[index]),
    );
    log.info({ below: floor.toString() }, "quotes-cancelled");
  }

  /** What was awarded is in use by the chain's count now: held as well, it would count twice. */
  private releaseAwarded(): void {
    const { journal, attempts, reader } = this.deps;
    const live = journal.live(reader.lastReadable?.head.timestamp ?? 0);
    if (live.length === 0) return;
    const consumers = new Set(live.map(({ consumer }) => consumer));
    for (const { consumer, order } of attempts.newest(RECENT_ATTEMPTS))
      if (consumers.has(consumer)) journal.release(consumer, orderHash(order));
  }
}

const refused = (reason: string, values: Readonly<Record<string, string>> = {}): QuoteAnswer => ({
  refused: { reason, values: { ...values } },
});

function sum(holds: readonly QuoteHold[]): Holds {
  const total = { leases: 0, gpus: 0, vCpus: 0, memoryMiB: 0n, lock: 0n };
  for (const { gpus, vCpus, memoryMiB, lock } of holds) {
    total.leases += 1;
    total.gpus += gpus;
    total.vCpus += vCpus;
    total.memoryMiB += memoryMiB;
    total.lock += lock;
  }
  return total;
}
