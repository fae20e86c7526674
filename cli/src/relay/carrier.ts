import { setTimeout as sleep } from "node:timers/promises";
import { chainError, type Market, type MarketWallet } from "@dekuper/client";
import { type ForwardRequest, forwarderAbi } from "@dekuper/protocol";
import { type Address, encodeFunctionData, formatEther, type Hex, zeroAddress } from "viem";
import { judgeBatch, judgeSignatures, type Refusal, type RelayRules } from "./judge.ts";
import { RateLimit } from "./rate-limit.ts";

/** What a relay takes on at most. */
export interface RelayLimits {
  /** Batches of one consumer a minute. */
  readonly perMinute: number;
  /** Wei of the chain's coin that one batch may cost. */
  readonly maxCost: bigint;
}

/** Batches that wait for their turn to be sent. */
const MAX_WAITING = 64;
/** How long a consumer is refused after a batch of it was mined and failed, which costs the relay its gas. */
const PENALTY_MS = 3_600_000;
/** How long a batch is waited for: until it cannot succeed any more, within these. */
const MINE_TIMEOUT_MS = { least: 120_000, most: 3_600_000 };
/** How long a batch waits for the one before it of the same consumer, who may have seen that mined already. */
const PATIENCE_MS = 10_000;

/** What became of a batch. */
export type RelayEvent =
  | { readonly kind: "sent"; readonly from: Address; readonly hash: Hex }
  | {
      readonly kind: "mined" | "failed";
      readonly from: Address;
      readonly hash: Hex;
      readonly gasUsed: bigint;
    }
  | { readonly kind: "refused"; readonly from: Address | undefined; readonly refusal: Refusal };

/**
 * Carries consumers' signed batches to the chain, one after the other so that nonces are in order (rule 29). Every batch is
 * judged, then simulated as it will be sent: whole, without a refund receiver, so that the fee in it moves or nothing does.
 */
export class Carrier {
  private readonly market: Market;
  private readonly wallet: MarketWallet;
  private readonly rules: RelayRules;
  private readonly limits: RelayLimits;
  private readonly onEvent: (event: RelayEvent) => void;
  private readonly rate: RateLimit;
  /** Until each consumer's batch is mined, or given up. */
  private readonly inFlight = new Map<Address, Promise<void>>();
  private readonly refusedUntil = new Map<Address, number>();
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(from: {
    market: Market & { readonly wallet: MarketWallet };
    rules: RelayRules;
    limits: RelayLimits;
    onEvent?: ((event: RelayEvent) => void) | undefined;
  }) {
    this.market = from.market;
    this.wallet = from.market.wallet;
    this.rules = from.rules;
    this.limits = from.limits;
    this.onEvent = from.onEvent ?? (() => undefined);
    this.rate = new RateLimit(from.limits.perMinute);
  }

  /** The transaction that carries the batch, sent and not yet mined; or why it is not sent. */
  async carry(requests: readonly ForwardRequest[]): Promise<{ hash: Hex } | { refusal: Refusal }> {
    const from = requests[0]?.from;
    const answer = await this.tryToCarry(requests);
    if ("refusal" in answer) this.onEvent({ kind: "refused", from, refusal: answer.refusal });
    return answer;
  }

  private async tryToCarry(
    requests: readonly ForwardRequest[],
  ): Promise<{ hash: Hex } | { refusal: Refusal }> {
    const { timestamp } = await this.market.head();
    const refusal = judgeBatch(requests, this.rules, Number(timestamp));
    const [first] = requests;
    if (refusal !== undefined || first === undefined)
      return { refusal: refusal ?? { code: "invalid", message: "requests: got none, expected 1 or more." } };
    const { from } = first;
    const until = this.refusedUntil.get(from) ?? 0;
    if (until > Date.now())
      return refuse(
        "too-many",
        `A batch of ${from} failed on chain; it is heard again at ${new Date(until).toISOString()}.`,
      );
    await Promise.race([this.inFlight.get(from), sleep(PATIENCE_MS, undefined, { ref: false })]);
    if (this.waiting >= MAX_WAITING) return refuse("busy", `${this.waiting} batches wait already.`);
    // Signatures are checked before the rate is counted: nobody can use up another's.
    const nonce = await this.forwarderNonce(from);
    const unsigned = await judgeSignatures(requests, this.rules.deployment, nonce);
    if (unsigned !== undefined) return { refusal: unsigned };
    if (!this.rate.take(from))
      return refuse("too-many", `${this.limits.perMinute} batches a minute are carried for ${from}.`);

    // From here to its entry nothing is awaited: of two copies that came together one is refused.
    if (this.inFlight.has(from)) return refuse("in-flight", `A batch of ${from} is not mined yet.`);
    const ended = Promise.withResolvers<void>();
    this.inFlight.set(from, ended.promise);
    const end = () => {
      this.inFlight.delete(from);
      ended.resolve();
    };
    this.waiting++;
    const sent = this.turn.then(() => this.send(requests));
    this.turn = sent.catch(() => undefined);
    try {
      const answer = await sent;
      if ("refusal" in answer) end();
      else void this.follow(from, answer.hash, first.deadline - Number(timestamp)).finally(end);
      return answer;
    } catch (error) {
      end();
      throw error;
    } finally {
      this.waiting--;
    }
  }

