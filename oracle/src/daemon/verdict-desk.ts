import {
  callChunk,
  DekuperError,
  type Deployment,
  isDekuperError,
  verdictTypedData,
  verifyBranch,
} from "@dekuper/protocol";
import { type Address, keccak256, stringToBytes } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Clock } from "../chain/clock.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { OpenClaim } from "../chain/verdict-facts.ts";
import type { DeliveryJournal } from "../journal/deliveries.ts";
import type { DeliveryClaim } from "../journal/facts.ts";
import type { PeerNode } from "../peer/peer.ts";
import { planVerdict, retryOf } from "../plan/verdict.ts";
import { patienceOf } from "../plan/watch.ts";
import type { NodeState } from "./accepter.ts";
import type { NodeMap } from "./node-map.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";
import type { OpenClaims } from "./verdict-claims.ts";
import type { VerdictCollector } from "./verdict-collector.ts";

export interface VerdictDeskDeps {
  readonly deployment: Deployment;
  readonly account: PrivateKeyAccount;
  readonly claims: OpenClaims;
  readonly collector: Pick<VerdictCollector, "collect">;
  readonly journal: DeliveryJournal;
  readonly peer: Pick<PeerNode, "call">;
  readonly queue: Pick<TransactionQueue, "submit" | "isPending">;
  readonly nodes: Pick<NodeMap, "entry">;
  readonly clock: Clock;
  readonly log: OracleLog;
}

/** How often claims are looked at. */
const LOOK_MS = 1_000;
const CHUNK_MS = 60_000;
const ANSWER_MS = 60_000;
const MOST_TRIED = 4_096;

interface Tried {
  failures: number;
  retryAt: number;
  /** When this node could first have collected, chain time. */
  collectsSince?: number;
}

/**
 * Judges deliveries that are disputed (rules 20 and 23). With a seat in the committee it fetches what the claim's block draws of other
 * nodes' outputs, says once what it found, and takes "not fetched" to the chain where enough say so. Without one it does
 * so for its own leases: it asks the committee for "fetched", where it has no receipt to answer with.
 */
export class VerdictDesk {
  private readonly deps: VerdictDeskDeps;
  private readonly node: Address;
  private readonly busy = new Map<string, Promise<void>>();
  private readonly tried = new Map<string, Tried>();
  private lookedAt = 0;

  constructor(deps: VerdictDeskDeps) {
    this.deps = deps;
    this.node = deps.account.address;
  }

  /** One look; what takes time goes on behind it, one thing a claim. */
  round(state: NodeState, signal: AbortSignal): void {
    const { clock, claims, log } = this.deps;
    if (clock.now() - this.lookedAt < LOOK_MS || !state.mayAct || !state.maySign) return;
    this.lookedAt = clock.now();
    for (const claim of claims.all()) {
      const key = keyOf(claim);
      if (this.busy.has(key)) continue;
      const taken = this.look(claim, signal)
        .catch((error: unknown) =>
          log.info({ leaseId: claim.leaseId, error: errorFields(error) }, "claim-not-looked-at"),
        )
        .finally(() => this.busy.delete(key));
      this.busy.set(key, taken);
    }
  }

