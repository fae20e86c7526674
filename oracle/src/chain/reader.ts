import { DekuperError, type Deployment, isDekuperError } from "@dekuper/protocol";
import {
  ContractFunctionRevertedError,
  createPublicClient,
  http,
  isHex,
  type PublicClient,
  RpcRequestError,
} from "viem";
import type { Clock } from "./clock.ts";
import { type BlockRef, type ChainView, FALLBACK_FINALITY_DEPTH, type Finality } from "./view.ts";

export interface ChainReaderOptions {
  readonly deployment: Deployment;
  readonly rpcUrls: readonly string[];
  readonly finality: Finality;
  /** Blocks, the one that carries a fact included, before anything is created from it. */
  readonly minConfirmations: number;
  /** Of one request, milliseconds. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

/** One RPC and what it said last. */
export interface Rpc {
  readonly url: string;
  readonly client: PublicClient;
}

interface Answer {
  readonly rpc: Rpc;
  readonly head: BlockRef;
  readonly final: BlockRef;
}

/** Reads the chain through one or several RPCs. What they cannot say together is unreadable, never absent. */
export class ChainReader {
  readonly rpcs: readonly Rpc[];
  private readonly options: ChainReaderOptions;
  private answers: readonly Answer[] = [];
  private current: ChainView = { evidence: "unreadable", reason: "not-read-yet" };
  private last: Extract<ChainView, { evidence: "readable" }> | undefined;
  /** RPCs that have shown a `finalized` block: from them nothing less is taken any more. */
  private readonly servesFinalized = new Set<string>();

  constructor(options: ChainReaderOptions) {
    this.options = options;
    this.rpcs = options.rpcUrls.map((url) => ({
      url,
      client: createPublicClient({
        transport: http(url, {
          retryCount: 0,
          timeout: options.timeoutMs ?? 5_000,
          batch: { batchSize: 64, wait: 0 },
        }),
      }),
    }));
  }

  get view(): ChainView {
    return this.current;
  }

  /** The last view that could be read, however old. */
  get lastReadable(): Extract<ChainView, { evidence: "readable" }> | undefined {
    return this.last;
  }

  /** RPCs that answered the last time, the one with the highest head first. */
  get healthy(): readonly Rpc[] {
    return this.answers.map(({ rpc }) => rpc);
  }

  /** Refreshes the view; never throws for what RPCs do. */
  async look(): Promise<ChainView> {
    const asked = await Promise.allSettled(this.rpcs.map((rpc) => this.ask(rpc)));
    this.answers = asked
      .filter((result) => result.status === "fulfilled")
      .map((result) => result.value)
      .sort((a, b) => b.head.number - a.head.number);
    const best = this.answers[0];
    const final = best && (await this.agreedFinal());
    if (best === undefined) this.current = { evidence: "unreadable", reason: "no-rpc-answers" };
    else if (final === undefined) this.current = { evidence: "unreadable", reason: "rpcs-disagree" };
    else {
      const sameHead = this.last?.head.hash === best.head.hash;
      this.current = {
        evidence: "readable",
        head: best.head,
        final,
        confirmed: Math.max(0, best.head.number - (this.options.minConfirmations - 1)),
        headSeenAt: sameHead && this.last !== undefined ? this.last.headSeenAt : this.options.clock.now(),
      };
      this.last = this.current;
    }
    return this.current;
  }

  /**
   * Asks the best RPC, then the others. `RPC_UNAVAILABLE` when none answers; a contract's revert is an answer. What `work`
   * itself concludes (`NOT_FOUND`, `CHAIN_CHANGED`) stands when no other RPC says better.
   */
  async read<T>(work: (client: PublicClient) => Promise<T>): Promise<T> {
    const order = this.answers.length > 0 ? this.healthy : this.rpcs;
    let cause: unknown;
    let conclusion: DekuperError | undefined;
    for (const rpc of order) {
      try {
        return await work(rpc.client);
      } catch (error) {
        if (isAnswer(error)) throw error;
        if (isDekuperError(error) && !error.retryable) conclusion ??= error;
        cause = error;
      }
    }
    if (conclusion !== undefined) throw conclusion;
    throw new DekuperError("RPC_UNAVAILABLE", `None of ${order.length} RPCs answers.`, { cause });
  }