  /** Simulates and sends; alone at any time. */
  private async send(requests: readonly ForwardRequest[]): Promise<{ hash: Hex } | { refusal: Refusal }> {
    const { publicClient: client, network } = this.market;
    const { forwarder } = this.rules.deployment;
    const account = this.wallet.account;
    const data = encodeFunctionData({
      abi: forwarderAbi,
      functionName: "executeBatch",
      args: [requests.map(({ value, gas, ...each }) => ({ ...each, value, gas })), zeroAddress],
    });
    let gas: bigint;
    try {
      // The calls one by one, for an error that says what is wrong: the forwarder keeps it to itself.
      gas = await client.estimateGas({ account: account.address, to: forwarder, data });
    } catch (cause) {
      return refuse("would-fail", await this.whyItFails(requests, cause));
    }
    gas = (gas * 6n) / 5n;
    const [fees, nonce] = await Promise.all([
      client.estimateFeesPerGas(),
      client.getTransactionCount({ address: account.address, blockTag: "pending" }),
    ]).catch((cause) => {
      throw chainError(cause, "price the batch", network);
    });
    const cost = gas * (fees.maxFeePerGas ?? fees.gasPrice ?? 0n);
    if (cost > this.limits.maxCost)
      return refuse(
        "too-dear",
        `It may cost ${formatEther(cost)} of the chain's coin, at most ${formatEther(this.limits.maxCost)} are spent on one.`,
      );
    try {
      const { maxFeePerGas, maxPriorityFeePerGas } = fees;
      const hash = await this.wallet.sendTransaction({
        to: forwarder,
        data,
        gas,
        nonce,
        maxFeePerGas,
        maxPriorityFeePerGas,
        account,
        chain: this.wallet.chain ?? null,
      });
      this.onEvent({ kind: "sent", from: requests[0]?.from ?? zeroAddress, hash });
      return { hash };
    } catch (cause) {
      throw chainError(cause, "carry the batch", network);
    }
  }

  /** The first call that fails by itself, as its consumer would send it; else what the batch says. */
  private async whyItFails(requests: readonly ForwardRequest[], cause: unknown): Promise<string> {
    const { publicClient: client, network } = this.market;
    for (const { from, to, data } of requests) {
      const error = await client.call({ account: from, to, data }).then(
        () => undefined,
        (thrown) => chainError(thrown, "do that", network),
      );
      if (error !== undefined) return error.message;
    }
    return chainError(cause, "take the batch", network).message;
  }

  /** `lasts`: seconds until the batch's deadline. Before it, a second one with the same nonces could be mined behind it, and fail. */
  private async follow(from: Address, hash: Hex, lasts: number): Promise<void> {
    try {
      const { least, most } = MINE_TIMEOUT_MS;
      const wait = { hash, timeout: Math.min(Math.max(lasts * 1_000, least), most) };
      const { status, gasUsed } = await this.market.publicClient.waitForTransactionReceipt(wait);
      if (status === "reverted") this.refusedUntil.set(from, Date.now() + PENALTY_MS);
      this.onEvent({ kind: status === "reverted" ? "failed" : "mined", from, hash, gasUsed });
    } catch {
      // Not mined in time: the next batch of this consumer is judged by the chain, as every one is.
    }
  }

  private forwarderNonce(from: Address): Promise<bigint> {
    return this.market.publicClient
      .readContract({
        address: this.rules.deployment.forwarder,
        abi: forwarderAbi,
        functionName: "nonces",
        args: [from],
      })
      .catch((cause) => {
        throw chainError(cause, "read the forwarder's nonce", this.market.network);
      });
  }
}

function refuse(code: Refusal["code"], message: string): { refusal: Refusal } {
  return { refusal: { code, message } };
}