  /** Until nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.busy.values());
  }

  private async look(listed: DeliveryClaim, signal: AbortSignal): Promise<void> {
    const { claims, journal, nodes } = this.deps;
    const claim = await claims.read(listed);
    if (claim === undefined) return;
    if (claim.node === this.node) {
      // A receipt answers it at once, by the lease's own plan.
      if (journal.receipt(claim.leaseId, claim.attempt) === undefined) await this.answer(claim, true, signal);
      return;
    }
    const { seats } = await claims.seats();
    const owner = nodes.entry(claim.node)?.owner;
    // Nobody judges a node of the same owner.
    if (!seats.has(this.node) || (owner !== undefined && owner === nodes.entry(this.node)?.owner)) return;
    await this.attest(claim, seats.size, signal);
  }

  private async attest(claim: OpenClaim, seats: number, signal: AbortSignal): Promise<void> {
    const { claims, journal } = this.deps;
    const tried = this.triedOf(claim);
    const plan = planVerdict(
      {
        ...claim,
        ...tried,
        isConfirmed: claim.block <= claims.confirmed,
        verdict: journal.verdict(claim)?.fetched,
      },
      claims.now,
    );
    if (plan === "fetch") return this.tryToFetch(claim, tried, signal);
    if (plan === "deny") return this.say(claim, false);
    if (plan !== "collect") return;
    tried.collectsSince ??= claims.now;
    const spread = patienceOf(this.draw(claim), seats);
    const patience = Math.min(spread, Math.floor((claim.answerUntil - tried.collectsSince) / 4));
    if (claims.now >= tried.collectsSince + patience) await this.answer(claim, false, signal);
  }

  private async tryToFetch(claim: OpenClaim, tried: Tried, signal: AbortSignal): Promise<void> {
    const { claims, log } = this.deps;
    try {
      await this.fetch(claim, signal);
    } catch (error) {
      signal.throwIfAborted();
      tried.failures++;
      tried.retryAt = retryOf(claim, claims.now);
      const { leaseId, node } = claim;
      log.info({ leaseId, node, failures: tried.failures, error: errorFields(error) }, "chunks-not-fetched");
      return;
    }
    await this.say(claim, true);
  }

  /** Gets every drawn chunk and checks it against the attested root; throws at the first that is not to be had. */
  private async fetch(claim: OpenClaim, signal: AbortSignal): Promise<void> {
    const { node, leaseId, attempt, attestation, drawn } = claim;
    const { ciphertextRoot: root, ciphertextSize: size } = attestation;
    // age's header alone has bytes: an output without any was never sealed, and nobody could open it.
    if (drawn.length === 0) throw new DekuperError("BLOB_CORRUPT", "The attested output has no bytes.");
    for (const index of drawn) {
      const soon = AbortSignal.any([signal, AbortSignal.timeout(CHUNK_MS)]);
      const ask = { leaseId, attempt, index };
      const { chunk, branch } = await this.deps.peer.call(
        node,
        "chunk",
        (stream) => callChunk(stream, ask, soon),
        soon,
      );
      if (!verifyBranch({ root, size, index, chunk, branch }))
        throw new DekuperError("BLOB_CORRUPT", `Chunk ${index} is not the one that was attested.`, {
          details: { node, leaseId, index },
        });
    }
  }

  /** Said once: what is in the journal stands, and is what everybody hears. */
  private async say(claim: OpenClaim, fetched: boolean): Promise<void> {
    const { account, deployment, journal, log } = this.deps;
    const { leaseId, attempt, attestationDigest, claimedAt, node } = claim;
    const verdict = { leaseId, attempt, attestationDigest, claimedAt, fetched };
    const signature = await account.signTypedData(verdictTypedData(deployment, verdict));
    const { fetched: said } = journal.recordVerdict(claim, { fetched, signature });
    log.info({ leaseId, node, fetched: said }, "verdict-given");
  }

  private async answer(claim: OpenClaim, fetched: boolean, signal: AbortSignal): Promise<void> {
    const { collector, queue, log } = this.deps;
    const { leaseId } = claim;
    const signatures = await collector.collect(claim, fetched, signal);
    if (signatures === undefined) return;
    const call = { name: "answerWithAttesters", args: [leaseId, fetched, signatures] } as const;
    log.info({ leaseId, fetched, signatures: signatures.length }, "claim-answered");
    try {
      // Simulated first: whoever comes second is refused without paying.
      await queue.submit(call, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
    } catch (error) {
      signal.throwIfAborted();
      if (!isDekuperError(error)) throw error;
      log.info({ leaseId, fetched, error: errorFields(error) }, "answer-not-taken");
    }
  }

  private triedOf(claim: OpenClaim): Tried {
    const key = `${claim.leaseId}:${claim.attempt}:${claim.claimedAt}`;
    const known = this.tried.get(key) ?? { failures: 0, retryAt: 0 };
    if (this.tried.size >= MOST_TRIED) this.tried.clear();
    this.tried.set(key, known);
    return known;
  }

  private draw({ leaseId, claimedAt }: OpenClaim): number {
    const hash = keccak256(stringToBytes(`${this.node.toLowerCase()}:${leaseId}:${claimedAt}`));
    return Number.parseInt(hash.slice(2, 10), 16);
  }
}

const keyOf = ({ leaseId, block }: DeliveryClaim) => `${leaseId}:${block}`;
