import {
  callVerdict,
  type Deployment,
  isDekuperError,
  type VerdictAnswer,
  verdictSigner,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { OpenClaim } from "../chain/verdict-facts.ts";
import type { DeliveryJournal } from "../journal/deliveries.ts";
import type { PeerNode } from "../peer/peer.ts";
import { retryOf } from "../plan/verdict.ts";
import type { OpenClaims } from "./verdict-claims.ts";

const ASK_MS = 5_000;
/** Longest between two rounds of questions, seconds. */
const ASK_EVERY = 60;
const MOST_KEPT = 256;

interface Gathered {
  askAt: number;
  /** By seat; checked. */
  readonly verdicts: Map<Address, VerdictAnswer>;
}

/** Asks the committee what it has found of a claim, until enough of it say the same. */
export class VerdictCollector {
  private readonly deps: {
    readonly deployment: Deployment;
    readonly node: Address;
    readonly claims: Pick<OpenClaims, "seats" | "now">;
    readonly journal: Pick<DeliveryJournal, "verdict">;
    readonly peer: Pick<PeerNode, "call">;
  };
  private readonly gathered = new Map<string, Gathered>();

  constructor(deps: VerdictCollector["deps"]) {
    this.deps = deps;
  }

  /** The signatures that a quorum of the present seats gave to `fetched`, ascending by signer; undefined: not enough yet. */
  async collect(claim: OpenClaim, fetched: boolean, signal: AbortSignal): Promise<Hex[] | undefined> {
    const { claims, journal, node } = this.deps;
    const { seats, quorum } = await claims.seats();
    const known = this.of(claim);
    const own = journal.verdict(claim);
    if (own !== undefined && seats.has(node)) known.verdicts.set(node, own);
    if (claims.now >= known.askAt) {
      known.askAt = Math.min(retryOf(claim, claims.now), claims.now + ASK_EVERY);
      const silent = [...seats].filter((seat) => seat !== node && !known.verdicts.has(seat));
      await Promise.all(silent.map((seat) => this.ask(seat, claim, known, signal)));
    }
    const alike = [...known.verdicts]
      .filter(([seat, verdict]) => seats.has(seat) && verdict.fetched === fetched)
      .sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    return alike.length >= quorum ? alike.map(([, { signature }]) => signature) : undefined;
  }

  /** A seat that cannot be reached, or that answers with what is not its own, has said nothing. */
  private async ask(seat: Address, claim: OpenClaim, known: Gathered, signal: AbortSignal): Promise<void> {
    const { peer, deployment } = this.deps;
    const { leaseId, attempt, attestationDigest, claimedAt } = claim;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
    try {
      const ask = { leaseId, attempt, claimedAt };
      const answer = await peer.call(seat, "verdict", (stream) => callVerdict(stream, ask, soon), soon);
      if (answer === undefined) return;
      const verdict = { leaseId, attempt, attestationDigest, claimedAt, fetched: answer.fetched };
      if ((await verdictSigner(deployment, verdict, answer.signature)) === seat)
        known.verdicts.set(seat, answer);
    } catch (error) {
      signal.throwIfAborted();
      if (!isDekuperError(error) && !(error instanceof Error)) throw error;
    }
  }

  private of({ leaseId, attempt, claimedAt }: OpenClaim): Gathered {
    const key = `${leaseId}:${attempt}:${claimedAt}`;
    const known = this.gathered.get(key) ?? { askAt: 0, verdicts: new Map() };
    if (this.gathered.size >= MOST_KEPT) this.gathered.clear();
    this.gathered.set(key, known);
    return known;
  }
}