  /**
   * Positive evidence: the same answer from two RPCs where two are configured, else from the one. Undefined when too few
   * answer or they differ.
   */
  async readAgreed<T>(
    work: (client: PublicClient) => Promise<T>,
    key: (answer: T) => string,
  ): Promise<T | undefined> {
    const needed = Math.min(2, this.rpcs.length);
    const settled = await Promise.allSettled(this.healthy.map((rpc) => work(rpc.client)));
    const given = settled.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const first = given[0];
    if (first === undefined || given.length < needed) return undefined;
    return given.every((answer) => key(answer) === key(first)) ? first : undefined;
  }

  private async ask(rpc: Rpc): Promise<Answer> {
    const head = await blockOf(rpc.client, { blockTag: "latest" });
    return { rpc, head, final: await this.finalBlock(rpc, head) };
  }

  private async finalBlock(rpc: Rpc, head: BlockRef): Promise<BlockRef> {
    const { finality } = this.options;
    if (finality.kind === "tag") {
      try {
        const block = await blockOf(rpc.client, { blockTag: "finalized" });
        this.servesFinalized.add(rpc.url);
        return block;
      } catch (error) {
        if (this.servesFinalized.has(rpc.url) || !lacksTag(error)) throw error;
      }
    }
    const depth = finality.kind === "depth" ? finality.depth : FALLBACK_FINALITY_DEPTH;
    const number = Math.max(0, head.number - depth);
    return number === head.number ? head : blockOf(rpc.client, { blockNumber: BigInt(number) });
  }

  /** RPCs may lag, but at the lowest of their final blocks they must have the same hash: that block is final for all of them. */
  private async agreedFinal(): Promise<BlockRef | undefined> {
    const finals = this.answers.map(({ final }) => final);
    const lowest = finals.reduce((a, b) => (b.number < a.number ? b : a));
    try {
      const hashes = await Promise.all(
        this.answers.map(async ({ rpc, final }) =>
          final.number === lowest.number
            ? final.hash
            : (await blockOf(rpc.client, { blockNumber: BigInt(lowest.number) })).hash,
        ),
      );
      return new Set(hashes).size === 1 ? lowest : undefined;
    } catch {
      return undefined; // An RPC that cannot show a block below one that it calls final says nothing that can be relied on.
    }
  }
}

/** One block by number or tag. */
export async function blockOf(
  client: PublicClient,
  which: { blockTag: "latest" | "finalized" } | { blockNumber: bigint },
): Promise<BlockRef> {
  const block = await client.getBlock(which);
  if (block.number === null || block.hash === null)
    throw new DekuperError("RPC_UNAVAILABLE", "The RPC gave a block without number or hash.");
  return {
    number: Number(block.number),
    hash: block.hash,
    timestamp: Number(block.timestamp),
    baseFee: block.baseFeePerGas ?? 0n,
  };
}

/**
 * Whether an error is the chain's answer, the same from every RPC, rather than one RPC's failure to give it. viem calls any
 * internal error of an RPC a revert of the contract; only what the RPC itself calls one, or gives data with, is.
 */
export function isAnswer(error: unknown): boolean {
  return causesOf(error).some(
    (item) =>
      item.name === "InsufficientFundsError" ||
      item.name === "ExecutionRevertedError" ||
      (item instanceof ContractFunctionRevertedError && hasRevertData(item.raw)) ||
      (item instanceof RpcRequestError &&
        (item.code === 3 || /revert/i.test(item.details) || hasRevertData(item.data))),
  );
}

/** The RPC that was asked last has answered, and its answer was an error: asking for less may help. */
export function isRefusal(error: unknown): boolean {
  return causesOf(error).some((item) => item instanceof RpcRequestError);
}

function hasRevertData(data: unknown): boolean {
  if (typeof data === "object" && data !== null && "data" in data) return hasRevertData(data.data);
  return isHex(data) && data.length > 2;
}

const LACKS_TAG = new Set([
  "BlockNotFoundError",
  "InvalidParamsRpcError",
  "InvalidInputRpcError",
  "ResourceNotFoundRpcError",
  "MethodNotFoundRpcError",
  "MethodNotSupportedRpcError",
]);
/** Geth's code for a tag that it has no block for (execution-apis, engine/common). */
const UNKNOWN_BLOCK = -39001;

/** The RPC has answered, and has no block of that tag. */
function lacksTag(error: unknown): boolean {
  return causesOf(error).some(
    (item) => LACKS_TAG.has(item.name) || (item instanceof RpcRequestError && item.code === UNKNOWN_BLOCK),
  );
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let item = error; item instanceof Error && causes.length < 10; item = item.cause) causes.push(item);
  return causes;
}
